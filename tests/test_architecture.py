"""The contracts of setup.cfg hold, and each is seen to break when it is broken on purpose."""

import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("engine", "calibration", "training", "inspector")

LINT_HERE = """
import sys
sys.path.insert(0, ".")
from importlinter.cli import lint_imports_command
lint_imports_command()
"""

BREACHES = {
    "rooms": ("engine/breach.py", "import inspector.settings"),
    "ships-without-training": ("inspector/breach.py", "import training.config"),
    "no-torch-at-the-edge": ("calibration/breach.py", "import torch"),
    "no-qt-below-the-ui": ("inspector/pipeline/breach.py", "import PySide6"),
    "one-door-to-sqlalchemy": ("inspector/ui/breach.py", "import sqlalchemy"),
    "one-door-to-harvesters": ("inspector/demo/breach.py", "import harvesters"),
    "one-door-to-argon2": ("inspector/db/breach.py", "import argon2"),
    "one-door-to-the-line": ("inspector/pipeline/breach.py", "import paho.mqtt.client"),
    "inside-inspector": ("inspector/camera/breach.py", "import inspector.db.log"),
    "acyclic": ("engine/types.py", "import engine.bundle"),
}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the rooms' sources, to break."""
    copy = tmp_path_factory.mktemp("house")
    for room in ROOMS:
        for source in (ROOT / room).rglob("*.py"):
            target = copy / source.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    shutil.copy(ROOT / "setup.cfg", copy)
    return copy


def _broken_contracts(house: Path) -> set[str]:
    """Names of the contracts that import-linter finds broken in ``house``."""
    command = [sys.executable, "-c", LINT_HERE, "--config", "setup.cfg", "--no-cache"]
    said = subprocess.run(command, cwd=house, capture_output=True, text=True, check=False)
    lines = said.stdout.splitlines()
    assert any(line.startswith("Contracts:") for line in lines), said.stdout + said.stderr
    return {line.removesuffix(" BROKEN") for line in lines if line.endswith(" BROKEN")}


def _contract_names() -> dict[str, str]:
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    prefix = "importlinter:contract:"
    return {s.removeprefix(prefix): config[s]["name"] for s in config if s.startswith(prefix)}


def test_every_contract_is_broken_here_on_purpose_once() -> None:
    assert set(BREACHES) == set(_contract_names())


def test_the_house_keeps_its_contracts(house: Path) -> None:
    assert _broken_contracts(house) == set()


@pytest.mark.parametrize("contract", BREACHES)
def test_a_breach_is_found(house: Path, contract: str) -> None:
    path, line = BREACHES[contract]
    breached = house / path
    before = breached.read_text("utf-8") if breached.exists() else None
    breached.write_text(f"{before or ''}\n{line}\n", "utf-8")
    try:
        assert _contract_names()[contract] in _broken_contracts(house)
    finally:
        breached.unlink() if before is None else breached.write_text(before, "utf-8")


def test_mypy_is_strict_on_what_ships(tmp_path: Path) -> None:
    """The same untyped line is refused in a shipped room: strictness is on, and it bites."""
    (tmp_path / "calibration").mkdir()
    (tmp_path / "calibration" / "__init__.py").touch()
    (tmp_path / "calibration" / "loose.py").write_text("def f(x):\n    return x\n")
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--config-file",
        str(ROOT / "setup.cfg"),
        "calibration",
    ]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert said.returncode == 1
    assert "missing a type annotation" in said.stdout


def test_no_file_is_long() -> None:
    lengths = {
        source.relative_to(ROOT).as_posix(): len(source.read_text("utf-8").splitlines())
        for room in ROOMS
        for source in (ROOT / room).rglob("*.py")
    }
    assert {name: n for name, n in lengths.items() if n > 400} == {}
