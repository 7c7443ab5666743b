"""The commands as a person or a script calls them: files, stdout, and one sentence for a fault."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from engine import cli
from engine.archive import pack
from engine.build import build
from engine.bundle import Bundle
from engine.detector import Detector
from engine.folder import read_map
from engine.pictures import read_picture
from engine.types import BundleError, InputError, UnknownProductError
from inspector.cli import app
from tests.engine.test_pictures import save
from tests.engine.tiny import grey_picture, spot_picture


@pytest.fixture(scope="module")
def plan(tiny: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tiny.folder, tmp_path_factory.mktemp("plan") / "plan")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two good parts and a spotted one, in sizes of their own."""
    home = tmp_path / "pictures"
    save(home / "good" / "000.png", grey_picture(100, 80))
    save(home / "good" / "001.png", grey_picture(64, 64, seed=1))
    save(home / "spot" / "000.png", spot_picture(96, 96, at=(24, 60)))
    return home


def call(*arguments: object, error: type[Exception] | None = None, match: str = "") -> Result:
    app = typer.Typer()
    for command in (cli.build, cli.inspect):
        app.command()(command)
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if error is None:
        assert result.exit_code == 0, result.output
    else:
        with pytest.raises(error, match=match):
            raise result.exception or AssertionError(f"no error: {result.output}")
    return result


def test_build_says_what_it_built(tiny: Bundle, tmp_path: Path) -> None:
    out = tmp_path / "plan"
    said = json.loads(call("build", tiny.folder, "--out", out, "--steps", 2, "--json").stdout)
    assert said["plan"] == str(out)
    assert (said["runtime"], said["precision"], said["steps"]) == ("openvino", "f32", 2)
    again = ("build", tiny.folder, "--out", out, "--runtime", "onnxruntime")
    call(*again, error=InputError, match="exists already")
    assert "for onnxruntime" in call(*again, "--overwrite").stdout


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("--runtime", "cuda", "no runtime 'cuda'"),
        ("--precision", "f64", "computes in 'f64': .*; choose f32"),
        ("--steps", "11", "allows 0 to 10"),
    ],
)
def test_build_refuses_what_cannot_be_had(
    tiny: Bundle, tmp_path: Path, option: str, value: str, sentence: str
) -> None:
    out = tmp_path / "plan"
    call("build", tiny.folder, "--out", out, option, value, error=InputError, match=sentence)
    assert not out.exists()


def test_build_refuses_a_folder_that_is_no_bundle(tmp_path: Path) -> None:
    call("build", tmp_path, "--out", tmp_path / "p", error=BundleError, match="no bundle at")


def test_inspect_writes_what_the_detector_says(plan: Path, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    call("inspect", plan, folder, "--product", "disc", "--out", out)
    names = sorted(p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file())
    assert names == ["good/000.npz", "good/001.npz", "spot/000.npz"]
    with Detector.open(plan) as detector:
        expected = detector.detect(read_picture(folder / "good" / "000.png"), "disc")
    with np.load(out / "good" / "000.npz") as archive:
        assert sorted(archive) == ["map", "score"]
        assert float(archive["score"]) == pytest.approx(expected.score, abs=1e-5)
        assert archive["map"].dtype == np.float32
        np.testing.assert_allclose(archive["map"], expected.map, atol=1e-5)
        assert archive["map"].shape == (100, 80)


def test_inspect_prints_one_json_object(plan: Path, folder: Path, tmp_path: Path) -> None:
    done = call("inspect", plan, folder, "--product", "label", "--out", tmp_path / "out", "--json")
    said = json.loads(done.stdout)
    assert said["failed"] == {}
    assert max(said["scores"], key=said["scores"].__getitem__) == "spot/000.png"


def test_overlays_lie_beside_and_heat_the_spot(plan: Path, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    call("inspect", plan, folder, "--product", "disc", "--out", out, "--overlays")
    drawn, picture = (read_picture(p / "spot" / "000.png").astype(int) for p in (out, folder))
    moved = np.abs(drawn - picture).sum(axis=2)
    assert moved[24:32, 60:68].mean() > 4 * moved[60:, :40].mean()
    good = read_picture(out / "good" / "001.png").astype(int)
    assert np.abs(good - read_picture(folder / "good" / "001.png")).max() < moved.max()


def test_an_unreadable_picture_is_named_at_the_end(
    plan: Path, folder: Path, tmp_path: Path
) -> None:
    (folder / "good" / "0005.png").write_bytes(b"no picture")
    out = tmp_path / "out"
    done = call(
        *("inspect", plan, folder, "--product", "disc", "--out", out, "--json", "--overlays"),
        error=InputError,
        match=r"1 of 4 pictures could not be inspected: good/0005\.png; .* no picture",
    )
    said = json.loads(done.stdout)
    assert list(said["failed"]) == ["good/0005.png"]
    assert len(said["scores"]) == 3
    assert len([p for p in out.rglob("*") if p.is_file()]) == 6
    assert not list(out.rglob("*.part"))


def test_many_unreadable_pictures_are_counted(plan: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for i in range(7):
        (tmp_path / "in" / f"{i}.png").write_bytes(b"no picture")
    call(
        *("inspect", plan, tmp_path / "in", "--product", "disc", "--out", tmp_path / "out"),
        "--overlays",
        error=InputError,
        match=r"7 of 7 .* 4\.png and 2 more;",
    )


def test_inspect_refuses_before_it_writes(plan: Path, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    start = ("inspect", plan)
    end = ("--product", "disc", "--out", out)
    call(*start, folder, "--product", "cup", "--out", out, error=UnknownProductError, match="cup")
    (tmp_path / "empty").mkdir()
    call(*start, tmp_path / "empty", *end, error=InputError, match="holds no picture")
    save(folder / "good" / "000.bmp", grey_picture())
    call(*start, folder, *end, error=InputError, match=r"000\.bmp and .*000\.png would share")
    assert not out.exists()


def test_results_never_go_among_the_pictures(plan: Path, folder: Path) -> None:
    inside = folder / "results"
    call(
        *("inspect", plan, folder, "--product", "disc", "--out", inside),
        error=InputError,
        match="lies inside",
    )
    assert not inside.exists()


@pytest.mark.parametrize("below", ["", "results"])
def test_results_never_go_into_the_plan(plan: Path, folder: Path, below: str) -> None:
    inside = plan / below
    call(
        *("inspect", plan, folder, "--product", "disc", "--out", inside),
        error=InputError,
        match="would lie in the plan itself",
    )
    Detector.open(plan)


def test_a_place_that_cannot_be_written_is_named(plan: Path, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file, no folder")
    call(
        *("inspect", plan, folder, "--product", "disc", "--out", tmp_path / "out"),
        error=InputError,
        match=r"000\.npz cannot be written",
    )


def test_a_write_that_fails_leaves_no_part(
    plan: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(file: object, **_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full_disk)
    call(
        *("inspect", plan, folder, "--product", "disc", "--out", tmp_path / "out"),
        error=InputError,
        match="No space left on device; make room",
    )
    assert not [p for p in (tmp_path / "out").rglob("*") if p.is_file()]


def test_a_map_is_read_back(plan: Path, folder: Path, tmp_path: Path) -> None:
    call("inspect", plan, folder, "--product", "disc", "--out", tmp_path / "out")
    score_map = read_map(tmp_path / "out" / "spot" / "000.npz")
    row, column = np.unravel_index(score_map.argmax(), score_map.shape)
    assert cv2.pointPolygonTest(_square(24, 60, 8), (float(column), float(row)), False) >= 0


LONG = "x" * 300  # no file system takes more than 255 of them


@pytest.mark.parametrize(
    "words",
    [
        ("build", "BUNDLE", "--out", "."),
        ("build", "BUNDLE", "--out", ".."),
        ("build", "BUNDLE", "--out", "/"),
        ("build", "BUNDLE", "--out", LONG),
        ("build", LONG, "--out", "plan"),
        ("pack", "BUNDLE", "--out", "."),
        ("pack", "BUNDLE", "--out", "/"),
        ("pack", "BUNDLE", "--out", LONG),
        ("pack", LONG, "--out", "b.zip"),
        ("unpack", "b.zip", "--out", "."),
        ("keys", "new", ""),
        ("keys", "new", "."),
        ("keys", "new", "/"),
        ("keys", "new", LONG),
        ("keys", "sign", LONG, "--key", "k"),
        ("verify", LONG),
        ("verify", "PLAN", "--recipe", "."),
        ("verify", "PLAN", "--recipe", LONG),
        ("inspect", LONG, "pictures", "--product", "disc", "--out", "out"),
        ("calibrate", "PLAN", "data", "--out", "."),
        ("calibrate", "PLAN", "data", "--out", "PLAN/recipe.json"),
    ],
    ids=lambda words: " ".join(words).replace(LONG, "LONG"),
)
def test_a_slip_is_told_in_one_sentence(
    tiny: Bundle,
    plan: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    places = {"BUNDLE": str(tiny.folder), "PLAN": str(plan)}
    if words[0] == "unpack":
        places["b.zip"] = str(pack(tiny.folder, tmp_path / "b.zip"))
    parts = [places.get(word, word.replace("PLAN/", f"{plan}/")) for word in words]
    said = CliRunner().invoke(app, parts)
    assert said.exit_code == 2, said.output or said.exception
    assert said.stderr.startswith("Error: ")
    assert said.stderr.count("\n") == 1
    assert list(Path.cwd().iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [
        ("build", "b", "--out", "p"),
        ("inspect", "p", "f", "--product", "disc", "--out", "o"),
        ("calibrate", "p", "d", "--out", "r.json"),
        ("verify", "p"),
        ("bench", "p"),
    ],
    ids=lambda words: str(words[0]),
)
def test_more_threads_than_any_machine_has_are_wrong_use(words: tuple[str, ...]) -> None:
    said = CliRunner().invoke(app, [*words, "--threads", "2147483648"])
    assert said.exit_code == 2
    assert "1024" in said.stderr


def test_help_needs_none_of_the_heavy_libraries() -> None:
    heavy = "{'cv2', 'numpy', 'onnx', 'onnxruntime', 'openvino', 'rich.progress'}"
    check = f"import sys, engine.cli; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def _square(row: int, column: int, side: int) -> np.ndarray[tuple[int, int], np.dtype[np.int32]]:
    far = side - 1
    corners = [(0, 0), (far, 0), (far, far), (0, far)]
    return np.array([(column + x, row + y) for x, y in corners], np.int32)
