"""What both set-up commands share: a virtual environment beside the checkout, filled once.

Only the standard library: this runs before anything is installed.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
NEEDS_EXIT = 3  # the environment lacks something

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


def install(*extras: str) -> Path:
    """Make ``.venv`` and install this checkout with ``extras``; nothing to do a second time."""
    if sys.version_info < (3, 11):  # noqa: UP036  this very script is what an older one runs
        stop(f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}.")
    stamp = VENV / f"installed-{_fingerprint(extras)}"
    if not stamp.is_file():
        if not BIN.is_dir():
            _make_venv()
        target = f"{ROOT}[{','.join(extras)}]" if extras else str(ROOT)
        run([python(), "-m", "pip", "install", "--quiet", "--editable", target])
        stamp.touch()
    return BIN


def python() -> str:
    """The environment's interpreter."""
    return str(BIN / ("python.exe" if os.name == "nt" else "python"))


def need_qt_libraries() -> None:
    """See that Qt loads; as root on Debian install what it lacks, else say what to install."""
    probe = [python(), "-c", "from PySide6 import QtWidgets"]
    found = subprocess.run(probe, capture_output=True, text=True, check=False)
    fonts = sys.platform != "linux" or any(Path("/usr/share/fonts").rglob("*.[to]tf"))
    if found.returncode == 0 and fonts:
        return
    _apt(QT_LIBRARIES, found.stderr.strip().splitlines()[-1:] or ["no font is installed"])


def run(command: Sequence[str]) -> None:
    """Run one step in the checkout; stop with its exit code where it fails."""
    print("→", " ".join(map(str, command)), flush=True)
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    if code:
        sys.exit(code)


def stop(sentence: str) -> None:
    """End with one sentence."""
    print(sentence, file=sys.stderr)
    sys.exit(NEEDS_EXIT)


def _make_venv() -> None:
    code = subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=False).returncode
    if code:
        shutil.rmtree(VENV, ignore_errors=True)
        stop("Python's venv module does not work here: on Debian, apt-get install python3-venv.")


def _apt(packages: Sequence[str], why: Sequence[str]) -> None:
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *packages]
    if not shutil.which("apt-get") or not hasattr(os, "geteuid") or os.geteuid() != 0:
        stop(f"Qt does not load ({why[0]}): install its libraries, on Debian with {command}.")
    run(["apt-get", "update", "--quiet"])
    run(command)


def _fingerprint(extras: Sequence[str]) -> str:
    """Changes when the dependencies or the checkout's place do."""
    said = (ROOT / "pyproject.toml").read_bytes() + repr((extras, str(ROOT))).encode()
    return hashlib.sha256(said).hexdigest()[:16]
