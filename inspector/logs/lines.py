"""One line of the log: for machines as JSON, for people as text; neither holds a password.

Text that came from outside (a product's name from a PLC, a path) cannot begin a line of its own.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Final

from inspector.pipeline.events import Details, Severity

_IN_ADDRESS: Final = re.compile(r"(?<=://)\S*@")
_NAMED: Final = re.compile(
    r"""(?ix)((?:password|passwd|secret|token|api_?key)["']?\s*[=:]\s*["']?)[^\s,;&"']+"""
)
_SECRET_NAME: Final = re.compile(r"(?i)password|passwd|secret|token|api_?key")
HIDDEN: Final = "***"


@dataclass(frozen=True, slots=True)
class Line:
    """What happened, when (UTC) and where; ``source`` is the logger or thread that said it, and
    ``trace`` the traceback of a crash."""

    at: datetime
    severity: Severity
    code: str
    text: str
    station: str
    run: str | None = None
    source: str | None = None
    details: Details = field(default_factory=lambda: MappingProxyType({}))
    trace: str | None = None


def without_secrets(text: str) -> str:
    """What stands before an @ in an address, or after "password=" and its like, is hidden."""
    return _NAMED.sub(rf"\1{HIDDEN}", _IN_ADDRESS.sub(f"{HIDDEN}@", text))


def as_json(line: Line) -> str:
    """One line for a machine, without its line end; what there is nothing to say of is left out."""
    said = {
        "time": line.at.isoformat(timespec="milliseconds"),
        "level": line.severity.name.lower(),
        "code": line.code,
        "station": line.station,
        "run": line.run,
        "source": line.source,
        "text": without_secrets(line.text),
        "details": _details(line.details) or None,
        "trace": None if line.trace is None else without_secrets(line.trace),
    }
    return json.dumps({key: value for key, value in said.items() if value is not None})


def as_text(line: Line) -> str:
    """One line for a person, and the traceback below it."""
    at = line.at.isoformat(sep=" ", timespec="milliseconds")
    where = "" if line.source is None else f" ({line.source})"
    first = f"{at} {line.severity.name} {line.code}{where}: {without_secrets(line.text)}"
    trace = without_secrets(line.trace or "").splitlines()
    return "\n".join([_printable(first), *(f"    {_printable(one)}" for one in trace)])


def _details(details: Mapping[str, str | int | float]) -> dict[str, str | int | float]:
    return {name: _shown(name, value) for name, value in details.items()}


def _shown(name: str, value: str | int | float) -> str | int | float:
    if _SECRET_NAME.search(name):
        return HIDDEN
    return without_secrets(value) if isinstance(value, str) else value


def _printable(text: str) -> str:
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)
