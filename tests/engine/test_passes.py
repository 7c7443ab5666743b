"""Passes leave every answer as it is, and the shipped bundle's graph costs less after them."""

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.helper import make_node, make_tensor_value_info

from engine.build import build
from engine.bundle import Bundle, read_bundle
from engine.detector import Detector
from engine.fuse import unroll
from engine.passes.argmin import shorten_argmin
from engine.passes.fold import folded
from engine.passes.graph import drop_dead, sort
from engine.passes.groupnorm import spread_group_norm
from engine.passes.products import narrow
from engine.passes.softmax import unguard_softmax
from engine.passes.thin import thin_by_channel
from engine.plan import read_plan
from engine.runtimes.ort import Session
from engine.simplify import simplified
from engine.types import BundleError, UnknownProductError
from inspector.demo.assets import BUNDLE
from tests.engine.tiny import make_tiny_bundle, spot_picture

F32 = TensorProto.FLOAT


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def model(
    nodes: list[onnx.NodeProto],
    shape: list[int | str],
    weights: dict[str, np.ndarray] | None = None,
    out: int = F32,
) -> onnx.ModelProto:
    """``x`` of some shape → ``y``."""
    constants = [numpy_helper.from_array(value, name) for name, value in (weights or {}).items()]
    graph = helper.make_graph(
        nodes,
        "small",
        [make_tensor_value_info("x", F32, shape)],
        [make_tensor_value_info("y", out, [f"d{i}" for i in range(len(shape))])],
        constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def answer(graph: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    onnx.checker.check_model(graph)
    found: np.ndarray = Session(graph.SerializeToString()).run({"x": x})[0]
    return found


def kinds(graph: onnx.ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in graph.graph.node)


def argmin(length: int, **attributes: int) -> onnx.ModelProto:
    said = {"axis": 2, "keepdims": 1} | attributes
    nodes = [make_node("ArgMin", ["x"], ["y"], **said)]
    return model(nodes, ["batch", 5, length], out=TensorProto.INT64)


def test_a_long_argmin_becomes_two_short_ones_and_takes_the_first_of_equals(
    rng: np.random.Generator,
) -> None:
    x = rng.integers(0, 200, (3, 5, 1024)).astype(np.float32)  # so that there are many equals
    short = argmin(1024)
    assert shorten_argmin(short) == 1
    assert kinds(short)["ArgMin"] == 2
    np.testing.assert_array_equal(answer(short, x), x.argmin(2)[..., None])


@pytest.mark.parametrize(
    "other",
    [argmin(256), argmin(1000), argmin(1024, select_last_index=1), argmin(1024, axis=1)],
    ids=["short", "no blocks", "last of equals", "another axis"],
)
def test_any_other_argmin_stays(other: onnx.ModelProto) -> None:
    before = other.SerializeToString()
    assert shorten_argmin(other) == 0
    assert other.SerializeToString() == before


def group_norm(
    back: list[int] | None = None, into: tuple[int, ...] = (0, 8, -1)
) -> onnx.ModelProto:
    """As torch exports it: 8 groups of 16 channels."""
    nodes = [
        make_node("Reshape", ["x", "grouped"], ["g"]),
        make_node("InstanceNormalization", ["g", "ones", "zeros"], ["n"], epsilon=1e-5),
        make_node("Shape", ["x"], ["shape"]),
        make_node("Reshape", ["n", "shape" if back is None else "back"], ["r"]),
        make_node("Mul", ["r", "w"], ["y"]),
    ]
    weights = {
        "grouped": np.array(into),
        "ones": np.ones(8, np.float32),
        "zeros": np.zeros(8, np.float32),
        "back": np.array(back or [0]),
        "w": np.arange(16, dtype=np.float32).reshape(16, 1, 1),
    }
    return model(nodes, ["batch", 16, 6, 4], weights)


@pytest.mark.parametrize("mean", [0.0, 300.0])
def test_group_norm_needs_no_reshape(rng: np.random.Generator, mean: float) -> None:
    x = rng.normal(mean, 2.0, (2, 16, 6, 4)).astype(np.float32)
    plain, spread = group_norm(), group_norm()
    assert spread_group_norm(spread) == 1
    assert not kinds(spread).keys() & {"Reshape", "InstanceNormalization", "Shape"}
    np.testing.assert_allclose(answer(spread, x), answer(plain, x), rtol=1e-3, atol=2e-3)


def test_a_norm_that_ends_in_another_shape_stays() -> None:
    assert spread_group_norm(group_norm([0, 16, 24, 1])) == 0


@pytest.mark.parametrize("into", [(4, 8, -1), (-1, 8, 24), (0, 8, 6, -1), (1, 8, -1)])
def test_a_norm_over_other_groups_stays(into: tuple[int, ...]) -> None:
    assert spread_group_norm(group_norm(into=into)) == 0


def attention(mask: np.ndarray, fill: np.ndarray | None = None, axis: int = -1) -> onnx.ModelProto:
    """A guarded softmax, as torch exports attention with a mask."""
    return guarded([make_node("Add", ["products", "mask"], ["s"])], mask, fill, axis)


def guarded(
    to_scores: list[onnx.NodeProto],
    mask: np.ndarray,
    fill: np.ndarray | None = None,
    axis: int = -1,
) -> onnx.ModelProto:
    """The same with ``to_scores`` between the products and the softmax, whose scores are s."""
    nodes = [
        make_node("MatMul", ["x", "eye"], ["products"]),
        *to_scores,
        make_node("Softmax", ["s"], ["p"], axis=axis),
        make_node("IsNaN", ["p"], ["bad"]),
        make_node("Where", ["bad", "fill", "p"], ["y"]),
    ]
    weights = {
        "eye": np.eye(3, dtype=np.float32),
        "mask": mask,
        "fill": np.zeros((), np.float32) if fill is None else fill,
        "forbidden": np.full((2, 3), -np.inf, np.float32),
        "no": np.zeros((2, 3), bool),
    }
    return model(nodes, [2, 3], weights)


def test_a_guard_goes_where_no_row_can_be_empty(rng: np.random.Generator) -> None:
    mask = np.array([[0, -np.inf, 0], [-np.inf, 0, -np.inf]], np.float32)
    plain, bare = attention(mask), attention(mask)
    assert unguard_softmax(bare) == 1
    assert not kinds(bare).keys() & {"IsNaN", "Where"}
    x = rng.normal(size=(2, 3)).astype(np.float32)
    np.testing.assert_array_equal(answer(bare, x), answer(plain, x))
    assert np.isnan(answer(bare, np.full((2, 3), np.nan, np.float32))).all()


def test_a_guard_stays_where_a_row_is_empty() -> None:
    mask = np.array([[0, 0, 0], [-np.inf, -np.inf, -np.inf]], np.float32)
    assert unguard_softmax(attention(mask)) == 0


OPEN = np.zeros((2, 3), np.float32)
SCORES = {
    "where": [make_node("Where", ["no", "products", "forbidden"], ["s"])],
    "two masks": [
        make_node("Add", ["products", "forbidden"], ["m"]),
        make_node("Add", ["m", "mask"], ["s"]),
    ],
    "a mask behind": [
        make_node("Add", ["products", "forbidden"], ["m"]),
        make_node("Identity", ["m"], ["s"]),
    ],
    "less": [make_node("Sub", ["products", "forbidden"], ["s"])],
    "by nothing": [make_node("Mul", ["products", "forbidden"], ["s"])],
}


@pytest.mark.parametrize("to_scores", SCORES.values(), ids=list(SCORES))
def test_a_guard_stays_where_nobody_knows(to_scores: list[onnx.NodeProto]) -> None:
    assert unguard_softmax(guarded(to_scores, OPEN)) == 0


def test_a_guard_that_does_more_than_guard_stays() -> None:
    assert unguard_softmax(attention(OPEN, fill=np.ones((), np.float32))) == 0
    assert unguard_softmax(attention(OPEN, fill=np.zeros((4, 2, 3), np.float32))) == 0
    assert unguard_softmax(attention(OPEN, axis=0)) == 0
    assert unguard_softmax(attention(OPEN)) == 1


@pytest.mark.parametrize("biased", [True, False])
def test_a_convolution_to_one_channel_goes_by_channel(
    rng: np.random.Generator, *, biased: bool
) -> None:
    weights = {"w": rng.normal(size=(1, 16, 3, 3)).astype(np.float32)}
    if biased:
        weights["b"] = np.array([0.5], np.float32)
    said = {"dilations": [2, 2], "pads": [2, 2, 2, 2], "strides": [1, 1], "group": 1}
    node = make_node("Conv", ["x", *weights], ["y"], **said)
    plain, thin = (model([node], ["batch", 16, 9, 7], weights) for _ in range(2))
    assert thin_by_channel(thin) == 1
    x = rng.normal(size=(2, 16, 9, 7)).astype(np.float32)
    np.testing.assert_allclose(answer(thin, x), answer(plain, x), atol=1e-5)


@pytest.mark.parametrize("shape", [(2, 16, 3, 3), (1, 8, 3, 3), (1, 16, 1, 1)])
def test_any_other_convolution_stays(shape: tuple[int, ...]) -> None:
    node = make_node("Conv", ["x", "w"], ["y"])
    x: list[int | str] = ["batch", shape[1], 9, 7]
    assert thin_by_channel(model([node], x, {"w": np.ones(shape, np.float32)})) == 0


def older(graph: onnx.ModelProto, version: int) -> onnx.ModelProto:
    """The same of an opset before an operator changed."""
    graph.opset_import[0].version = version
    return graph


def test_what_an_older_opset_has_no_operator_for_stays() -> None:
    assert shorten_argmin(older(argmin(1024), 17)) == 0
    node = make_node("Conv", ["x", "w"], ["y"])
    weights = {"w": np.ones((1, 16, 3, 3), np.float32)}
    assert thin_by_channel(older(model([node], [1, 16, 9, 7], weights), 12)) == 0


def test_nodes_without_inputs_are_no_argmin() -> None:
    graph = argmin(1024)
    value = numpy_helper.from_array(np.zeros(1, np.float32))
    graph.graph.node.insert(0, make_node("Constant", [], ["c"], value=value))
    assert shorten_argmin(graph) == 1


def test_a_convolution_whose_bias_is_left_out_by_an_empty_name(rng: np.random.Generator) -> None:
    weights = {"w": rng.normal(size=(1, 16, 3, 3)).astype(np.float32)}
    nodes = [make_node("Conv", ["x", "w", ""], ["y"])]
    plain, thin = (model(nodes, [1, 16, 9, 7], weights) for _ in range(2))
    assert thin_by_channel(thin) == 1
    x = rng.normal(size=(1, 16, 9, 7)).astype(np.float32)
    np.testing.assert_allclose(answer(thin, x), answer(plain, x), atol=1e-5)


def test_what_a_branch_captures_is_not_dead() -> None:
    def branch(name: str) -> onnx.GraphProto:
        made = make_tensor_value_info(name, F32, [2])
        return helper.make_graph([make_node("Add", ["hidden", "w"], [name])], name, [], [made])

    nodes = [
        make_node("Exp", ["x"], ["hidden"]),
        make_node("If", ["yes"], ["y"], then_branch=branch("a"), else_branch=branch("b")),
    ]
    weights = {"yes": np.array(True), "w": np.ones(2, np.float32)}
    graph = model(nodes, [2], weights)
    drop_dead(graph)
    np.testing.assert_allclose(answer(graph, np.zeros(2, np.float32)), [2, 2])


def test_nodes_in_any_order_are_put_into_one_that_can_be_run(rng: np.random.Generator) -> None:
    nodes = [
        make_node("Add", ["b", "a"], ["y"]),
        make_node("Exp", ["a"], ["b"]),
        make_node("Neg", ["x"], ["a"]),
        make_node("Abs", ["x"], ["dead"]),
    ]
    graph = model(nodes, [3])
    sort(graph)
    assert [node.op_type for node in graph.graph.node] == ["Neg", "Exp", "Add", "Abs"]
    x = rng.normal(size=3).astype(np.float32)
    np.testing.assert_allclose(answer(graph, x), np.exp(-x) - x, rtol=1e-6)


def test_constants_are_worked_out_and_the_dead_are_gone() -> None:
    nodes = [
        make_node("Add", ["a", "a"], ["b"]),
        make_node("Mul", ["x", "b"], ["y"]),
        make_node("Exp", ["x"], ["unused"]),
    ]
    found = folded(model(nodes, [2], {"a": np.array([3.0], np.float32)}))
    assert kinds(found) == {"Mul": 1}
    np.testing.assert_array_equal(answer(found, np.array([1, 2], np.float32)), [6, 12])


@pytest.fixture(scope="module")
def shipped() -> Bundle:
    return read_bundle(BUNDLE)


@pytest.mark.parametrize("codes", [None, [2], [3, 1]], ids=["all", "one", "some"])
def test_the_shipped_bundle_answers_as_before(
    shipped: Bundle, codes: list[int] | None, rng: np.random.Generator
) -> None:
    whole = unroll(shipped, 2)
    less = simplified(unroll(shipped, 2), codes)
    assert not kinds(less).keys() & {"IsNaN", "InstanceNormalization"}
    assert kinds(less)["ArgMin"] == 2 * kinds(whole)["ArgMin"] > 0
    assert [opset.domain for opset in less.opset_import] == [""]
    size = shipped.manifest.input
    image = rng.integers(0, 256, (1, size.height, size.width, 3), dtype=np.uint8)
    chosen = range(4) if codes is None else codes
    mine, theirs = (Session(m.SerializeToString()) for m in (less, whole))
    for position, code in enumerate(chosen):
        found = mine.run({"image": image, "product": np.array([position])})
        expected = theirs.run({"image": image, "product": np.array([code])})
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=0, atol=1e-4 * float(np.ptp(expected[0])))


def test_others_rows_are_left_out(shipped: Bundle) -> None:
    two = unroll(shipped, 0)
    before = two.ByteSize()
    assert narrow(two, [3, 1]) > 5
    assert two.ByteSize() < before - 2 * 2**19  # two products of four


def test_a_table_that_is_read_otherwise_too_stays_whole() -> None:
    nodes = [make_node("Gather", ["t", "product"], ["r"]), make_node("Gather", ["t", "x"], ["s"])]
    graph = model([*nodes, make_node("Add", ["r", "s"], ["y"])], [1], {"t": np.eye(3, dtype="f4")})
    graph.graph.input[0].type.tensor_type.elem_type = TensorProto.INT64
    graph.graph.input.append(make_tensor_value_info("product", TensorProto.INT64, [1]))
    assert narrow(graph, [2]) == 1
    found = Session(graph.SerializeToString()).run({"x": np.array([0]), "product": np.array([0])})
    np.testing.assert_array_equal(found[0], [[1, 0, 1]])


def test_a_code_that_is_more_than_an_index_is_refused() -> None:
    nodes = [make_node("Cast", ["product"], ["c"], to=F32), make_node("Add", ["x", "c"], ["y"])]
    graph = model(nodes, [1])
    graph.graph.input.append(make_tensor_value_info("product", TensorProto.INT64, [1]))
    with pytest.raises(BundleError, match="build its plan for all products"):
        narrow(graph, [0])


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
def test_a_plan_for_some_products_knows_no_others(tmp_path: Path, runtime: str) -> None:
    names = ["disc", "label", "gear"]
    bundle = make_tiny_bundle(tmp_path / "bundle", names)
    whole, some, one = (
        build(bundle, tmp_path / "-".join(["plan", *chosen]), runtime=runtime, products=chosen)
        for chosen in ([], ["gear", "label", "gear"], ["gear"])
    )
    assert read_plan(some).manifest.products == ("label", "gear")
    with Detector.open(whole) as every, Detector.open(some) as two, Detector.open(one) as alone:
        expected = every.detect(spot_picture(), "gear")
        for detector in (two, alone):
            found = detector.detect(spot_picture(), "gear")
            assert found.score == pytest.approx(expected.score, rel=1e-5)
            detector.verify()
        with pytest.raises(UnknownProductError, match="'disc': this model knows gear"):
            alone.detect(spot_picture(), "disc")
    with pytest.raises(UnknownProductError):
        build(bundle, tmp_path / "none", products=["bolt"])
    assert not (tmp_path / "none").exists()


def test_a_plan_is_asked_about_its_own_product_however_late_that_stands(tmp_path: Path) -> None:
    names = [f"part{i}" for i in range(7)]
    bundle = make_tiny_bundle(tmp_path / "bundle", names)
    plan = read_plan(build(bundle, tmp_path / "plan", products=["part6"]))
    assert plan.golden is not None
    assert plan.golden.product.tolist() == [0] * len(plan.golden)
