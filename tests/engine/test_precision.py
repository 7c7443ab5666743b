"""Half and eight bits: which nodes, what they cost, and that the gate sees it."""

from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

from engine import precision
from engine.build import build
from engine.bundle import Bundle, read_bundle
from engine.detector import Detector
from engine.fuse import unroll
from engine.parity import compared, expected, ranges_of
from engine.passes.graph import Graph
from engine.plan import read_plan
from engine.precision import halved, quantised
from engine.runtimes.ort import Session
from engine.shown import MOST, shown_below
from engine.simplify import simplified
from engine.types import BundleError, InputError
from inspector.camera.parts.render import render
from inspector.demo.assets import BUNDLE
from tests.engine.test_fused_graph import _replaced_back


@pytest.fixture(scope="module")
def shipped() -> Bundle:
    return read_bundle(BUNDLE)


@pytest.fixture(scope="module")
def parts(shipped: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three good parts of each product, in a folder each."""
    home = tmp_path_factory.mktemp("parts")
    for product in shipped.manifest.products:
        (home / product).mkdir()
        for seed in range(3):
            picture = cv2.cvtColor(render(product, 256, seed).image, cv2.COLOR_RGB2BGR)
            cv2.imwrite(str(home / product / f"{seed}.png"), picture)
    return home


def test_half_is_near_and_leaves_the_search_alone(shipped: Bundle, parts: Path) -> None:
    half = halved(simplified(unroll(shipped, 2)))
    golden = expected(shipped, 2, instead=shown_below(parts, BUNDLE, []))
    session = Session(half.SerializeToString())
    answers = [
        session.run({"image": golden.image[i : i + 1], "product": golden.product[i : i + 1]})
        for i in range(len(golden))
    ]
    maps, scores = (np.concatenate(part) for part in zip(*answers, strict=True))
    parity = compared((maps, scores), golden, ranges_of(golden))
    assert 1e-6 < parity.score < 1e-2  # one place moves by 0.12, for which the gate refuses it
    assert parity.map < 2e-2
    graph = Graph(half)
    (search, *_) = [node for node in half.graph.node if node.op_type == "ArgMin"]
    assert search.name in precision._searching(half)
    assert half.ByteSize() < 0.8 * simplified(unroll(shipped, 2)).ByteSize()
    assert graph.model is half


def test_half_leaves_the_plugin_what_its_kernel_reads(shipped: Bundle) -> None:
    half = halved(simplified(unroll(shipped, 3, fused=True), batch=None))
    plain = _replaced_back(half, shipped.graph("step"))  # ONNX Runtime refuses other types
    image = render("disc", 256, seed=0).image[None]
    asked = {"image": image, "product": np.array([0])}
    found = Session(plain.SerializeToString()).run(asked)
    wide = Session(unroll(shipped, 3).SerializeToString()).run(asked)
    assert abs(found[1] - wide[1]) < 1e-2 * np.ptp(wide[0])


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
def test_a_plan_of_eight_bits_says_what_it_costs(
    tmp_path: Path, parts: Path, runtime: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The segmentor alone: the shipped bundle's trunk does not bear it, as the next test shows."""
    monkeypatch.setattr(precision, "DEEP_CHANNELS", 10**6)
    shown = shown_below(parts, BUNDLE, ["disc", "label"])
    asked = {"runtime": runtime, "precision": "int8", "products": ["label", "disc"]}
    plan = build(BUNDLE, tmp_path / "plan", shown=shown, **asked)
    said = read_plan(plan).manifest
    assert said.precision == "int8"
    assert said.parity_score is not None
    assert 1e-5 < said.parity_score < 5e-2
    with Detector.open(plan) as detector:
        detector.verify()
        assert np.isfinite(detector.detect(render("label", 300, seed=5).image, "label").score)


def test_refiner_search_and_slim_layers_stay_wide(shipped: Bundle, parts: Path) -> None:
    graph = simplified(unroll(shipped, 1))
    eight = quantised(graph, shown_below(parts, BUNDLE, []))
    makers = Graph(eight).makers
    chosen = {
        node.name
        for node in eight.graph.node
        if node.op_type == "Conv" and _kind(makers.get(node.input[1])) == "DequantizeLinear"
    }
    assert len(chosen) > 5
    assert not [name for name in chosen if name.startswith("step")]
    assert not chosen & precision._searching(eight)


def _kind(node: onnx.NodeProto | None) -> str:
    return "" if node is None else node.op_type


def test_without_pictures_there_are_no_eight_bits(tmp_path: Path, parts: Path) -> None:
    with pytest.raises(InputError, match="older than golden pictures: name others with --calib"):
        build(BUNDLE, tmp_path / "plan", precision="int8")
    (parts / "empty").mkdir()
    with pytest.raises(InputError, match=r"There is no folder .*board of pictures"):
        shown_below(parts / "empty", BUNDLE, [])


def test_a_plan_that_eight_bits_spoil_is_not_kept(tmp_path: Path, parts: Path) -> None:
    shown = shown_below(parts, BUNDLE, [])
    with pytest.raises(BundleError, match=r"scores differ by .* of their range, over 5e-02"):
        build(BUNDLE, tmp_path / "plan", precision="int8", shown=shown)
    assert not (tmp_path / "plan").exists()


def test_many_pictures_are_taken_evenly(tmp_path: Path, tiny: Bundle) -> None:
    for product in tiny.manifest.products:
        (tmp_path / product).mkdir()
        for i in range(2 * MOST + 1):
            cv2.imwrite(str(tmp_path / product / f"{i:03}.png"), np.full((8, 8, 3), i, np.uint8))
    shown = shown_below(tmp_path, tiny.folder, ["label"])
    assert shown.product.tolist() == [0] * 22
    assert shown.image[:, 0, 0, 0].tolist() == list(range(0, 65, 3))
