"""The report of an evaluation: its numbers, its pictures, its limits."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from engine.bundle import read_bundle
from engine.types import InputError
from inspector.cli import app
from tests.training.micro import CONFIG, write_goods, write_weights
from training.config import CONFIGS
from training.datasets.sample import Sample
from training.evaluate import Evaluation, Judged
from training.metrics import measure
from training.results import gallery, page, plots
from training.results.limits import read_limits
from training.run import open_run
from training.spec import make_spec
from training.train import train


def _judged(label: str, score: float, product: str = "a") -> Judged:
    return Judged(Sample(Path(f"{label}-{score}.png"), product, "test", label), score, 1.0)


JUDGED = [_judged("good", s) for s in (0.1, 0.9, 0.4)] + [_judged("rust", s) for s in (0.2, 3.0)]


def test_the_worst_pictures_come_first() -> None:
    groups = {title: [j.score for j in some] for title, some in gallery.groups(JUDGED).items()}
    assert groups == {
        "Defective, lowest scores": [0.2, 3.0],
        "Good, highest scores": [0.9, 0.4, 0.1],
        "Defective, highest scores": [3.0, 0.2],
    }
    assert list(gallery.groups(JUDGED[:3])) == ["Good, highest scores"]


def test_pooled_is_one_ranking_of_all_products() -> None:
    """Each product is told apart alone; its scores are worthless on the other's scale."""
    judged = {
        "a": [_judged("good", 1.0), _judged("rust", 2.0)],
        "b": [_judged("good", 11.0, "b"), _judged("rust", 12.0, "b")],
    }
    each = {p: measure([j.score for j in some], [False, True]) for p, some in judged.items()}
    result = Evaluation(each, judged)
    assert result.mean.image_auroc == 1.0
    assert result.pooled.image_auroc == 0.75


def test_a_product_of_goods_alone_has_a_histogram_and_no_curve() -> None:
    goods = JUDGED[:3]
    metrics = measure([j.score for j in goods], [False] * 3)
    assert plots.curves(Evaluation({"a": metrics}, {"a": goods})).startswith(b"\x89PNG")
    assert plots.histogram(goods, 0.5) != plots.histogram(goods, None)


@pytest.mark.parametrize(("limit", "drawn"), [(1.5, 1.5), (0.0, 1.0), (-2.0, 1.0), (None, 1.0)])
def test_heat_has_a_scale_whatever_the_limit(limit: float | None, drawn: float) -> None:
    assert page._heat(limit) == drawn


def test_limits_are_read_from_a_recipe_of_this_bundle(tmp_path: Path) -> None:
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps({"bundle_sha256": "ab", "products": {"a": {"score": 1.5}}}), "utf-8")
    assert read_limits(path, "ab") == {"a": 1.5}
    with pytest.raises(InputError, match="made for another bundle"):
        read_limits(path, "cd")
    path.write_text("{}", "utf-8")
    with pytest.raises(InputError, match="is no recipe"):
        read_limits(path, "ab")
    with pytest.raises(InputError, match="no recipe at"):
        read_limits(tmp_path / "none.json", "ab")


def test_a_report_holds_all_that_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CONFIGS, "micro", CONFIG)
    data = write_goods(tmp_path / "data", "Schraube & Mutter", defects=3)
    weights = write_weights(tmp_path / "trunk.safetensors")
    spec = make_spec("train", data, [], "micro", backbone_weights=weights)
    bundle = train(open_run(tmp_path / "run", spec), lambda *_: None)
    sha256 = read_bundle(bundle).sha256
    limits = {"bundle_sha256": sha256, "products": {"Schraube & Mutter": {"score": 0.25}}}
    (tmp_path / "recipe.json").write_text(json.dumps(limits), "utf-8")

    options = ["--data", data, "--out", tmp_path / "out", "--recipe", tmp_path / "recipe.json"]
    result = CliRunner().invoke(app, ["evaluate", str(bundle), *map(str, options)])
    assert result.exit_code == 0, result.output

    html = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "Schraube &amp; Mutter" in html
    assert "Schraube & Mutter" not in html
    assert "recipe&#39;s limit of 0.25" in html
    assert sha256 in html
    assert html.count("<figure>") == 4 + 3 + 3
    assert "http" not in html.replace("data:image", "")  # nothing is fetched from anywhere
    with (tmp_path / "out" / "pictures.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    said = json.loads((tmp_path / "out" / "metrics.json").read_text("utf-8"))
    labels = [row["label"] != "good" for row in rows]
    again = measure([float(r["score"]) for r in rows], labels)
    assert said["mean"]["image_auroc"] == pytest.approx(again.image_auroc)
    assert np.isfinite([float(row["ms"]) for row in rows]).all()
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "metrics.csv",
        "metrics.json",
        "pictures.csv",
        "report.html",
    ]
