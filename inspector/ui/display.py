"""Whether a window can be opened here, asked without opening one and without importing Qt.

Qt ends the whole process where it finds no display, so a child process tries first. Import this
module before :mod:`inspector.ui.run`: on a machine without the graphics libraries even importing
Qt fails.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Final

from engine.types import MissingError

_PROBE: Final = "from PySide6.QtWidgets import QApplication; QApplication([])"
_SCREENLESS: Final = ("offscreen", "minimal", "vnc", "eglfs", "linuxfb")
_PROBE_LIMIT_S: Final = 30.0


def display_problem(
    environment: Mapping[str, str] = os.environ, platform: str = sys.platform
) -> str | None:
    """Why no window can be opened here, in one sentence; None where one can."""
    if _no_display_named(environment, platform):
        return (
            "There is no display (DISPLAY and WAYLAND_DISPLAY are empty):"
            " run with --headless, or under a desktop or xvfb-run."
        )
    try:
        probe = subprocess.run(
            [sys.executable, "-c", _PROBE],
            env=dict(environment),
            capture_output=True,
            text=True,
            timeout=_PROBE_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "The display does not answer: run with --headless."
    if probe.returncode == 0:
        return None
    lines = [line for line in probe.stderr.splitlines() if line.strip()] or ["no reason given"]
    return f"Qt cannot open a window here ({lines[0].strip()}): run with --headless."


def require_display() -> None:
    """Raise :class:`MissingError` where no window can be opened."""
    problem = display_problem()
    if problem is not None:
        raise MissingError(problem)


def _no_display_named(environment: Mapping[str, str], platform: str) -> bool:
    if not platform.startswith("linux"):
        return False
    if environment.get("QT_QPA_PLATFORM", "").split(":")[0] in _SCREENLESS:
        return False
    return not (environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))
