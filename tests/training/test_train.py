"""From folders of good parts to a bundle that the engine runs, small but whole."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from typer.testing import CliRunner

from engine.bundle import read_bundle
from engine.files import sha256_of
from engine.pictures import read_picture
from engine.types import InputError
from inspector.cli import app
from tests.training.micro import CONFIG, write_goods, write_weights
from tests.training.quick import quick_export
from training.config import CONFIGS
from training.evaluate import planned
from training.prompts import ClipEncoder, HashEncoder, build_table
from training.run import load_tensors, open_run
from training.spec import make_spec
from training.train import train


@pytest.fixture(autouse=True)
def _micro(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(CONFIGS, "micro", CONFIG)
    monkeypatch.setattr("training.kept_words.KEPT_WORDS", tmp_path / "kept words")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_goods(folder, "strip", defects=4)
    return write_goods(folder, "gear_wheel")


@pytest.fixture
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    quick_export(monkeypatch)


def _train(data: Path, out: Path, weights: Path, *more: str) -> tuple[int, str]:
    options = ["--data", data, "--out", out, "--config", "micro", "--backbone-weights", weights]
    result = CliRunner().invoke(app, ["train", *map(str, options), *more])
    return result.exit_code, result.output


def test_train_and_evaluate(data: Path, tmp_path: Path) -> None:
    weights = write_weights(tmp_path / "trunk.safetensors")
    code, said = _train(data, tmp_path / "run", weights)
    assert code == 0, said
    bundle = read_bundle(tmp_path / "run" / "bundle")
    assert bundle.manifest.products == ("gear_wheel", "strip")
    assert bundle.manifest.text.encoder == "deterministic-hash-v1"
    assert bundle.manifest.backbone.weights == "trunk.safetensors"
    assert bundle.manifest.training.pictures == 16
    assert bundle.prompts.words["gear_wheel"].normal[0] == "a flawless gear wheel"
    assert bundle.golden is not None
    assert bundle.golden.product.tolist() == [0, 0, 1, 1]

    call = ["evaluate", str(bundle.folder), "--data", str(data), "--products", "strip", "--json"]
    result = CliRunner().invoke(app, call)
    assert result.exit_code == 0, result.output
    measured = json.loads(result.stdout)
    assert measured["pictures"] == {"strip": 12}
    assert 0 <= measured["products"]["strip"]["pixel_ap"] <= 1
    assert measured["mean"]["image_auroc"] == measured["products"]["strip"]["image_auroc"]

    # Every good part was ranked, the strangest first; the data set can be asked for them.
    with (tmp_path / "run" / "goods.csv").open(encoding="utf-8", newline="") as file:
        ranked = [(float(row["score"]), Path(row["path"])) for row in csv.DictReader(file)]
    assert sorted(path for _, path in ranked) == sorted(data.glob("*/train/good/*.png"))
    assert [s for s, _ in ranked] == sorted((s for s, _ in ranked), reverse=True)
    known = {good.sha256: good.score for good in bundle.goods}
    assert known == {sha256_of(path): pytest.approx(score, abs=1e-4) for score, path in ranked}
    with planned(bundle.folder, None) as detector:
        own = [detector.detect(read_picture(p), p.parts[-4]).score for _, p in ranked]
    assert np.mean(own) < np.mean([score for score, _ in ranked])  # each finds itself in the bank
    call = ["dataset", "validate", str(data), "--run", str(tmp_path / "run"), "--json"]
    findings = json.loads(CliRunner().invoke(app, call).stdout)["findings"]
    told = [p for f in findings if "look like none" in f["words"] for p in f["paths"]]
    assert len(told) == sum(score > 2 for score, _ in ranked)


@pytest.mark.slow
def test_another_input_size_is_trained_and_measured(data: Path, tmp_path: Path) -> None:
    weights = write_weights(tmp_path / "trunk.safetensors")
    code, said = _train(data, tmp_path / "run", weights, "--input-px", "96", "--products", "strip")
    assert code == 0, said
    manifest = read_bundle(tmp_path / "run" / "bundle").manifest
    assert (manifest.input.height, manifest.map.height) == (96, 24)
    call = ["evaluate", str(tmp_path / "run" / "bundle"), "--data", str(data), "--json"]
    result = CliRunner().invoke(app, call)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["products"]["strip"]["pixel_auroc"] > 0.6


@pytest.mark.usefixtures("_quickly")
def test_without_a_cache_features_are_made_anew_and_none_are_kept(
    data: Path, tmp_path: Path
) -> None:
    weights, run = write_weights(tmp_path / "trunk.safetensors"), tmp_path / "run"
    code, said = _train(data, run, weights, "--no-cache", "--products", "strip")
    assert code == 0, said
    assert read_bundle(run / "bundle").manifest.products == ("strip",)
    assert not (run / "cache").exists()

    # A finished run called again has nothing to train.
    before = (run / "model.safetensors").read_bytes()
    code, said = _train(data, run, weights, "--no-cache", "--products", "strip")
    assert code == 0, said
    assert (run / "model.safetensors").read_bytes() == before


@pytest.mark.slow
def test_a_finished_run_called_again_needs_no_cache_and_writes_the_same_graphs(
    data: Path, tmp_path: Path
) -> None:
    weights, run = write_weights(tmp_path / "trunk.safetensors"), tmp_path / "run"
    code, said = _train(data, run, weights, "--products", "strip")
    assert code == 0, said
    shutil.rmtree(run / "cache")
    before = (run / "bundle" / "trunk.onnx").read_bytes()
    code, said = _train(data, run, weights, "--products", "strip")
    assert code == 0, said
    assert (run / "bundle" / "trunk.onnx").read_bytes() == before


def test_settings_that_do_not_go_together_are_told(data: Path, tmp_path: Path) -> None:
    weights, more = write_weights(tmp_path / "trunk.safetensors"), ["--input-px", "96"]
    base = ["--data", data, "--out", tmp_path / "run", "--backbone-weights", weights]
    result = CliRunner().invoke(app, ["train", *map(str, base), *more])
    assert result.exit_code == 2
    said = " ".join(result.output.split())
    assert "There is no such model: where a picture is rebuilt, a neighbour_window of 7" in said
    assert "needs an input_px of 128." in said
    smaller = make_spec("train", data, [], "promptmad-bank-small", input_px=64)
    assert smaller.config.model.input_px == 64  # it rebuilds nothing


@pytest.mark.parametrize("side", ["100", "32"])
def test_an_input_size_that_no_model_has_is_refused(data: Path, tmp_path: Path, side: str) -> None:
    weights = write_weights(tmp_path / "trunk.safetensors")
    code, said = _train(data, tmp_path / "run", weights, "--input-px", side)
    assert code == 2
    assert f"No model has model.input_px {side}: Input should be" in " ".join(said.split())
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("_quickly")
def test_pretrain_makes_weights_that_train_takes(data: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("training.pretrain.STEPS", 3)
    call = ["pretrain", "--data", data, "--out", tmp_path / "pre", "--config", "micro"]
    result = CliRunner().invoke(app, [str(c) for c in call])
    assert result.exit_code == 0, result.output
    (tmp_path / "words.yaml").write_text("defects: {strip: [rust], stripe: [dirt]}", "utf-8")
    more = ["--words", str(tmp_path / "words.yaml"), "--textures", str(data / "strip" / "test")]
    code, said = _train(data, tmp_path / "run", tmp_path / "pre" / "backbone.safetensors", *more)
    assert code == 0, said
    assert "words.yaml speaks of stripe, and no such product is trained." in " ".join(said.split())
    said_of_strip = read_bundle(tmp_path / "run" / "bundle").prompts.words["strip"].abnormal
    assert said_of_strip[-1] == "a strip with rust"
    told = read_bundle(tmp_path / "run" / "bundle").manifest.backbone
    assert told.weights == "trained by this project on good parts"
    assert told.licence == "Apache-2.0"


def test_wrong_use_is_one_sentence_and_leaves_nothing(data: Path, tmp_path: Path) -> None:
    weights = write_weights(tmp_path / "trunk.safetensors")
    for more, sentence in [
        (["--products", "bolt"], "Unknown product 'bolt': this model knows gear_wheel, strip."),
        (["--config", "huge"], "There is no configuration 'huge'"),
        (["--backbone", "resnet_18"], "timm has no model 'resnet_18': see resnet18"),
        (["--words", "none.yaml"], "There is no file at none.yaml"),
    ]:
        code, said = _train(data, tmp_path / "run", weights, *more)
        assert code == 2
        assert sentence in " ".join(said.split())
        assert not (tmp_path / "run").exists()
    for option in (["--minutes", "0"], ["--seed", "-1"]):
        assert _train(data, tmp_path / "run", weights, *option)[0] == 2


def test_too_few_goods_are_refused(tmp_path: Path) -> None:
    data = write_goods(tmp_path / "data", "strip", count=2)
    code, said = _train(data, tmp_path / "run", write_weights(tmp_path / "w.safetensors"))
    assert code == 2
    assert "strip has 2 good pictures" in " ".join(said.split())


def test_hashed_words_are_stable_and_tell_states_apart() -> None:
    table = build_table(("screw", "magnetic_tile"), HashEncoder(64))
    again = build_table(("screw", "magnetic_tile"), HashEncoder(64))
    np.testing.assert_array_equal(table.embeddings, again.embeddings)
    np.testing.assert_allclose(np.linalg.norm(table.embeddings, axis=2), 1, rtol=1e-5)
    flat = table.embeddings.reshape(4, 64)
    assert (np.abs(flat @ flat.T - np.eye(4))).max() < 0.999
    assert "knows no meaning" in table.note


def test_clip_weights_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.pt"):
        ClipEncoder("ViT-B-16", tmp_path / "none.pt")
    (tmp_path / "notes.pt").write_text("not a checkpoint")
    with pytest.raises(InputError, match=r"notes\.pt"):
        ClipEncoder("ViT-B-16", tmp_path / "notes.pt")
    with pytest.raises(InputError, match="open_clip has no model 'ViT-9000'"):
        ClipEncoder("ViT-9000", None)


@pytest.mark.usefixtures("_quickly")
def test_a_clip_text_tower_from_a_file_makes_the_table(data: Path, tmp_path: Path) -> None:
    """A real open_clip model, its weights made here: the loading code is the real one."""
    path = tmp_path / "clip.pt"
    torch.save(open_clip.create_model("ViT-S-32-alt").state_dict(), path)
    code, said = _train(
        data,
        tmp_path / "run",
        write_weights(tmp_path / "trunk.safetensors"),
        *("--clip-model", "ViT-S-32-alt", "--clip-weights", str(path)),
    )
    assert code == 0, said
    bundle = read_bundle(tmp_path / "run" / "bundle")
    assert bundle.manifest.text.encoder == "open_clip:ViT-S-32-alt"
    assert bundle.manifest.text.dim == 256 == bundle.prompts.embeddings.shape[2]


def test_evaluation_needs_no_torch() -> None:
    asked = "import sys, training.evaluate; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", asked], check=False).returncode == 0


@pytest.mark.parametrize("stage", ["caching", "segmentor", "refiner"])
def test_a_run_killed_in_any_stage_ends_as_one_that_was_not(
    data: Path, tmp_path: Path, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.train.export_bundle", lambda *_: None)  # compared are the weights
    weights = write_weights(tmp_path / "trunk.safetensors")
    spec = make_spec("train", data, ["strip"], "micro", backbone_weights=weights)
    train(open_run(tmp_path / "whole", spec), lambda *_: None)

    def kill(what: str, share: float, note: str) -> None:
        if stage in what and share > 0.4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(open_run(tmp_path / "cut", spec), kill)
    train(open_run(tmp_path / "cut", spec), lambda *_: None)
    whole, cut = (
        load_tensors(tmp_path / n / "checkpoint.safetensors")[0] for n in ("whole", "cut")
    )
    for name, tensor in whole.items():
        torch.testing.assert_close(cut[name], tensor, atol=1e-4, rtol=1e-3, msg=name)
