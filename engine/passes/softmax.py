"""Attention without a guard against rows that may look nowhere.

An exporter of torch's attention puts zeros where a row of a softmax is NaN, since a mask that
forbids everything makes one. Ours are constant and allow something in every row: there the guard
costs time and can only hide a NaN that somebody ought to hear of. Wants folded constants.
"""

import numpy as np
import onnx

from engine.passes.graph import Graph, Patch, replace


def unguard_softmax(model: onnx.ModelProto) -> int:
    """Take out ``Where(IsNaN(s), 0, s)`` behind softmax rows that cannot be empty."""
    graph = Graph(model)
    return replace(model, lambda node: _plain(node, graph))


def _plain(node: onnx.NodeProto, graph: Graph) -> Patch | None:
    if node.op_type != "Where" or graph.maker(node.input[0], "IsNaN") is None:
        return None
    guarded = graph.maker(node.input[2], "Softmax")
    if guarded is None or graph.makers[node.input[0]].input[0] != node.input[2]:
        return None
    if _may_be_empty(graph, guarded.input[0]):
        return None
    out = Patch(node.output[0])
    out.node("Identity", node.input[2], out=node.output[0])
    return out


def _may_be_empty(graph: Graph, scores: str) -> bool:
    """Whether a mask that is added to the scores forbids a whole row, as far as one can know."""
    added = graph.maker(scores, "Add")
    if added is None:
        return False
    mask = graph.constant(added.input[1])
    return mask is None or not np.all((mask == 0).any(axis=-1))
