"""A graph for some of a bundle's products only.

All that a model knows of a product lies in tables with a row each, which a graph looks up by the
product's code: rows of others are left out, and where one product is left, nothing is looked up.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import onnx
from onnx import numpy_helper

from engine.passes.graph import Graph, Patch, attribute, drop_dead, replace
from engine.types import BundleError

PRODUCT = "product"
CHOSEN = "chosen."
"""Before the name of a table that holds the rows of some products alone."""


def narrow(model: onnx.ModelProto, codes: Sequence[int], *, batches: bool = False) -> int:
    """Keep the rows of these products, whose codes become 0, 1, …; returns how many look-ups there
    were. With a single one a look-up is a constant, unless there are ``batches``, each of whose
    pictures looks for itself. :class:`BundleError` where a code is used for anything else, which
    would then mean another product."""
    graph = Graph(model)
    found = [node for node in model.graph.node if _looks_up(graph, node)]
    for use in _uses(model):
        if use not in found:
            raise BundleError(
                f"This bundle's graph uses a product's code in {use.name}, which is no table: "
                "build its plan for all products."
            )
    for table in {node.input[0] for node in found}:
        rows = graph.constant(table)
        assert rows is not None  # _looks_up saw to it
        kept = np.ascontiguousarray(rows[list(codes)])
        model.graph.initializer.append(numpy_helper.from_array(kept, CHOSEN + table))
    for node in found:
        node.input[0] = CHOSEN + node.input[0]
    if len(codes) == 1 and not batches:
        names = {node.output[0] for node in found}
        replace(model, lambda node: _row(node) if node.output[0] in names else None)
    drop_dead(model)
    return len(found)


def _looks_up(graph: Graph, node: onnx.NodeProto) -> bool:
    """Whether it takes a product's row from a table, and the whole of it."""
    if node.op_type == "Gather":
        by = node.input[1] if attribute(node, "axis", 0) == 0 else ""
    elif node.op_type == "GatherND" and not attribute(node, "batch_dims", 0):
        column = graph.maker(node.input[1], "Unsqueeze")
        by = "" if column is None else column.input[0]
    else:
        return False
    return by == PRODUCT and graph.constant(node.input[0]) is not None


def _uses(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    """The nodes that a product's code reaches, seen through what only makes a column of it."""
    reached = {PRODUCT}
    for node in model.graph.node:
        if reached.intersection(node.input):
            if node.op_type == "Unsqueeze":
                reached.update(node.output)
            else:
                yield node


def _row(node: onnx.NodeProto) -> Patch:
    """The table has one row: it is the answer."""
    out = Patch(node.output[0])
    out.node("Identity", node.input[0], out=node.output[0])
    return out
