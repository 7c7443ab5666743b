"""A long ArgMin as two short ones.

The nearest of thousands of tokens is looked for at every place of a picture. A minimum is a pass
over the numbers at the speed of memory; where it lies is not, in any runtime: OpenVINO takes longer
for it than for the products it chooses from. So the row is cut into blocks, the block that holds
the minimum is found among their minima, and only that block is looked through. Of equals the first
is taken, as before.
"""

import onnx

from engine.passes.graph import Graph, Patch, attribute, replace

BLOCK = 64
LONG = 8 * BLOCK
"""Rows shorter than this are left alone."""
OPSET = 18
"""From which on a minimum takes its axes as an input."""


def shorten_argmin(model: onnx.ModelProto) -> int:
    """Rewrite every ArgMin over a long last axis of three; returns how many there were."""
    graph = Graph(model)
    if graph.opset < OPSET:
        return 0
    shapes = graph.shapes()
    return replace(model, lambda node: _two(node, shapes))


def _two(node: onnx.NodeProto, shapes: dict[str, list[int | str]]) -> Patch | None:
    if node.op_type != "ArgMin" or attribute(node, "axis", 0) not in (2, -1):
        return None
    shape = shapes.get(node.input[0], [])
    length = shape[2] if len(shape) == 3 else None
    last, kept = attribute(node, "select_last_index", 0), attribute(node, "keepdims", 1)
    if not isinstance(length, int) or length < LONG or length % BLOCK or last or not kept:
        return None
    out = Patch(node.output[0])
    cut = out.node("Reshape", node.input[0], out.constant([0, 0, length // BLOCK, BLOCK]))
    least = out.node("ReduceMin", cut, out.constant([3]), keepdims=0)
    which = out.node("ArgMin", least, axis=2, keepdims=1)
    block = out.node("GatherND", cut, which, batch_dims=2)
    within = out.node("ArgMin", block, axis=2, keepdims=1)
    before = out.node("Mul", which, out.constant(BLOCK))
    out.node("Add", before, within, out=node.output[0])
    return out
