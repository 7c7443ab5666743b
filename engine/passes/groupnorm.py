"""Group normalisation without turning the tensor round.

Exported, it is an instance normalisation of ``(B, groups, rest)``: two reshapes that a runtime with
channels last answers by copying the whole tensor twice. The mean of a group is as well the mean of
its channels' means, which a small product takes (Wu & He, ECCV 2018, for what is computed).
"""

import numpy as np
import onnx

from engine.passes.graph import Graph, Patch, attribute, replace


def spread_group_norm(model: onnx.ModelProto) -> int:
    """Rewrite every ``Reshape → InstanceNormalization → Reshape`` of groups of channels."""
    graph = Graph(model)
    shapes = graph.shapes()
    return replace(model, lambda node: _spread(node, graph, shapes))


def _spread(node: onnx.NodeProto, graph: Graph, shapes: dict[str, list[int | str]]) -> Patch | None:
    inner = graph.maker(node.input[0], "InstanceNormalization") if node.input else None
    if node.op_type != "Reshape" or inner is None or not graph.used_once(node.input[0]):
        return None
    grouped = graph.maker(inner.input[0], "Reshape")
    groups = _plain_groups(graph, inner)
    if grouped is None or groups is None:
        return None
    x = grouped.input[0]
    shape = shapes.get(x, [])
    if len(shape) != 4 or not isinstance(shape[1], int) or shape[1] % groups:
        return None
    if not _into(graph, grouped, shape, groups) or not _back(graph, node, x, shape):
        return None
    return _normalised(node.output[0], x, shape[1], groups, attribute(inner, "epsilon", 1e-5))


def _normalised(name: str, x: str, channels: int, groups: int, epsilon: float) -> Patch:
    out = Patch(name)
    same = np.kron(np.eye(groups), np.ones((channels // groups,) * 2)) * groups / channels
    mix = out.constant(same[..., None, None], np.float32)
    mean = out.node("Conv", out.node("GlobalAveragePool", x), mix)
    away = out.node("Sub", x, mean)
    square = out.node("GlobalAveragePool", out.node("Mul", away, away))
    spread = out.node("Conv", square, mix)
    deviation = out.node("Sqrt", out.node("Add", spread, out.constant(epsilon, np.float32)))
    out.node("Div", away, deviation, out=name)
    return out


def _into(graph: Graph, grouped: onnx.NodeProto, shape: list[int | str], groups: int) -> bool:
    """Whether each picture's channels are grouped, and nothing else is."""
    wanted = graph.constant(grouped.input[1])
    if wanted is None or attribute(grouped, "allowzero", 0):
        return False
    picture, *rest = wanted.tolist()
    return picture in (0, shape[0]) and rest == [groups, -1]


def _back(graph: Graph, node: onnx.NodeProto, x: str, shape: list[int | str]) -> bool:
    """Whether it is turned back into what it was."""
    asked = graph.maker(node.input[1], "Shape")
    if asked is not None:
        return bool(asked.input[0] == x)
    wanted = graph.constant(node.input[1])
    if wanted is None or attribute(node, "allowzero", 0):
        return False
    picture, *rest = wanted.tolist()
    return picture in (0, -1, shape[0]) and bool(rest == shape[1:])


def _plain_groups(graph: Graph, inner: onnx.NodeProto) -> int | None:
    """How many groups it normalises; None where it scales or shifts them: in a group norm that
    stands behind it, by channel."""
    scale, shift = (graph.constant(value) for value in inner.input[1:])
    if scale is None or shift is None or scale.dtype != np.float32:
        return None
    return len(scale) if (scale == 1).all() and not shift.any() else None
