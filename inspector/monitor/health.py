"""Is the station well? A list of checks, each with its own word, for people and for machines."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from inspector.monitor.pulse import Doing, Pulse
from inspector.pipeline.inspection import HUNG_AFTER_S


class CheckLike(Protocol):
    """One thing that was looked at: its name, whether it is well, and what was found."""

    @property
    def name(self) -> str: ...

    @property
    def passed(self) -> bool: ...

    @property
    def detail(self) -> str: ...


Checks: TypeAlias = Callable[[], Sequence[CheckLike]]
"""Called anew for each answer, on the server's thread: it reads, and waits for nobody."""


@dataclass(frozen=True, slots=True)
class Check:
    """The plainest :class:`CheckLike`."""

    name: str
    passed: bool
    detail: str = ""


def pulse_check(pulse: Pulse, most_s: float = HUNG_AFTER_S) -> Check:
    """That the inspecting thread lives, and is not lost in one part for ``most_s``."""
    doing, busy_s = pulse.doing, pulse.busy_s()
    detail = f"inspecting one part for {busy_s:.1f} s" if doing is Doing.INSPECTING else doing.value
    return Check("inspecting", pulse.is_alive(most_s), detail)


def health_json(checks: Iterable[CheckLike]) -> tuple[bool, dict[str, object]]:
    """Whether all are well, and the answer to be sent."""
    told = [{"name": one.name, "passed": one.passed, "detail": one.detail} for one in checks]
    healthy = all(one["passed"] for one in told)
    return healthy, {"healthy": healthy, "checks": told}
