"""The report of an evaluation: its numbers, its pictures, its limits."""

import csv
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np
import pytest
from typer.testing import CliRunner

from engine.bundle import read_bundle
from engine.detector import Detector
from engine.manifest import Size
from engine.pictures import read_picture
from engine.runtimes.base import Answers, Codes, Images
from engine.runtimes.fake import FakeRuntime, fake_plan
from engine.types import InputError
from inspector.cli import app
from tests.training.micro import CONFIG, write_goods, write_weights
from tests.training.quick import quick_export
from training.config import CONFIGS
from training.datasets.dataset import read_dataset
from training.datasets.sample import Sample, load_mask
from training.evaluate import Evaluation, Judged, evaluate, latency
from training.metrics import measure
from training.pixels import Pixels
from training.results import gallery, page, plots
from training.results.limits import read_limits
from training.run import open_run
from training.setting import Setting, cpu_model, setting
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
        "Good, lowest scores": [0.1, 0.4, 0.9],
    }
    assert list(gallery.groups(JUDGED[:3])) == ["Good, highest scores", "Good, lowest scores"]


def test_a_few_of_the_best_are_enough() -> None:
    many = [_judged(label, s / 10) for label in ("good", "rust") for s in range(9)]
    groups = {title: [j.score for j in some] for title, some in gallery.groups(many).items()}
    assert groups["Good, lowest scores"] == [0.0, 0.1, 0.2]
    assert groups["Defective, highest scores"] == [0.8, 0.7, 0.6]
    assert groups["Good, highest scores"] == [0.8, 0.7, 0.6, 0.5]


class _Loud:
    """A fake runtime that speaks louder of every further product, so that scales differ."""

    def __init__(self) -> None:
        self.quiet = FakeRuntime(Size(height=32, width=32))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def infer(self, image: Images, product: Codes) -> Answers:
        maps, scores = self.quiet.infer(image, product)
        loud = np.float32(10.0 ** product[0])
        return maps * loud, scores * loud


def _evaluated(data: Path, *wanted: str) -> Evaluation:
    with Detector(_Loud(), fake_plan(("a", "bb", "ccc"))) as detector:
        return evaluate(detector, read_dataset(data), wanted, lambda *_: None)


@pytest.fixture
def three(tmp_path: Path) -> Path:
    """Two products with masks and one without."""
    for product in ("a", "bb", "ccc"):
        write_goods(tmp_path, product, defects=2)
    shutil.rmtree(tmp_path / "ccc" / "ground_truth")
    return tmp_path


def test_pooled_is_one_ranking_of_all_products(three: Path) -> None:
    """Each product is told apart alone; its scores are worthless on the other's scale."""
    result = _evaluated(three)
    assert result.mean.image_auroc == 1.0
    every = [j for some in result.judged.values() for j in some]
    again = measure([j.score for j in every], [j.sample.is_defective for j in every])
    assert result.pooled.image_auroc == again.image_auroc
    assert result.pooled.image_auroc < 1


def test_pooled_pixels_are_those_of_products_with_masks(three: Path) -> None:
    result = _evaluated(three)
    assert result.products["ccc"].pixel_ap is None
    masked = [s for name in ("a", "bb") for s in read_dataset(three).test(name)]
    with Detector(_Loud(), fake_plan(("a", "bb"))) as detector, Pixels() as pixels:
        for sample in masked:
            found = detector.detect(read_picture(sample.path), sample.product).map
            pixels.add(found, load_mask(sample, 64))
        by_hand = measure([], [], pixels)
    for name in ("pixel_auroc", "pixel_ap", "pixel_f1_max", "aupro"):
        assert getattr(result.pooled, name) == pytest.approx(getattr(by_hand, name)), name
    assert result.pooled.pixel_ap < result.mean.pixel_ap


def test_of_one_product_the_pooled_figures_are_its_own(three: Path) -> None:
    result = _evaluated(three, "bb")
    assert result.pooled == result.products["bb"] == result.mean
    assert _evaluated(three, "ccc").pooled.pixel_ap is None


def test_latency_is_median_and_95th_percentile() -> None:
    some = [replace(_judged("good", 1.0), ms=float(ms)) for ms in range(1, 102)]
    assert latency(some) == {"p50_ms": 51.0, "p95_ms": 96.0}


def test_a_setting_says_what_judged_and_where() -> None:
    plan = fake_plan(("a",), size=96)
    with Detector(FakeRuntime(plan.map), plan, "ab") as detector:
        said = setting(detector)
    assert said == Setting(
        cpu=cpu_model(),
        cores=said.cores,
        threads=said.cores,
        threads_fixed=False,
        runtime="fake",
        runtime_version="1",
        precision="f32",
        plan_sha256="ab",
        input_height_px=96,
        input_width_px=96,
        steps=0,
    )
    fixed = plan.model_copy(update={"threads": 3})
    with Detector(FakeRuntime(plan.map), fixed) as detector:
        assert (setting(detector).threads, setting(detector).threads_fixed) == (3, True)
        assert "3 threads on" in page._made_by(setting(detector))
    assert "as the runtime chooses" in page._made_by(said)


def test_the_cpu_has_a_name_on_every_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, silent = tmp_path / "told", tmp_path / "silent"
    told.write_text("processor\t: 0\nmodel name\t: Core 2: Quad\nmodel name\t: other\n")
    silent.write_text("processor\t: 0\nmodel name\t:\n")
    monkeypatch.setattr("platform.processor", lambda: "Intel64 Family 6")
    assert cpu_model(told) == "Core 2: Quad"
    assert cpu_model(silent) == cpu_model(tmp_path / "none") == "Intel64 Family 6"
    monkeypatch.setattr("platform.processor", lambda: "")
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    assert cpu_model(tmp_path / "none") == "riscv64"
    monkeypatch.setattr("platform.machine", lambda: "")
    assert cpu_model(tmp_path / "none") == "unknown"


def test_a_product_of_goods_alone_has_a_histogram_and_no_curve() -> None:
    goods = JUDGED[:3]
    metrics = measure([j.score for j in goods], [False] * 3)
    result = Evaluation({"a": metrics}, {"a": goods}, metrics)
    assert plots.curves(result).startswith(b"\x89PNG")
    odd = [f"{mark}{i}" for mark in ("_", "$", "歯車") for i in range(9)]
    many = Evaluation(dict.fromkeys(odd, metrics), dict.fromkeys(odd, JUDGED), metrics)
    assert plots.curves(many).startswith(b"\x89PNG")  # a warning would be an error here
    assert len(set(plots.colours(many).values())) == 20
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
    quick_export(monkeypatch, products=1)
    data = write_goods(tmp_path / "data", "Schraube & Mutter", defects=3)
    weights = write_weights(tmp_path / "trunk.safetensors")
    spec = make_spec("train", data, [], "micro", backbone_weights=weights)
    bundle = train(open_run(tmp_path / "run", spec), lambda *_: None)
    sha256 = read_bundle(bundle).sha256
    limits = {"bundle_sha256": sha256, "products": {"Schraube & Mutter": {"score": 0.25}}}
    (tmp_path / "recipe.json").write_text(json.dumps(limits), "utf-8")

    call = ["evaluate", str(bundle), "--data", str(data), "--out", str(tmp_path / "recipe.json")]
    result = CliRunner().invoke(app, call)
    assert (result.exit_code, "measuring" in result.output) == (2, False)  # told before
    assert "Nothing can be written to" in " ".join(result.output.split())

    options = ["--data", data, "--out", tmp_path / "out", "--recipe", tmp_path / "recipe.json"]
    result = CliRunner().invoke(app, ["evaluate", str(bundle), *map(str, options)])
    assert result.exit_code == 0, result.output

    html = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "Schraube &amp; Mutter" in html
    assert "Schraube & Mutter" not in html
    assert "recipe&#39;s limit of 0.25" in html
    assert sha256 in html
    assert re.search(r"Image AUROC [\d.]+.* by \d+ good and \d+ defective", html)
    assert html.count("<figure>") == 4 + 3 + 3 + 3
    assert "http" not in html.replace("data:image", "")  # nothing is fetched from anywhere
    with (tmp_path / "out" / "pictures.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    said = json.loads((tmp_path / "out" / "metrics.json").read_text("utf-8"))
    labels = [row["label"] != "good" for row in rows]
    again = measure([float(r["score"]) for r in rows], labels)
    assert said["mean"]["image_auroc"] == pytest.approx(again.image_auroc)
    ms = [float(row["ms"]) for row in rows]
    assert said["latency"]["pictures"] == len(ms)
    for told in (said["latency"], said["latency"]["products"]["Schraube & Mutter"]):
        assert told["p50_ms"] == pytest.approx(np.percentile(ms, 50), abs=0.02)
        assert told["p95_ms"] == pytest.approx(np.percentile(ms, 95), abs=0.02)
        assert f"p50 {told['p50_ms']:.1f} ms, p95 {told['p95_ms']:.1f} ms" in html
    made = said["setting"]
    assert made["steps"] == said["steps"]
    assert made["cpu"] in html
    assert f"{made['runtime']} {made['runtime_version']} in f32" in html
    assert "64 × 64 px" in html
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "metrics.csv",
        "metrics.json",
        "pictures.csv",
        "report.html",
    ]


def test_an_error_is_told_where_there_is_one() -> None:
    some = [_judged(label, 0.5) for label in ("good", "good", "dent")]
    assert page._ranked(some, 0.75).startswith("Image AUROC 75.0 ± ")
    assert page._ranked(some, 1.0) == "Image AUROC 100.0 by 2 good and 1 defective parts."
    assert "nothing says" in page._ranked(some[:2], None)
