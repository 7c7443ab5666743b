"""The demo's path, on the tiny bundle; benchmarks/demo.py says what the shipped one is worth."""

import json
import signal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from calibration.recipe import read_recipe
from engine.build import build
from engine.bundle import read_bundle
from engine.plan import read_plan
from engine.runtimes.choice import backend
from engine.types import InputError
from inspector.cli import app
from inspector.db.history import History
from inspector.demo import assets
from tests.engine.tiny import make_tiny_bundle
from tests.inspector.station_parts import PRODUCTS, make_recipe, terminal


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tiny bundle in place of the shipped one, and a cache of this test's own."""
    bundle = make_tiny_bundle(tmp_path / "bundle", PRODUCTS)
    recipe = make_recipe(tmp_path / "recipe.json", read_bundle(bundle).sha256, limit=0.5)
    monkeypatch.setattr(assets, "BUNDLE", bundle)
    monkeypatch.setattr("inspector.demo.cli.RECIPE", recipe)
    monkeypatch.setattr("inspector.demo.cli.GRAB_DEADLINE_MS", 60_000.0)  # on any machine
    monkeypatch.setattr(assets, "user_cache_path", lambda name: tmp_path / "cache")
    return tmp_path / "cache"


def _demo(out: Path, *more: str) -> dict:
    call = ["demo", "--headless", "--json", "--parts", "16", "--seed", "3", "--out", str(out)]
    result = CliRunner().invoke(app, [*call, *more])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_the_numbers_are_those_of_the_database(tmp_path: Path, cache: Path) -> None:
    said = _demo(tmp_path / "out")
    assert said["parts"] == 16 == said["ok"] + said["ng"] + said["fault"]
    assert set(said["products"]) == set(PRODUCTS)
    assert said["latency_ms"]["p50"] <= said["latency_ms"]["p99"]
    assert {"grab", "pre", "infer", "post", "judge"} <= set(said["stages_ms"])
    assert (said["runtime"], said["precision"]) == ("openvino", "f32")
    assert Path(said["pictures"]) == tmp_path / "out" / "pictures"
    with History(Path(said["database"])) as history:
        rows = history.page(limit=100)
    assert len(rows) == 16
    defective = [row for row in rows if row.truth_defect != "good"]
    assert len(defective) == said["true_defective"]
    assert sum(row.verdict == "OK" for row in defective) == said["missed"]


def test_the_same_seed_gives_the_same_verdicts(tmp_path: Path, cache: Path) -> None:
    first, again = (_demo(tmp_path / name, "--runtime", "onnxruntime") for name in "ab")
    for key in ("ok", "ng", "fault", "missed", "false_rejects", "true_defective", "products"):
        assert first[key] == again[key]


def test_the_plan_is_built_once_and_again_when_it_is_damaged(tmp_path: Path, cache: Path) -> None:
    _demo(tmp_path / "out", "--runtime", "onnxruntime")
    (plan,) = (cache / "plans").iterdir()
    built = (plan / "plan.json").read_text()
    _demo(tmp_path / "out", "--runtime", "onnxruntime")
    assert (plan / "plan.json").read_text() == built
    (plan / "model.onnx").write_bytes(b"half")
    _demo(tmp_path / "out", "--runtime", "onnxruntime")
    assert (plan / "plan.json").read_text() != built


@pytest.mark.parametrize("lost", ["SHA256SUMS", "plan.json"])
def test_a_cached_plan_that_lost_a_file_is_built_again(cache: Path, lost: str) -> None:
    plan = assets.cached_plan("onnxruntime", "f32", print)
    (plan / lost).unlink()
    assert assets.cached_plan("onnxruntime", "f32", print) == plan
    assert read_plan(plan).manifest.runtime == "onnxruntime"
    assert list(plan.parent.iterdir()) == [plan]


def test_a_version_with_slashes_is_one_folder(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version = "2026.4.1-21 releases/2026/4"
    monkeypatch.setattr(backend("onnxruntime"), "version", lambda: version)
    plan = assets.cached_plan("onnxruntime", "f32", print)
    assert plan.parent == cache / "plans"
    assert plan.name.endswith("onnxruntime-2026.4.1-21_releases_2026_4-f32")


def test_of_two_demos_that_start_at_once_the_second_takes_the_first_ones_plan(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first: list[str] = []

    def build_slowly(bundle: Path, out: Path, **options: str) -> Path:
        """While this one builds, another demo begins and ends its own."""
        if not first:
            first.append("begun")
            first.append(read_plan(assets.cached_plan("onnxruntime", "f32", print)).sha256)
        return build(bundle, out, **options)

    monkeypatch.setattr(assets, "build", build_slowly)
    plan = assets.cached_plan("onnxruntime", "f32", print)
    assert read_plan(plan).sha256 == first[1]
    assert list(plan.parent.iterdir()) == [plan]


def test_a_cache_that_cannot_be_written_is_told(cache: Path) -> None:
    cache.write_text("a file where a folder should be")
    with pytest.raises(InputError, match="cannot be written"):
        assets.cached_plan("onnxruntime", "f32", print)


def test_an_interrupted_demo_reports_nothing_and_exits_130(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "inspector.demo.cli.ProgressScreen.write",
        lambda self, inspection: signal.raise_signal(signal.SIGINT) or inspection,
    )
    call = ["demo", "--headless", "--json", "--runtime", "onnxruntime", "--out", str(tmp_path)]
    with terminal():
        result = CliRunner().invoke(app, call)
    assert (result.exit_code, result.stdout) == (130, "")
    with History(tmp_path / "inspections.sqlite") as history:
        assert len(history.page(limit=100)) == 1


def test_spoilt_frames_show_as_faults(tmp_path: Path, cache: Path) -> None:
    said = _demo(tmp_path / "out", "--faults", "0.5", "--runtime", "onnxruntime")
    assert said["fault"] > 0
    assert said["parts"] == said["ok"] + said["ng"] + said["fault"]


def test_the_table_names_where_things_are(tmp_path: Path, cache: Path) -> None:
    call = ["demo", "--headless", "--parts", "4", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, call)
    assert result.exit_code == 0, result.output
    assert "inspections.sqlite" in result.stdout
    assert "false rejects" in result.stdout
    assert all(stage in result.stdout for stage in ("draw", "save", "commit"))


def test_the_shipped_bundle_and_its_recipe_belong_together() -> None:
    bundle, recipe = read_bundle(assets.BUNDLE), read_recipe(assets.RECIPE)
    assert recipe.bundle_sha256 == bundle.sha256
    assert set(recipe.products) == set(bundle.manifest.products) == set(PRODUCTS)
    assert sum(f.stat().st_size for f in assets.BUNDLE.iterdir()) <= 20e6
