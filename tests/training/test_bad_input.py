"""What people really have in their folders, and disks that fill up."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow
from torch import optim
from typer.testing import CliRunner

from engine.bundle import read_bundle
from engine.types import InputError
from inspector.cli import app
from tests.training.micro import CONFIG, write_goods, write_weights
from tests.training.quick import quick_export
from tests.training.test_run import Line, spec, weights
from training.config import CONFIGS
from training.datasets.sample import Sample, load
from training.run import open_run

ODD_NAME = "Tür 3 – ключ"
ORIENTATION, TURNED_RIGHT = 0x0112, 6


@pytest.fixture(autouse=True)
def _micro(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CONFIGS, "micro", CONFIG)


def _call(*options: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(o) for o in options])
    return result.exit_code, result.stdout, " ".join(result.stderr.split())


def _train(data: Path, out: Path, trunk: Path) -> tuple[int, str, str]:
    return _call(
        "train", "--data", data, "--out", out, "--config", "micro", "--backbone-weights", trunk
    )


def _encoded(path: Path, picture: np.ndarray) -> None:
    path.write_bytes(cv2.imencode(path.suffix, picture)[1].tobytes())  # imwrite: ASCII paths only


def _turned(path: Path, picture: np.ndarray) -> None:
    """Held upright, and marked to be turned as cameras do."""
    exif = Pillow.Exif()
    exif[ORIENTATION] = TURNED_RIGHT
    Pillow.fromarray(np.rot90(picture)).save(path, exif=exif)


def _grey(path: Path, picture: np.ndarray) -> None:
    _encoded(path, picture[..., 0])


def _sixteen_bits(path: Path, picture: np.ndarray) -> None:
    _encoded(path, picture.astype(np.uint16) * 257)


def _with_alpha(path: Path, picture: np.ndarray) -> None:
    _encoded(path, np.dstack([picture, np.full(picture.shape[:2], 128, np.uint8)]))


def _large(path: Path, picture: np.ndarray) -> None:
    _encoded(path, cv2.resize(picture, (4096, 4096), interpolation=cv2.INTER_LINEAR))


Writer = Callable[[Path, np.ndarray], None]
WRITERS: tuple[Writer, ...] = (_encoded, _grey, _sixteen_bits, _with_alpha, _large, _turned)


def _ramp() -> np.ndarray:
    """Grey, and unlike itself turned or mirrored."""
    rows, columns = np.mgrid[0:64, 0:64]
    return np.repeat((2 * rows + columns).astype(np.uint8)[..., None], 3, 2)


@pytest.mark.parametrize("write", WRITERS)
def test_the_same_part_is_read_alike_from_whatever_file(tmp_path: Path, write: Writer) -> None:
    path = tmp_path / "part.png"
    write(path, _ramp())
    seen = load(Sample(path, "part", "train"), 64)
    np.testing.assert_allclose(seen.astype(int), _ramp(), atol=3)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle trained on every kind of file, of a product with spaces and other letters."""
    home = tmp_path_factory.mktemp("mixed")
    data = write_goods(home / "data", ODD_NAME)
    for i, write in enumerate(WRITERS):
        write(data / ODD_NAME / "train" / "good" / f"Bild {i}.png", _ramp())
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(CONFIGS, "micro", CONFIG)
        quick_export(patch, products=1)
        code, _, said = _train(data, home / "run", write_weights(home / "trunk.safetensors"))
    assert code == 0, said
    return home / "run" / "bundle"


def _measured(bundle: Path, data: Path) -> dict[str, float | None]:
    code, out, said = _call("evaluate", bundle, "--data", data, "--json")
    assert code == 0, said
    figures: dict[str, float | None] = json.loads(out)["products"][ODD_NAME]
    return figures


def test_mixed_pictures_of_a_product_with_any_name_train(mixed: Path, tmp_path: Path) -> None:
    bundle = read_bundle(mixed)
    assert bundle.manifest.products == (ODD_NAME,)
    assert bundle.prompts.words[ODD_NAME].normal[0] == f"a flawless {ODD_NAME}"
    figures = _measured(mixed, write_goods(tmp_path, ODD_NAME))
    assert set(figures.values()) == {None}  # without a defect there is nothing to tell apart


def test_defects_without_masks_are_measured_by_picture(mixed: Path, tmp_path: Path) -> None:
    data = write_goods(tmp_path, ODD_NAME, defects=3)
    for mask in (data / ODD_NAME / "ground_truth").rglob("*.png"):
        mask.unlink()
    known = {k for k, v in _measured(mixed, data).items() if v is not None}
    assert known == {"image_auroc", "image_ap", "image_f1_max"}


def test_one_picture_is_too_few(tmp_path: Path) -> None:
    data = write_goods(tmp_path / "data", "strip", count=1)
    trunk = write_weights(tmp_path / "trunk.safetensors")
    code, _, said = _train(data, tmp_path / "run", trunk)
    assert code == 2
    assert "strip has 1 good picture in" in said
    assert "at least 4 are needed" in said


@contextmanager
def _largest_file(size: int) -> Iterator[None]:
    """The system ends every write beyond so many bytes, as a full disk does."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.skipif(sys.platform == "win32", reason="needs the limit that POSIX has")
def test_a_disk_full_in_mid_checkpoint_keeps_the_one_before(tmp_path: Path) -> None:
    run, model = open_run(tmp_path / "run", spec()), Line()
    optimiser = optim.AdamW(model.parameters())
    run.save(model, optimiser, "line", 3)
    before = weights(model)
    model.layer.bias.data += 1
    with _largest_file(50), pytest.raises(InputError, match=r"checkpoint\.safetensors cannot be"):
        run.save(model, optimiser, "line", 4)
    assert not list((tmp_path / "run").glob("*.part"))

    kept = Line()
    fresh = optim.AdamW(kept.parameters())
    assert open_run(tmp_path / "run", spec()).restore(kept, fresh, "line") == 3
    np.testing.assert_array_equal(weights(kept), before)
