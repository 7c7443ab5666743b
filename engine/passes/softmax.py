"""Attention without a guard against rows that may look nowhere.

An exporter of torch's attention puts zeros where a row of a softmax is NaN, since a mask that
forbids everything makes one. Ours are constant and allow something in every row: there the guard
costs time and can only hide a NaN that somebody ought to hear of. Wants folded constants.
"""

import numpy as np
import onnx

from engine.passes.graph import Graph, Patch, attribute, replace


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
    fill = graph.constant(node.input[1])
    if fill is None or fill.shape not in ((), (1,)) or fill.any():
        return None
    if attribute(guarded, "axis", -1) != -1 or _may_be_empty(graph, guarded.input[0]):
        return None
    out = Patch(node.output[0])
    out.node("Identity", node.input[2], out=node.output[0])
    return out


def _may_be_empty(graph: Graph, scores: str) -> bool:
    """Whether a mask forbids a whole row, as far as one can know: of products of tokens none is
    forbidden, and one constant mask that is added to them can be looked at."""
    added = graph.maker(scores, "Add")
    if added is None:
        return not _are_products(graph, scores)
    mask = graph.constant(added.input[1])
    if mask is None or not _are_products(graph, added.input[0]):
        return True
    return not np.all((mask == 0).any(axis=-1))


def _are_products(graph: Graph, scores: str) -> bool:
    """Whether they come from a matrix product, and were at most scaled since."""
    scaled = graph.maker(scores, "Mul", "Div")
    if scaled is not None and (by := graph.constant(scaled.input[1])) is not None:
        return bool(np.isfinite(by).all()) and _are_products(graph, scaled.input[0])
    return graph.maker(scores, "MatMul", "Gemm") is not None
