"""Half and eight bits: which nodes, what they cost, and that the gate sees it."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto

from engine import precision
from engine.build import build
from engine.bundle import Bundle, read_bundle
from engine.detector import Detector
from engine.fuse import unroll
from engine.golden import Golden
from engine.parity import cloud_pictures, compared, expected
from engine.passes.graph import Graph
from engine.plan import read_plan
from engine.precision import halved, quantised
from engine.reference import reference
from engine.runtimes.base import Answers, Codes, Images, in_turns
from engine.runtimes.ort import Session
from engine.shown import MOST, shown_below
from engine.simplify import GPU_PASSES, simplified
from engine.types import BundleError, InputError
from inspector.camera.parts.render import render
from inspector.demo.assets import BUNDLE
from tests.engine.test_fused_graph import _replaced_back
from tests.engine.tiny import make_tiny_bundle, tiny_golden


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


def _by(graph: onnx.ModelProto) -> Callable[[Images, Codes], Answers]:
    """Asks ONNX Runtime."""
    session = Session(graph.SerializeToString())

    def ask(image: Images, product: Codes) -> Answers:
        maps, scores = session.run({"image": image, "product": product})
        return maps, scores

    return ask


@pytest.fixture(scope="module")
def half(shipped: Bundle) -> onnx.ModelProto:
    return halved(simplified(unroll(shipped, 2), passes=GPU_PASSES))


def test_half_is_near(shipped: Bundle, half: onnx.ModelProto) -> None:
    golden = expected(shipped, 2)
    parity = compared(in_turns(_by(half), golden.image, golden.product), golden)
    assert 1e-6 < parity.score < 3e-3
    assert parity.fault("f16") == ""
    assert half.ByteSize() < 0.8 * simplified(unroll(shipped, 2)).ByteSize()


def test_half_leaves_search_and_norms_alone(half: onnx.ModelProto) -> None:
    """Between the bank, a table of sixteen bits, and the place that is nearest to it, all numbers
    are of thirty-two; so are they round a norm."""
    kinds, searching = Graph(half).kinds(), precision._searching(half)
    inside = [node for node in half.graph.node if node.name in searching]
    assert len(inside) > 20
    narrow = {node.op_type for node in inside if kinds[node.output[0]] == TensorProto.FLOAT16}
    assert narrow == {"GatherND"}
    norms = [node for node in half.graph.node if node.op_type == "InstanceNormalization"]
    assert norms
    assert {kinds[v] for node in norms for v in node.output} == {TensorProto.FLOAT}


def test_half_bears_pictures_that_are_like_no_part(shipped: Bundle, half: onnx.ModelProto) -> None:
    """Clouds are far from every token; what is far must not become infinite."""
    image = cloud_pictures(shipped.manifest.input, 4, np.random.default_rng(0))
    code = np.arange(4)
    clouds = Golden(image, code, np.zeros(4, bool), *reference(shipped, 2, image, code))
    assert clouds.score.max() > 5 * expected(shipped, 2).score.max()
    assert compared(in_turns(_by(half), image, code), clouds).fault("f16") == ""


def test_half_leaves_the_plugin_what_its_kernel_reads(shipped: Bundle) -> None:
    half = halved(simplified(unroll(shipped, 3, fused=True), batch=None, passes=GPU_PASSES))
    plain = _replaced_back(half, shipped.graph("step"))  # ONNX Runtime refuses other types
    image = render("disc", 256, seed=0).image[None]
    asked = {"image": image, "product": np.array([0])}
    found = Session(plain.SerializeToString()).run(asked)
    wide = Session(unroll(shipped, 3).SerializeToString()).run(asked)
    assert abs(found[1] - wide[1]) < 1e-2 * np.ptp(wide[0])


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
def test_a_plan_of_eight_bits_says_what_it_costs(tmp_path: Path, parts: Path, runtime: str) -> None:
    asked = {"runtime": runtime, "precision": "int8", "products": ["label", "disc"]}
    plan = build(BUNDLE, tmp_path / "plan", calibrate_with=parts, **asked)
    said = read_plan(plan).manifest
    assert said.precision == "int8"
    assert said.parity_score is not None
    assert 1e-5 < said.parity_score < 5e-2
    with Detector.open(plan) as detector:
        detector.verify()
        assert np.isfinite(detector.detect(render("label", 300, seed=5).image, "label").score)


def test_refiner_search_and_slim_layers_stay_wide(shipped: Bundle, parts: Path) -> None:
    graph = simplified(unroll(shipped, 1))
    eight = quantised(graph, shown_below(parts, shipped.manifest, None))
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


@pytest.mark.parametrize(("runtime", "precision"), [("auto", "int8"), ("openvino", "bf16")])
def test_without_pictures_there_are_no_fewer_bits(
    tmp_path: Path, tiny: Bundle, runtime: str, precision: str
) -> None:
    said = f"golden pictures of each of these products, which {precision} is checked on: export it"
    with pytest.raises(InputError, match=said):
        build(tiny.folder, tmp_path / "plan", runtime=runtime, precision=precision)
    with pytest.raises(InputError, match=r"There is no folder .*disc of pictures"):
        shown_below(tmp_path, tiny.manifest, None)


@pytest.mark.parametrize("products", [["label"], ["disc", "label"], []])
def test_every_product_wants_golden_pictures(
    tmp_path: Path, golden_of_disc: Path, products: list[str]
) -> None:
    with pytest.raises(InputError, match="has no golden pictures of each of these products"):
        build(golden_of_disc, tmp_path / "plan", precision="int8", products=products)


def test_a_model_of_narrow_convolutions_gains_nothing(tmp_path: Path, golden_of_disc: Path) -> None:
    with pytest.raises(InputError, match="no convolution of this model is wide enough"):
        build(golden_of_disc, tmp_path / "plan", precision="int8", products=["disc"])


@pytest.fixture
def golden_of_disc(tmp_path: Path) -> Path:
    """A bundle whose golden pictures show the first of its two products alone."""
    golden = tiny_golden(read_bundle(make_tiny_bundle(tmp_path / "bare")))
    return make_tiny_bundle(tmp_path / "golden", golden=golden.of([0]))


def test_a_plan_that_eight_bits_spoil_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shipped: Bundle, parts: Path
) -> None:
    """Calibrated with goods alone, which is why it never is."""
    goods = shown_below(parts, shipped.manifest, None)
    monkeypatch.setattr("engine.build._shown", lambda *_: goods)
    with pytest.raises(BundleError, match=r"scores differ by .* of their range, over 5e-02"):
        build(BUNDLE, tmp_path / "plan", precision="int8")
    assert not (tmp_path / "plan").exists()


def test_many_pictures_are_taken_evenly(tmp_path: Path, tiny: Bundle) -> None:
    for product in tiny.manifest.products:
        (tmp_path / product).mkdir()
        for i in range(2 * MOST + 1):
            cv2.imwrite(str(tmp_path / product / f"{i:03}.png"), np.full((8, 8, 3), i, np.uint8))
    shown = shown_below(tmp_path, tiny.manifest, [1])
    assert shown.product.tolist() == [0] * 22
    assert shown.image[:, 0, 0, 0].tolist() == list(range(0, 65, 3))


def test_of_a_data_set_good_parts_alone_are_shown(tmp_path: Path, tiny: Bundle) -> None:
    for kind, grey in (("train/good", 9), ("test/bent", 8), ("ground_truth/bent", 7)):
        folder = tmp_path / "disc" / kind
        folder.mkdir(parents=True)
        cv2.imwrite(str(folder / "0.png"), np.full((8, 8, 3), grey, np.uint8))
    shown = shown_below(tmp_path, tiny.manifest, [0])
    assert shown.image[:, 0, 0, 0].tolist() == [9]
