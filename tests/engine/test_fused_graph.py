"""The graph with plugin nodes, where no TensorRT is at hand."""

from collections import Counter

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.inliner import inline_local_functions

from engine.bundle import Bundle, read_bundle
from engine.fuse import unroll
from engine.parity import cloud_pictures
from engine.plugins.node import NAMESPACE, PACKED, PLUGIN, fused_step
from engine.plugins.pack import ORDER
from engine.runtimes.ort import Session
from inspector.demo.assets import BUNDLE

STEPS = 3


@pytest.fixture(scope="module")
def shipped() -> Bundle:
    """A trained one, whose denoiser has 16 channels."""
    return read_bundle(BUNDLE)


def test_each_step_is_one_node(shipped: Bundle) -> None:
    fused, twin = (unroll(shipped, STEPS, fused=wanted) for wanted in (True, False))
    nodes = [node for node in fused.graph.node if node.op_type == f"{PLUGIN}16"]
    assert [node.name for node in nodes] == ["step10", "step7", "step4"]
    assert len(fused.graph.node) < len(twin.graph.node) - 20 * STEPS
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in nodes[0].attribute}
    assert attributes == {"plugin_namespace": b"promptmad", "aot": 1}
    assert Counter(w.name for w in fused.graph.initializer).most_common(1)[0][1] == 1


def test_replaced_back_it_answers_as_the_twin(shipped: Bundle) -> None:
    fused, twin = (unroll(shipped, STEPS, fused=wanted) for wanted in (True, False))
    plain = _replaced_back(fused, shipped.graph("step"))
    images = cloud_pictures(shipped.manifest.input, 2, np.random.default_rng(1))
    asked = {"image": images, "product": np.array([0, 3])}
    found, expected = (Session(m.SerializeToString()).run(asked) for m in (plain, twin))
    for mine, theirs in zip(found, expected, strict=True):  # fp16 weights and condition
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-3 * float(np.ptp(expected[0])))
    assert np.abs(found[0] - expected[0]).max() > 0


def test_without_steps_there_is_nothing_to_fuse(shipped: Bundle) -> None:
    assert not {n.domain for n in unroll(shipped, 0, fused=True).graph.node} - {""}


def test_a_step_that_the_kernel_does_not_compute_stays_plain(tiny: Bundle) -> None:
    assert fused_step(tiny.graph("step")) is None
    assert unroll(tiny, 2, fused=True) == unroll(tiny, 2)


def test_a_step_that_is_dilated_otherwise_or_not_square_stays_plain(shipped: Bundle) -> None:
    undilated, wide = shipped.graph("step"), shipped.graph("step")
    third = next(n for n in undilated.graph.node if "denoiser.conv3.weight" in n.input)
    next(a for a in third.attribute if a.name == "dilations").ints[:] = [1, 1]
    wide.graph.input[0].type.tensor_type.shape.dim[3].dim_value *= 2
    assert fused_step(shipped.graph("step")) is not None
    assert fused_step(undilated) is None
    assert fused_step(wide) is None


def _replaced_back(model: onnx.ModelProto, step: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph with every fused node replaced by the twin's nodes, on the node's own inputs
    and unpacked weights: what remains different is the kernel's arithmetic alone."""
    names = {PACKED + name: "denoiser." + name for name in ORDER}
    shapes = {w.name: tuple(w.dims) for w in step.graph.initializer}
    plain = onnx.ModelProto()
    plain.CopyFrom(model)
    del plain.graph.initializer[:]
    for weight in model.graph.initializer:
        if weight.name not in names:
            plain.graph.initializer.append(weight)
            continue
        values = _unpacked(numpy_helper.to_array(weight), shapes[names[weight.name]])
        plain.graph.initializer.append(numpy_helper.from_array(values, weight.name))
    plain.functions.append(_twin(step, names))
    return inline_local_functions(plain)


def _twin(step: onnx.ModelProto, names: dict[str, str]) -> onnx.FunctionProto:
    """The step graph as a function that takes what the kernel takes."""
    nodes = [
        helper.make_node("Cast", ["turned"], ["wide"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["wide"], ["condition"], perm=[0, 3, 1, 2]),
        *(
            helper.make_node("Constant", [], [w.name], value=w)
            for w in step.graph.initializer
            if w.name not in names.values()
        ),
        *step.graph.node,
    ]
    inputs = ["x", "coarse", "turned", "film", "keep", *names.values()]
    outputs = ["x_next", "logits"]
    attributes = ["plugin_namespace", "aot"]
    opsets = [o for o in step.opset_import if o.domain == ""]
    return helper.make_function(
        NAMESPACE, f"{PLUGIN}16", inputs, outputs, nodes, opsets, attributes
    )


def _unpacked(packed: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """What :func:`fused_step` packed, in fp32."""
    if packed.ndim == 1:
        return packed
    if packed.ndim == 2:
        return np.ascontiguousarray(packed.T.reshape(shape))
    taps, blocks_in, blocks_out, *_ = packed.shape
    parts = packed.reshape(taps, blocks_in, blocks_out, 8, 4, 2, 2).astype(np.float32)
    return np.ascontiguousarray(parts.transpose(2, 3, 1, 5, 4, 6, 0).reshape(shape))
