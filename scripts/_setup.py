"""What both set-up commands share: a virtual environment beside the checkout, filled once.

Only the standard library: this runs before anything is installed.
"""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
NEEDS_EXIT = 3  # the environment lacks something
FONTS = Path("/usr/share/fonts")

QT_LIBRARIES = (
    "libgl1",
    "libegl1",
    "libxkbcommon0",
    "libdbus-1-3",
    "libfontconfig1",
    "libglib2.0-0",
    "fonts-dejavu-core",
)
"""Debian's names of what Qt loads even without a screen, and a font to write with."""


def install(*extras: str) -> None:
    """Make ``.venv`` and install this checkout with ``extras``; nothing to do a second time."""
    if sys.version_info < (3, 11):  # noqa: UP036  this very script is what an older one runs
        stop(f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}.")
    stamp = VENV / f"installed-{'-'.join(sorted(extras)) or 'station'}"
    wanted = fingerprint()
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return
    if not _has_pip():
        _make_venv()
    target = f"{ROOT}[{','.join(extras)}]" if extras else str(ROOT)
    run([*module("pip"), "install", "--quiet", "--editable", target])
    stamp.write_text(wanted, encoding="utf-8")


def fingerprint() -> str:
    """Changes when the dependencies or the checkout's place do."""
    said = (ROOT / "pyproject.toml").read_bytes() + str(ROOT).encode()
    return hashlib.sha256(said).hexdigest()


def program(name: str) -> str:
    """A program of the environment, by its path."""
    return str(BIN / (f"{name}.exe" if os.name == "nt" else name))


def module(name: str) -> list[str]:
    """A tool as a module: its program's first line would name where the checkout once was."""
    return [program("python"), "-m", name]


def function(name: str, of: str) -> list[str]:
    """A tool whose package is no program: a function, called. ``-P``: whatever lies in the
    working folder is not imported in place of a package."""
    return [
        program("python"),
        "-P",
        "-c",
        f"from {of} import {name} as run; raise SystemExit(run())",
    ]


INSPECTOR = function("main", of="inspector.cli")


def need_qt_libraries() -> None:
    """See that Qt loads; as root on Debian install what it lacks, else say what to install."""
    lacking = _lacking()
    if lacking:
        _apt(QT_LIBRARIES, lacking)
        still = _lacking()
        if still:
            stop(f"{still}, though Debian's packages for it are installed now.")


def run(command: Sequence[str]) -> None:
    """Run one step in the checkout; stop with its exit code where it fails."""
    print("→", " ".join(command), flush=True)
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    if code:
        sys.exit(code)


def hand_over(command: Sequence[str]) -> int:
    """Run in the person's own folder; Ctrl+C is the program's to answer, however long it takes."""
    signal.signal(signal.SIGINT, lambda number, frame: None)  # subprocess would kill it at once
    return subprocess.run(command, check=False).returncode


def stop(sentence: str) -> NoReturn:
    """End with one sentence."""
    print(sentence, file=sys.stderr)
    sys.exit(NEEDS_EXIT)


def _has_pip() -> bool:
    """Whether the environment is whole: a set-up that was interrupted leaves one without pip."""
    if not Path(program("python")).exists():
        return False
    asked = subprocess.run([*module("pip"), "--version"], capture_output=True, check=False)
    return asked.returncode == 0


def _make_venv() -> None:
    make = [sys.executable, "-m", "venv", "--clear", str(VENV)]
    if subprocess.run(make, check=False).returncode:
        shutil.rmtree(VENV, ignore_errors=True)
        stop("Python's venv module does not work here: on Debian, apt-get install python3-venv.")


def _lacking() -> str:
    """What keeps the tests' Qt from drawing, "" where nothing does."""
    open_qt = "from PySide6.QtWidgets import QApplication; QApplication([])"
    offscreen = os.environ | {"QT_QPA_PLATFORM": "offscreen"}
    command = [program("python"), "-c", open_qt]
    found = subprocess.run(command, env=offscreen, capture_output=True, text=True, check=False)
    if found.returncode:
        reason = (found.stderr.strip().splitlines() or ["it ends at once"])[-1]
        return f"Qt does not load ({reason})"
    if sys.platform == "linux" and not any(FONTS.rglob("*.[to]tf")):
        return "There is no font to draw with"
    return ""


def _apt(packages: Sequence[str], why: str) -> None:
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *packages]
    if not shutil.which("apt-get") or not hasattr(os, "geteuid") or os.geteuid() != 0:
        stop(f"{why}: install what Qt needs, on Debian as root with '{' '.join(command)}'.")
    run(["apt-get", "update", "--quiet"])
    run(command)
