"""A station whose files are missing, of the wrong kind, damaged, on a read-only disk or on a full
one: it says one sentence, goes into no execution, and leaves what was there as it was.
"""

import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from inspector.station import DATABASE
from tests.inspector.disk_parts import NOISE, fill, small_disk
from tests.inspector.station_parts import make_station

pytestmark = pytest.mark.slow
CAMERA = "sim:disc?size=64&fps=20"
SETTINGS = f"""name = "T"
camera = "{CAMERA}"
plan = "plan"
recipe = "recipe.json"
out = "out"
"""


def _gone(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def _a_folder(path: Path) -> None:
    _gone(path)
    path.mkdir()


def _empty(path: Path) -> None:
    _gone(path)
    path.write_bytes(b"")


def _noise(path: Path) -> None:
    _gone(path)
    path.write_bytes(NOISE)


def _cut(path: Path) -> None:
    for file in path.iterdir() if path.is_dir() else [path]:
        os.truncate(file, file.stat().st_size // 2)


READ = (
    "settings.toml",
    "recipe.json",
    "plan",
    "plan/plan.json",
    "plan/model.onnx",
    "plan/golden.npz",
    "plan/SHA256SUMS",
)
WRITTEN = ("out", "out/logs", f"out/{DATABASE}")
ILLS: tuple[Callable[[Path], None], ...] = (_gone, _a_folder, _empty, _noise, _cut)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A station that has inspected five parts."""
    folder = tmp_path_factory.mktemp("whole")
    make_station(folder, CAMERA, limit=-1e6)
    (folder / "settings.toml").write_text(SETTINGS, "utf-8")
    assert _station(folder).returncode == 0
    return folder


@pytest.fixture
def station(whole: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
    return tmp_path


def _started(folder: Path, frames: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "inspector", "station", str(folder / "settings.toml")]
    return subprocess.Popen(
        [*command, "--headless", "--frames", str(frames)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _station(folder: Path, frames: int = 5) -> "subprocess.CompletedProcess[str]":
    with _started(folder, frames) as process:
        out, err = process.communicate(timeout=100)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def _content(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _refused(folder: Path) -> str:
    """The sentence with which the station ends before its first part."""
    ended = _station(folder)
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    assert "ContinuousExecution" not in ended.stderr
    return ended.stderr.strip().splitlines()[-1]


@pytest.mark.parametrize("ill", ILLS)
@pytest.mark.parametrize("name", READ)
def test_what_a_station_reads(name: str, ill: Callable[[Path], None], station: Path) -> None:
    ill(station / name)
    before = _content(station)
    _refused(station)
    assert _content(station) == before


@pytest.mark.parametrize("name", WRITTEN)
def test_what_a_station_writes(name: str, station: Path) -> None:
    _noise(station / name)
    _refused(station)


def test_pictures_that_cannot_be_saved_are_an_alarm_and_no_part_waits(station: Path) -> None:
    _noise(station / "out" / "pictures")
    before = _rows(station / "out" / DATABASE)
    ended = _station(station)
    assert ended.returncode == 0
    assert f"ALARM error_raised: {station / 'out' / 'pictures'}" in ended.stderr
    assert _rows(station / "out" / DATABASE) == before + 5


def test_a_database_cut_in_half(station: Path) -> None:
    _cut(station / "out" / DATABASE)
    before = (station / "out" / DATABASE).read_bytes()
    assert "restore" in _refused(station)
    assert (station / "out" / DATABASE).read_bytes() == before


@pytest.mark.parametrize("options", ["size=64m,ro", "size=1m"])
def test_no_room(options: str, station: Path) -> None:
    _gone(station / "out")
    with small_disk(station / "out", options):
        _refused(station)


def test_a_disk_that_fills_up_while_it_inspects(station: Path) -> None:
    _gone(station / "out")
    with small_disk(station / "out", "size=60m") as disk:
        ended = _disturbed(station, lambda: fill(disk))
        assert ended.returncode == 2
        assert "Traceback" not in ended.stderr
        (disk / "filled").unlink()
        assert f"{_rows(disk / DATABASE)} parts" in ended.stdout


def _disturbed(folder: Path, disturb: Callable[[], object]) -> "subprocess.CompletedProcess[str]":
    with _started(folder, 400) as process:
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            if "ContinuousExecution" in line:
                break
        time.sleep(2)
        disturb()
        out, err = process.communicate(timeout=100)
    return subprocess.CompletedProcess(process.args, process.returncode, out, "".join(said) + err)


def _rows(database: Path) -> int:
    with closing(sqlite3.connect(database)) as opened:
        assert opened.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        (rows,) = opened.execute("SELECT count(*) FROM inspection").fetchone()
    return int(rows)
