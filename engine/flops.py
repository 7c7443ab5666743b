"""How much arithmetic a graph is: multiplications and additions of its products, two a pair.

Convolutions and matrix products, as the field counts them; what lies between costs memory, not
arithmetic, and is left out, as are the plugin's nodes.
"""

from collections.abc import Callable, Mapping
from math import prod

import onnx

from engine.passes.graph import Graph, attribute

Shape = list[int]


def gflop(model: onnx.ModelProto) -> float | None:
    """Of one picture, in 10⁹; None where a product's shape cannot be known without running it."""
    shapes = Graph(model).shapes() | {w.name: list(w.dims) for w in model.graph.initializer}
    total = 0.0
    for node in model.graph.node:
        if node.op_type in _COUNTS:
            known = [shapes.get(name, []) for name in (*node.input[:2], node.output[0])]
            if any(not shape or any(isinstance(n, str) for n in shape) for shape in known):
                return None
            left, right, out = ([int(n) for n in shape] for shape in known)
            total += 2 * _COUNTS[node.op_type](node, left, right, out)
    return total / 1e9


def _conv(_: onnx.NodeProto, __: Shape, weight: Shape, out: Shape) -> int:
    return prod(out) * prod(weight[1:])


def _matmul(_: onnx.NodeProto, left: Shape, __: Shape, out: Shape) -> int:
    return prod(out) * left[-1]


def _gemm(node: onnx.NodeProto, left: Shape, _: Shape, out: Shape) -> int:
    return prod(out) * (left[0] if attribute(node, "transA", 0) else left[1])


_COUNTS: Mapping[str, Callable[[onnx.NodeProto, Shape, Shape, Shape], int]] = {
    "Conv": _conv,
    "ConvTranspose": lambda node, left, weight, out: prod(left) * prod(weight[1:]),
    "MatMul": _matmul,
    "Gemm": _gemm,
}
"""Pairs of a multiplication and an addition, by operator."""
