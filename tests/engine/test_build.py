"""A plan is kept only if it answers as its bundle does."""

from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from engine.build import build
from engine.bundle import Bundle, read_bundle
from engine.fuse import unroll
from engine.known import KnownGood, read_known
from engine.manifest import Size
from engine.parity import cloud_pictures
from engine.plan import read_plan
from engine.runtimes import openvino
from engine.sealed import SUMS
from engine.types import BundleError, InputError
from tests.engine.tiny import make_tiny_bundle, tiny_golden

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def test_a_plan_says_where_it_comes_from(tiny: Bundle, tmp_path: Path) -> None:
    folder = build(tiny.folder, tmp_path / "plan", steps=4, threads=1, now=lambda: NOON)
    plan = read_plan(folder)
    assert folder == tmp_path / "plan"
    assert plan.manifest.bundle_sha256 == tiny.sha256
    assert plan.manifest.products == ("disc", "label")
    assert (plan.manifest.steps, plan.manifest.threads) == (4, 1)
    assert (plan.manifest.runtime, plan.manifest.precision) == ("openvino", "f32")
    assert plan.manifest.created == NOON
    assert plan.manifest.project_version == version("promptmad-inspector")
    assert plan.manifest.parity < 1e-4


def test_the_bundle_says_how_many_steps_by_default(tiny: Bundle, tmp_path: Path) -> None:
    plan = read_plan(build(tiny.folder, tmp_path / "plan", runtime="onnxruntime"))
    assert plan.manifest.steps == tiny.manifest.refinement.default_steps
    assert sorted(path.name for path in plan.folder.iterdir()) == [
        SUMS,
        f"bundle-{SUMS}",
        "golden.npz",
        "known_goods.csv",
        "model.onnx",
        "plan.json",
    ]


def test_scores_of_known_goods_hold_for_the_steps_they_were_made_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = [KnownGood("disc", "a" * 64, 0.25), KnownGood("label, large", "b" * 64, None)]
    golden = tiny_golden(read_bundle(make_tiny_bundle(tmp_path / "bare")))
    bundle = make_tiny_bundle(tmp_path / "bundle", goods=known, golden=golden)
    assert read_bundle(bundle).goods == known
    same, other = (build(bundle, tmp_path / f"{steps}", steps=steps) for steps in (None, 2))
    assert read_known(same) == known
    assert read_known(other) == [replace(good, score=None) for good in known]
    monkeypatch.setitem(openvino.HINTS, "bf16", "f32")  # not every CPU has sixteen bits
    rough = build(bundle, tmp_path / "bf16", precision="bf16")
    assert read_known(rough) == read_known(other)


def test_a_plan_that_answers_otherwise_is_not_kept(
    tiny: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.build.unroll", _with_a_nudged_weight)
    with pytest.raises(BundleError, match=r"openvino plan .* scores differ .* it was not kept"):
        build(tiny.folder, tmp_path / "plan")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("steps", [-1, 11])
def test_steps_outside_training_leave_nothing(tiny: Bundle, tmp_path: Path, steps: int) -> None:
    with pytest.raises(InputError, match="allows 0 to 10"):
        build(tiny.folder, tmp_path / "plan", steps=steps)
    assert list(tmp_path.iterdir()) == []


def test_a_plan_is_replaced_only_on_request(tiny: Bundle, tmp_path: Path) -> None:
    build(tiny.folder, tmp_path / "plan", steps=1)
    with pytest.raises(InputError, match="exists already"):
        build(tiny.folder, tmp_path / "plan", steps=2)
    build(tiny.folder, tmp_path / "plan", steps=2, overwrite=True)
    assert read_plan(tmp_path / "plan").manifest.steps == 2


def test_a_plan_never_replaces_a_bundle(tiny: Bundle, own_bundle: Path) -> None:
    with pytest.raises(InputError, match=r"holds something else than plan\.json"):
        build(tiny.folder, own_bundle, overwrite=True)


def test_an_edited_plan_is_refused(tiny: Bundle, tmp_path: Path) -> None:
    plan = read_plan(build(tiny.folder, tmp_path / "plan", steps=0))
    weights = bytearray((plan.folder / "model.bin").read_bytes())
    weights[0] ^= 1
    (plan.folder / "model.bin").write_bytes(weights)
    with pytest.raises(BundleError, match=r"unreadable file, model\.bin: build it again"):
        read_plan(plan.folder)


def test_the_parity_pictures_are_the_same_each_time_and_differ() -> None:
    size = Size(height=20, width=30)
    one, other = (cloud_pictures(size, 3, np.random.default_rng(0)) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    assert one.shape == (3, 20, 30, 3)
    assert not np.array_equal(one[0], one[1])


def _with_a_nudged_weight(bundle: Bundle, steps: int) -> onnx.ModelProto:
    model = unroll(bundle, steps)
    weight = next(w for w in model.graph.initializer if w.name == "trunk.gain")
    weight.CopyFrom(numpy_helper.from_array(np.asarray(20.1, np.float32), weight.name))
    return model
