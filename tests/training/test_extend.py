"""A product added later: it is judged, and the others are judged as before."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from engine.bundle import read_bundle
from engine.pictures import read_picture
from inspector.cli import app
from tests.engine.tiny import tiny_graphs
from tests.training.micro import CONFIG, write_goods, write_weights
from tests.training.quick import quick_export
from training.config import CONFIGS
from training.evaluate import planned
from training.run import load_tensors, save_tensors

GEAR, STRIP = "gear wheel", "strip"
TWO_BANKS = {"neighbourhood": 1, "memory_tokens": 40, "memory_dim": 24, "outline_channels": 8}
BASE = CONFIG.model_copy(update={"model": CONFIG.model.model_copy(update=TWO_BANKS)})


@pytest.fixture(autouse=True)
def _micro(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CONFIGS, "micro", BASE)


def _call(*options: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["train", *map(str, options)])
    return result.exit_code, " ".join(result.output.split())


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of one product, its bundle without an export."""
    with pytest.MonkeyPatch.context() as patch:
        quick_export(patch, products=1)
        return _trained(tmp_path_factory.mktemp("base"), patch)


@pytest.fixture(scope="module")
def whole_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        return _trained(tmp_path_factory.mktemp("whole base"), patch)


def _trained(home: Path, patch: pytest.MonkeyPatch) -> Path:
    data, weights = write_goods(home / "data", STRIP), write_weights(home / "trunk.safetensors")
    patch.setitem(CONFIGS, "micro", BASE)
    options = ("--config", "micro", "--backbone-weights", weights)
    code, said = _call("--data", data, "--out", home / "run", *options)
    assert code == 0, said
    weights.unlink()  # a finished model holds its trunk
    return home / "run"


def _scores(bundle: Path, product: str, folder: Path) -> np.ndarray:
    with planned(bundle, None) as detector:
        pictures = [read_picture(path) for path in sorted(folder.glob("*.png"))]
        return np.array([detector.detect(picture, product).score for picture in pictures])


def test_a_finished_run_can_be_a_base(base: Path) -> None:
    assert read_bundle(base / "bundle").manifest.products == (STRIP,)
    assert (base / "model.safetensors").is_file()


@pytest.mark.slow
def test_the_others_are_judged_as_before(
    whole_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = write_goods(tmp_path / "new", GEAR, count=12)
    (tmp_path / "words.yaml").write_text("defects: {gear wheel: [rust]}", "utf-8")
    adding = ("--add-product", GEAR, "--base", whole_base, "--words", tmp_path / "words.yaml")
    code, said = _call("--data", data, "--out", tmp_path / "run", *adding)
    assert code == 0, said

    bundle = read_bundle(tmp_path / "run" / "bundle")
    assert bundle.manifest.products == (STRIP, GEAR)
    assert bundle.manifest.training.pictures == 8 + 12
    assert bundle.goods[:8] == read_bundle(whole_base / "bundle").goods
    assert [good.product for good in bundle.goods[8:]] == [GEAR] * 12
    assert all(good.score for good in bundle.goods[8:])
    assert bundle.manifest.backbone == read_bundle(whole_base / "bundle").manifest.backbone
    assert "a gear wheel with rust" in bundle.prompts.words[GEAR].abnormal

    pictures = whole_base.parent / "data" / STRIP / "test" / "good"
    before, after = (_scores(b, STRIP, pictures) for b in (whole_base / "bundle", bundle.folder))
    np.testing.assert_allclose(after, before, atol=1e-4)
    old, grown = (read_bundle(b).golden for b in (whole_base / "bundle", bundle.folder))
    assert old is not None
    assert grown is not None
    assert grown.product.tolist() == [*old.product, 1, 1]
    np.testing.assert_allclose(grown.score[: len(old)], old.score, atol=1e-4)
    # Its own bank and scales: goods it has not seen score about 1 at most, on its own scale only.
    goods = _scores(bundle.folder, GEAR, data / GEAR / "test" / "good")
    assert goods.max() < 2
    assert abs(goods - _scores(bundle.folder, STRIP, data / GEAR / "test" / "good")).max() > 0.1

    # And one more on top of that: what is anybody's stays to the bit, the others keep their rows.
    monkeypatch.setattr("training.export.export_graphs", lambda model: tiny_graphs(3))
    more = write_goods(tmp_path / "third", "cup")
    again = ("--data", more, "--out", tmp_path / "third run", "--add-product", "cup")
    assert _call(*again, "--base", tmp_path / "run")[0] == 0
    third = tmp_path / "third run"
    assert read_bundle(third / "bundle").manifest.products == (STRIP, GEAR, "cup")
    old, new = (load_tensors(r / "model.safetensors")[0] for r in (tmp_path / "run", third))
    grown = [name for name in new if (*old[name].shape[:1], *new[name].shape[:1]) == (2, 3)]
    assert {name.split(".")[0] for name in grown} == {"prompt", "memory", "words", "fusion"}
    for name, tensor in new.items():
        torch.testing.assert_close(
            tensor[:2] if name in grown else tensor, old[name], atol=0, rtol=0
        )


def test_what_was_added_is_not_written_over(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.extend.export_bundle", lambda *_: tmp_path)
    data = write_goods(write_goods(tmp_path / "new", GEAR), "cup")
    one, other = (("--add-product", name, "--base", base, "--data", data) for name in (GEAR, "cup"))
    assert _call(*one, "--out", tmp_path / "run")[0] == 0
    before = (tmp_path / "run" / "model.safetensors").read_bytes()
    code, said = _call(*other, "--out", tmp_path / "run")
    assert (code, "holds a run with another data_sha256, products" in said) == (2, True)
    code, said = _call(*other, "--out", base)
    assert (code, "holds a run with another base" in said) == (2, True)
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == before
    assert _call(*one, "--out", tmp_path / "run")[0] == 0


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--add-product", GEAR), "go together"),
        (("--add-product", STRIP, "--base", "{base}"), "knows 'strip' already"),
        (("--add-product", GEAR, "--base", "{base}/bundle"), "holds no run of 'inspector train'"),
        (("--add-product", "none", "--base", "{base}"), "none"),
        (
            ("--add-product", GEAR, "--base", "{base}", "--seed", 0, "--config", "micro"),
            "has settled --config, --seed: leave it out",
        ),
    ],
)
def test_wrong_use_is_one_sentence_and_leaves_nothing(
    base: Path, tmp_path: Path, options: tuple[object, ...], sentence: str
) -> None:
    data = write_goods(tmp_path / "new", GEAR)
    given = [str(o).format(base=base) for o in options]
    code, said = _call("--data", data, "--out", tmp_path / "run", *given)
    assert code == 2
    assert sentence in said
    assert not (tmp_path / "run").exists()


def test_a_model_of_another_version_is_no_base(base: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(base, other)
    tensors, said = load_tensors(other / "model.safetensors")
    tensors["outline.look.1.weight"] = tensors.pop("outline.narrow.weight")
    save_tensors(tensors, other / "model.safetensors", said)
    data = write_goods(tmp_path / "new", GEAR)
    adding = ("--add-product", GEAR, "--base", other)
    code, said = _call("--data", data, "--out", tmp_path / "run", *adding)
    assert code == 2
    assert "another version of this program: of its parts outline.look.1.weight and 1 more" in said


def test_an_unfinished_run_is_no_base(base: Path, tmp_path: Path) -> None:
    copy = tmp_path / "begun"
    copy.mkdir()
    (copy / "run.json").write_bytes((base / "run.json").read_bytes())
    assert json.loads((copy / "run.json").read_text("utf-8"))["kind"] == "train"
    data = write_goods(tmp_path / "new", GEAR)
    adding = ("--add-product", GEAR, "--base", copy)
    code, said = _call("--data", data, "--out", tmp_path / "run", *adding)
    assert code == 2
    assert "let its 'inspector train' end first" in said
