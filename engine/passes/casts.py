"""Values that go to half precision and back, read as they were.

A converter casts what a wide node gives, and casts it again for the next wide node. Between the two
it has sixteen bits: a likeness over 65504 is infinite, a difference of large ones is lost.
"""

import onnx
from onnx import TensorProto

from engine.passes.graph import Graph, attribute, drop_dead


def join_casts(model: onnx.ModelProto) -> int:
    """Read around every ``f32 → f16 → f32``; returns how many readings that were."""
    graph = Graph(model)
    kinds = graph.kinds()
    joined = 0
    for node in model.graph.node:
        for i, value in enumerate(node.input):
            half = _cast(graph, value, TensorProto.FLOAT)
            wide = half and _cast(graph, half, TensorProto.FLOAT16)
            if wide and kinds.get(wide) == TensorProto.FLOAT:
                node.input[i] = wide
                joined += 1
    drop_dead(model)
    return joined


def _cast(graph: Graph, value: str, to: int) -> str:
    """What was cast to be ``value``; nothing if it was not."""
    node = graph.maker(value, "Cast")
    return node.input[0] if node is not None and attribute(node, "to") == to else ""
