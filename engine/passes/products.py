"""A graph for some of a bundle's products only.

All that a model knows of a product lies in tables with a row each, which a graph looks up by the
product's code: rows of others are left out, and where one product is left, nothing is looked up.
"""

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import numpy_helper

from engine.passes.graph import Graph, Patch, attribute, replace


def narrow(model: onnx.ModelProto, codes: Sequence[int], *, batches: bool = False) -> int:
    """Keep the rows of these products, whose codes become 0, 1, …; returns how many look-ups there
    were. With a single one a look-up is a constant, unless there are ``batches``, each of whose
    pictures looks for itself."""
    graph = Graph(model)
    found = [node for node in model.graph.node if _looks_up(graph, node)]
    tables = {node.input[0] for node in found}
    for weight in model.graph.initializer:
        if weight.name in tables:
            rows = numpy_helper.to_array(weight)[list(codes)]
            weight.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(rows), weight.name))
    if batches or len(codes) > 1:
        return len(found)
    names = {node.output[0] for node in found}
    return replace(model, lambda node: _row(node) if node.output[0] in names else None)


def _looks_up(graph: Graph, node: onnx.NodeProto) -> bool:
    """Whether it takes a product's row from a table, and the whole of it."""
    if node.op_type == "Gather":
        by = node.input[1] if attribute(node, "axis", 0) == 0 else ""
    elif node.op_type == "GatherND" and not attribute(node, "batch_dims", 0):
        column = graph.maker(node.input[1], "Unsqueeze")
        by = "" if column is None else column.input[0]
    else:
        return False
    return by == "product" and graph.constant(node.input[0]) is not None


def _row(node: onnx.NodeProto) -> Patch:
    """The table has one row: it is the answer."""
    out = Patch(node.output[0])
    out.node("Identity", node.input[0], out=node.output[0])
    return out
