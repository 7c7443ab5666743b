"""A convolution to one channel as one by channel, and their sum.

Runtimes compute output channels by the sixteen: one alone costs as much. By channel every input
channel is convolved by itself, which is as wide as the machine, and a sum is next to nothing.
"""

import numpy as np
import onnx

from engine.passes.graph import Graph, Patch, attribute, replace

LEAST_CHANNELS = 16
OPSET = 13
"""From which on a sum takes its axes as an input."""


def thin_by_channel(model: onnx.ModelProto) -> int:
    """Rewrite every convolution of at least 3 × 3 from many channels to one."""
    graph = Graph(model)
    if graph.opset < OPSET:
        return 0
    return replace(model, lambda node: _by_channel(node, graph))


def _by_channel(node: onnx.NodeProto, graph: Graph) -> Patch | None:
    weight = graph.constant(node.input[1]) if node.op_type == "Conv" else None
    if weight is None or weight.dtype != np.float32:
        return None
    if weight.ndim != 4 or weight.shape[0] != 1 or weight.shape[2:] == (1, 1):
        return None
    channels = weight.shape[1]
    if channels < LEAST_CHANNELS or attribute(node, "auto_pad", b"NOTSET") != b"NOTSET":
        return None
    out = Patch(node.output[0])
    each = out.constant(np.moveaxis(weight, 1, 0), np.float32)
    kept = {a.name: attribute(node, a.name) for a in node.attribute if a.name != "auto_pad"}
    convolved = out.node("Conv", node.input[0], each, **kept | {"group": channels})
    biased = len(node.input) > 2 and node.input[2] != ""
    end = "" if biased else node.output[0]
    total = out.node("ReduceSum", convolved, out.constant([1]), out=end, keepdims=1)
    if biased:
        out.node("Add", total, node.input[2], out=node.output[0])  # one number: it fits any shape
    return out
