"""The fused step in a graph: one node where the twin has forty.

The node is TensorRT's: its type is the plugin's name, and two attributes say where the plugin is
found and that its kernel was compiled ahead of time.
"""

from collections.abc import Sequence

import onnx
from onnx import TensorProto, helper, numpy_helper

from engine.plugins.pack import CHANNELS, by_lane, by_tap

NAMESPACE = "promptmad"
PLUGIN = "DiffusionStep"
PACKED = "packed."
"""Before the names of the kernel's weights."""

ORDER = {
    "from_x.weight": by_tap,
    "conv2.weight": by_lane,
    "conv2.bias": None,
    "conv3.weight": by_lane,
    "conv3.bias": None,
    "last.weight": by_tap,
    "last.bias": None,
}
"""The denoiser's weights as the kernel takes them, and how each is packed."""


def packed_weights(step: onnx.ModelProto) -> Sequence[TensorProto]:
    """The kernel's weights out of a step graph, in its order; none where the graph is not the
    denoiser that the kernel computes, or of another number of channels."""
    found = {
        weight.name.removeprefix("denoiser."): weight
        for weight in step.graph.initializer
        if weight.name.startswith("denoiser.")
    }
    if set(found) != set(ORDER) or found["conv2.bias"].dims[0] not in CHANNELS:
        return ()
    tensors = []
    for name, pack in ORDER.items():
        values = numpy_helper.to_array(found[name])
        packed = values if pack is None else pack(values)
        tensors.append(numpy_helper.from_array(packed, PACKED + name))
    return tensors


def prepared(condition: str, out: str) -> list[onnx.NodeProto]:
    """The condition as the kernel reads it, once for all steps: channels last, fp16."""
    turned = f"{out}_f32"
    return [
        helper.make_node("Transpose", [condition], [turned], name="steps/turn", perm=[0, 2, 3, 1]),
        helper.make_node("Cast", [turned], [out], name="steps/cast", to=TensorProto.FLOAT16),
    ]


def step_node(inputs: Sequence[str], outputs: Sequence[str], name: str) -> onnx.NodeProto:
    """One step: x, coarse, condition, film, keep → x_next, logits."""
    weights = [PACKED + weight for weight in ORDER]
    return helper.make_node(
        PLUGIN,
        [*inputs, *weights],
        outputs,
        name=name,
        domain=NAMESPACE,
        plugin_namespace=NAMESPACE,
        aot=1,
    )
