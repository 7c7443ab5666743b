"""The set-up commands: what they do twice, half-way, from elsewhere, and on a bare machine.

And the latency benchmark: that it is fair.
"""

import importlib.util
import os
import signal
import subprocess
import sys
import time
from importlib.machinery import SourceFileLoader
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from engine.types import Image, Prediction

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"


def _load(name: str, folder: Path = SCRIPTS) -> ModuleType:
    loader = SourceFileLoader(name, str(folder / name))
    spec = importlib.util.spec_from_loader(name, loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


@pytest.fixture
def setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The shared half, for a checkout of this test's own; ``ran`` lists what it would run."""
    module = _load("_setup.py")
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    module.ROOT, module.VENV = tmp_path, tmp_path / ".venv"
    module.BIN = module.VENV / module.BIN.name
    module.ran = []
    module.run = module.ran.append
    return module


def _make_venv_without_pip(setup: ModuleType) -> None:
    make = [sys.executable, "-m", "venv", "--without-pip", str(setup.VENV)]
    subprocess.run(make, check=True)


def test_each_set_of_extras_is_installed_once_until_the_dependencies_change(
    setup: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    _make_venv_without_pip(setup)
    monkeypatch.setattr(setup, "_has_pip", lambda: True)
    for extras in ((), ("train", "dev"), (), ("train", "dev")):
        setup.install(*extras)
    assert [command[-1] for command in setup.ran] == [str(setup.ROOT), f"{setup.ROOT}[train,dev]"]
    (setup.ROOT / "pyproject.toml").write_text("[project]\ndependencies = []\n")
    setup.install()
    setup.install("train", "dev")
    assert len(setup.ran) == 4
    assert len(list(setup.VENV.glob("installed-*"))) == 2  # one stamp a set, however often


def test_an_environment_left_without_pip_is_made_again(
    setup: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    _make_venv_without_pip(setup)
    made: list[Path] = []
    monkeypatch.setattr(setup, "_make_venv", lambda: made.append(setup.VENV))
    setup.install()
    assert made == [setup.VENV]


def test_a_whole_environment_is_kept(setup: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    _make_venv_without_pip(setup)
    # Stands for ensurepip, which takes seconds: a module that answers like pip.
    site = subprocess.run(
        [setup.program("python"), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    (Path(site) / "pip.py").write_text("print('pip 99')\n")
    monkeypatch.setattr(setup, "_make_venv", lambda: pytest.fail("it was whole"))
    setup.install()


def test_tools_are_found_after_the_checkout_moved(setup: ModuleType, tmp_path: Path) -> None:
    _make_venv_without_pip(setup)
    moved = tmp_path / "moved"
    setup.VENV.rename(moved)
    setup.BIN = moved / setup.BIN.name
    for tool in (setup.module("platform"), setup.function("enable", of="faulthandler")):
        assert tool[0] == str(setup.BIN / Path(tool[0]).name)
        subprocess.run(tool, capture_output=True, check=True)


@pytest.mark.parametrize(
    ("name", "of", "option", "says"),
    [
        ("main", "inspector.cli", "--version", version("promptmad-inspector")),
        ("lint_imports_command", "importlinter.cli", "--help", "contract"),
    ],
)
def test_the_functions_that_stand_for_programs_are_there(
    setup: ModuleType, tmp_path: Path, name: str, of: str, option: str, says: str
) -> None:
    (tmp_path / "inspector.py").write_text("raise SystemExit('the wrong one')\n")
    command = [sys.executable, *setup.function(name, of=of)[1:], option]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert says in ended.stdout


@pytest.mark.skipif(os.name == "nt", reason="sends Ctrl+C to a process group")
def test_ctrl_c_is_the_programs_to_answer(tmp_path: Path) -> None:
    slow = (
        "import time\nprint('ready', flush=True)\n"
        "try:\n time.sleep(30)\n"
        "except KeyboardInterrupt:\n time.sleep(0.6); print('closed', flush=True); exit(7)\n"
    )
    parent = f"import sys; sys.path.insert(0, {str(SCRIPTS)!r}); import _setup; "
    parent += f"sys.exit(_setup.hand_over([sys.executable, '-c', {slow!r}]))"
    command = [sys.executable, "-c", parent]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)
        assert process.stdout.read() == b"closed\n"
    assert process.returncode == 7


def test_a_machine_without_fonts_is_not_told_that_qt_does_not_load(
    setup: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(setup, "program", lambda name: sys.executable)
    monkeypatch.setattr(setup, "FONTS", tmp_path)
    monkeypatch.setattr(setup.sys, "platform", "linux")
    monkeypatch.setattr(setup.shutil, "which", lambda name: None)
    with pytest.raises(SystemExit) as ended:
        setup.need_qt_libraries()
    said = capsys.readouterr().err
    assert ended.value.code == setup.NEEDS_EXIT
    assert said.startswith("There is no font")
    assert "'apt-get install --yes --no-install-recommends libgl1 " in said


def test_qt_that_does_not_load_is_told_with_its_reason(
    setup: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _make_venv_without_pip(setup)  # and so without PySide6
    monkeypatch.setattr(setup.shutil, "which", lambda name: None)
    with pytest.raises(SystemExit):
        setup.need_qt_libraries()
    assert "Qt does not load (ModuleNotFoundError" in capsys.readouterr().err


@pytest.fixture
def pairs(tmp_path: Path) -> tuple[Path, Path, Path]:
    """A new bundle, its recipe, and a demo folder that holds an old pair."""
    for folder, text in (("work", "new"), ("demo", "old")):
        (tmp_path / folder / "bundle").mkdir(parents=True)
        (tmp_path / folder / "bundle" / "trunk.onnx").write_text(text)
        (tmp_path / folder / "recipe.json").write_text(text)
    return tmp_path / "work" / "bundle", tmp_path / "work" / "recipe.json", tmp_path / "demo"


@pytest.fixture
def make_demo(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return _load("make_demo")


def test_bundle_and_recipe_are_replaced_together(
    make_demo: ModuleType, pairs: tuple[Path, Path, Path]
) -> None:
    make_demo.put_in_place(*pairs)
    demo = pairs[2]
    assert (demo / "bundle" / "trunk.onnx").read_text() == "new"
    assert (demo / "recipe.json").read_text() == "new"
    assert sorted(path.name for path in demo.iterdir()) == ["bundle", "recipe.json"]


def test_a_recipe_that_cannot_be_copied_leaves_the_old_pair(
    make_demo: ModuleType, pairs: tuple[Path, Path, Path]
) -> None:
    bundle, recipe, demo = pairs
    recipe.unlink()
    with pytest.raises(FileNotFoundError):
        make_demo.put_in_place(bundle, recipe, demo)
    assert (demo / "bundle" / "trunk.onnx").read_text() == "old"
    assert (demo / "recipe.json").read_text() == "old"


def test_a_swap_that_fails_half_way_brings_the_old_bundle_back(
    make_demo: ModuleType, pairs: tuple[Path, Path, Path]
) -> None:
    bundle, recipe, demo = pairs
    (demo / "recipe.json").unlink()
    (demo / "recipe.json" / "in the way").mkdir(parents=True)
    with pytest.raises(OSError, match="directory"):
        make_demo.put_in_place(bundle, recipe, demo)
    assert (demo / "bundle" / "trunk.onnx").read_text() == "old"


@pytest.fixture(scope="module")
def latency() -> ModuleType:
    return _load("latency.py", SCRIPTS.parent / "benchmarks")


class Runner:
    """A detector that notes its turns."""

    products = ("disc",)

    def __init__(self, name: str, turns: list[str]) -> None:
        self._name, self._turns = name, turns

    def detect(self, image: Image, product: str) -> Prediction:
        self._turns.append(self._name)
        return Prediction(0.0, np.zeros(image.shape[:2], np.float32), product, dict(STAGES_MS))


STAGES_MS = {"pre": 1.0, "infer": 2.0, "post": 3.0}


def test_no_runtime_always_runs_after_the_same_other(latency: ModuleType) -> None:
    turns: list[str] = []
    names = (latency.REFERENCE, "ort", "torch")
    times = latency.race({n: Runner(n, turns) for n in names}, 12, np.random.default_rng(0))
    rounds = [turns[i : i + 3] for i in range(0, len(turns), 3)]
    assert all(sorted(names) == sorted(each) for each in rounds)
    before_torch = {turns[i - 1] for i, name in enumerate(turns) if i and name == "torch"}
    assert {latency.REFERENCE, "ort"} <= before_torch
    assert times["torch"]["total"] == [6.0] * 12
