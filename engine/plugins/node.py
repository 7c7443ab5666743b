"""The fused step in a graph: one node where the twin has forty.

The node is TensorRT's: its type is the plugin's name, and two attributes say where the plugin is
found and that its kernel was compiled ahead of time.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import onnx
from onnx import TensorProto, helper, numpy_helper

from engine.plugins.pack import CHANNELS, ORDER, packed

NAMESPACE = "promptmad"
PLUGIN = "DiffusionStep"
"""Followed by the number of channels, which a kernel has to know when it is compiled."""
PACKED = "packed."
"""Before the names of the kernel's weights."""

DILATED = {"from_x.weight": 1, "conv2.weight": 1, "conv3.weight": 2, "last.weight": 1}


@dataclass(frozen=True)
class FusedStep:
    """A denoiser that the kernel computes, and its packed ``weights``."""

    channels: int
    weights: Sequence[TensorProto]

    def node(self, inputs: Sequence[str], outputs: Sequence[str], name: str) -> onnx.NodeProto:
        """One step: x, coarse, prepared condition, film, keep → x_next, logits."""
        return helper.make_node(
            f"{PLUGIN}{self.channels}",
            [*inputs, *(weight.name for weight in self.weights)],
            outputs,
            name=name,
            domain=NAMESPACE,
            plugin_namespace=NAMESPACE,
            aot=1,
        )


def fused_step(step: onnx.ModelProto) -> FusedStep | None:
    """Of a step graph; None where its convolutions are not the kernel's: other weights, channels,
    dilations, or a map that is not square. What lies between them the parity gate sees."""
    found = {
        weight.name.removeprefix("denoiser."): numpy_helper.to_array(weight)
        for weight in step.graph.initializer
        if weight.name.startswith("denoiser.")
    }
    dilated = {
        node.input[1].removeprefix("denoiser."): max(a.ints)
        for node in step.graph.node
        for a in node.attribute
        if (node.op_type, a.name) == ("Conv", "dilations")
    }
    _, _, height, width = step.graph.input[0].type.tensor_type.shape.dim
    if (
        set(found) != set(ORDER)
        or len(found["conv2.bias"]) not in CHANNELS
        or dilated != DILATED
        or height.dim_value != width.dim_value
    ):
        return None
    weights = [
        numpy_helper.from_array(values, PACKED + name) for name, values in packed(found).items()
    ]
    return FusedStep(len(found["conv2.bias"]), weights)


def prepared(condition: str, out: str) -> list[onnx.NodeProto]:
    """The condition as the kernel reads it, once for all steps: channels last, fp16."""
    turned = f"{out}_f32"
    return [
        helper.make_node("Transpose", [condition], [turned], name="steps/turn", perm=[0, 2, 3, 1]),
        helper.make_node("Cast", [turned], [out], name="steps/cast", to=TensorProto.FLOAT16),
    ]
