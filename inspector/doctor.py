"""`inspector doctor`: what this machine has, what it lacks, and what to change.

Runtimes and Qt are loaded rather than looked up: a package that is installed and whose library
does not load is the usual fault. They are loaded by name, so that each keeps its one door.
"""

import json
import os
import platform
import shutil
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib import import_module, metadata
from pathlib import Path
from typing import Annotated

import typer
from platformdirs import user_cache_path
from rich.console import Console
from rich.table import Table
from rich.text import Text

from engine.types import KnownError

DISTRIBUTION = "promptmad-inspector"
SQLITE_WAL_RESET_MENDED = (3, 51, 3)  # before, two connections that checkpoint can lose a commit
JUMBO_MTU = 9000
RECEIVE_BUFFER_BYTES = 10 * 2**20  # 80 ms of a full gigabit link


class Level(StrEnum):
    OK = "ok"
    WARN = "warn"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, how it is, what was found, and what to change."""

    name: str
    level: Level
    found: str
    advice: str = ""


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Show what this machine has, what it lacks, and what to change."""
    findings = tuple(examine())
    lacking = any(finding.level is Level.MISSING for finding in findings)
    if as_json:
        typer.echo(json.dumps({"ok": not lacking, "findings": [asdict(one) for one in findings]}))
    else:
        Console().print(_table(findings))
    if lacking:
        raise typer.Exit(3)


def examine() -> Iterator[Finding]:
    """Every finding, in the order in which a part meets the thing."""
    yield Finding("inspector", Level.OK, metadata.version(DISTRIBUTION))
    yield Finding("python", Level.OK, f"{platform.python_version()} on {platform.platform()}")
    yield from cameras()
    yield from network()
    yield loaded("openvino", "openvino", f"pip install {DISTRIBUTION}")
    yield loaded("onnxruntime", "onnxruntime", f"pip install {DISTRIBUTION}")
    yield tensorrt()
    yield sqlite(sqlite3.sqlite_version_info)
    yield loaded(
        "PySide6.QtWidgets",
        "PySide6_Essentials",
        f"pip install {DISTRIBUTION}; where the library named is the system's: "
        "apt install libegl1 libgl1 libxkbcommon0 libdbus-1-3 libfontconfig1",
    )
    yield display(sys.platform, os.environ)
    yield cache_folder(user_cache_path(DISTRIBUTION))


def loaded(module: str, distribution: str, advice: str) -> Finding:
    """A package that a station cannot do without, by importing it."""
    try:
        import_module(module)
        version = metadata.version(distribution)
    except (ImportError, OSError) as error:
        return Finding(module, Level.MISSING, str(error), advice)
    return Finding(module, Level.OK, version)


def tensorrt() -> Finding:
    found = loaded("tensorrt", "tensorrt", "")
    if found.level is Level.OK:
        return found
    advice = f'only for NVIDIA GPUs: pip install "{DISTRIBUTION}[tensorrt]"'
    return Finding("tensorrt", Level.OK, "not installed", advice)


def cameras() -> Iterator[Finding]:
    """The GenTL producers, the simulated one tried, and the pixel formats this program reads."""
    try:
        from inspector.camera import producers
        from inspector.camera.pixels import LAYOUTS

        simulated = producers.list_devices(producers.shipped_producer())
    except (ImportError, OSError, KnownError) as error:
        advice = f"pip install --force-reinstall genicam harvesters, then {DISTRIBUTION}"
        yield Finding("genicam", Level.MISSING, str(error), advice)
        return
    names = ", ".join(device.serial for device in simulated)
    yield Finding("genicam", Level.OK, f"viky.cti, simulated cameras {names}")
    files = ", ".join(str(file) for file in producers.installed_producers())
    if files:
        yield Finding("producers", Level.OK, files)
    else:
        advice = f"for a real camera set {producers.PRODUCER_PATH} to the folder of its .cti file"
        yield Finding("producers", Level.WARN, "none installed", advice)
    yield Finding("pixel formats", Level.OK, ", ".join(LAYOUTS))


def network(
    interfaces: Path = Path("/sys/class/net"),
    receive_buffer: Path = Path("/proc/sys/net/core/rmem_max"),
) -> Iterator[Finding]:
    """What a GigE camera asks of the network, where Linux lets it be read."""
    for state in sorted(interfaces.glob("*/operstate")):
        if state.read_text().strip() == "up":
            name = state.parent.name
            mtu = int(state.with_name("mtu").read_text())
            advice = f"for a GigE camera: ip link set {name} mtu {JUMBO_MTU}"
            yield _at_least(JUMBO_MTU, mtu, f"MTU {name}", advice)
    if receive_buffer.is_file():
        limit = int(receive_buffer.read_text())
        advice = f"for a GigE camera: sysctl -w net.core.rmem_max={4 * RECEIVE_BUFFER_BYTES}"
        yield _at_least(RECEIVE_BUFFER_BYTES, limit, "net.core.rmem_max", advice)


def _at_least(wanted: int, found: int, name: str, advice: str) -> Finding:
    if found >= wanted:
        return Finding(name, Level.OK, str(found))
    return Finding(name, Level.WARN, str(found), advice)


def sqlite(version: tuple[int, int, int]) -> Finding:
    """One writer, which alone checkpoints, keeps this program clear of the bug; others may not."""
    found = ".".join(str(part) for part in version)
    if version >= SQLITE_WAL_RESET_MENDED:
        return Finding("sqlite", Level.OK, found)
    wanted = ".".join(str(part) for part in SQLITE_WAL_RESET_MENDED)
    advice = f"let no other program write to the database, or use a Python with SQLite {wanted}"
    return Finding("sqlite", Level.WARN, found, advice)


def display(system: str, environment: Mapping[str, str]) -> Finding:
    if not system.startswith("linux"):
        return Finding("display", Level.OK, system)
    for name in ("WAYLAND_DISPLAY", "DISPLAY"):
        if environment.get(name):
            return Finding("display", Level.OK, f"{name}={environment[name]}")
    return Finding("display", Level.WARN, "none", "for a window: log in to a desktop, or ssh -X")


def cache_folder(folder: Path) -> Finding:
    existing = next(one for one in (folder, *folder.parents) if one.exists())
    if not os.access(existing, os.W_OK):
        advice = f"let this user write to {existing}"
        return Finding("cache", Level.MISSING, f"{folder} cannot be written", advice)
    free_gb = shutil.disk_usage(existing).free / 1e9
    return Finding("cache", Level.OK, f"{folder}, {free_gb:.0f} GB free")


def _table(findings: tuple[Finding, ...]) -> Table:
    colours = {Level.OK: "green", Level.WARN: "yellow", Level.MISSING: "red"}
    table = Table(box=None, pad_edge=False)
    for heading in ("", "what", "found", "what to change"):
        table.add_column(heading, overflow="fold")  # a path cut short helps nobody
    for one in findings:
        # Text, not markup: "[tensorrt]" must reach the reader.
        told = (Text(part) for part in (one.name, one.found, one.advice))
        table.add_row(Text(one.level, style=colours[one.level]), *told)
    return table
