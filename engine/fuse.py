"""ONNX → ONNX: a bundle's three graphs become one, with as many refinement steps as wanted.

The step graph is placed once per step and its weights are shared; schedule and FiLM row of each
step are constants. The sampler is the deterministic bridge (ResShift, Yue et al., NeurIPS 2023;
cold diffusion, Bansal et al., 2022): x_T = 2 sigmoid(coarse) - 1, then
x_s = x0 + (h_s / h_t) (x_t - x0) at each step from t down to the next lower s.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.inliner import inline_local_functions

from engine.bundle import GRAPHS, Bundle
from engine.manifest import Manifest, Refinement
from engine.plugins.node import NAMESPACE, fused_step, prepared
from engine.types import InputError

DOMAIN = NAMESPACE


class Step(NamedTuple):
    """One refinement step: at time ``t`` (1..T), keeping the share ``keep`` of the state."""

    t: int
    keep: float


def timesteps(trained_steps: int, steps: int) -> list[int]:
    """``steps`` times evenly spaced from T down, none twice; [T, .., 1] when all are taken."""
    if not 0 <= steps <= trained_steps:
        raise InputError(
            f"{steps} refinement steps were asked for, this bundle allows 0 to {trained_steps}."
        )
    return [-(-trained_steps * (steps - i) // steps) for i in range(steps)]  # rounded up: never 0


def schedule(refinement: Refinement, steps: int) -> list[Step]:
    """The sampler's steps in order; the last keeps nothing, since h_0 = 0."""
    h = refinement.noise_share
    times = [*timesteps(refinement.trained_steps, steps), 0]
    return [Step(t, h[s] / h[t]) for t, s in pairwise(times)]


def unroll(bundle: Bundle, steps: int, *, fused: bool = False) -> onnx.ModelProto:
    """One graph, ``image, product → map, score``, with ``steps`` refinement steps (0..T).

    Each graph becomes an ONNX function whose weights are passed in; a main graph calls them in
    turn and ONNX's own inliner puts the nodes in place, with names that say which step they are.
    ``fused``: each step is one node of the plugin instead (:mod:`engine.plugins.node`), where the
    bundle's step is one that its kernel computes.
    """
    trunk, step, head = (inline_local_functions(bundle.graph(name)) for name in GRAPHS)
    nodes = [_call(trunk, "trunk", GRAPHS["trunk"][0], [v.name for v in trunk.graph.output])]
    functions = [_function(trunk, "trunk"), _function(head, "head")]
    constants = [*_weights(trunk, "trunk"), *_weights(head, "head")]
    one_node = fused_step(step) if fused else None
    logits, x, condition = "coarse", "x_start", "condition"
    if steps:
        weights = one_node.weights if one_node else _weights(step, "step")
        constants += [*weights, _constant("half", 0.5)]
        nodes += _start()
    if steps and one_node:
        condition = "condition_last"
        nodes += prepared("condition", condition)
    for t, keep in schedule(bundle.manifest.refinement, steps):
        name, logits, x_next = f"step{t}", f"logits_{t}", f"x_below_{t}"
        constants += [_constant(f"keep_{t}", [keep]), _row(t)]
        inputs, outputs = (x, "coarse", condition, f"film_{t}", f"keep_{t}"), (x_next, logits)
        nodes.append(_film(t))
        if one_node:
            nodes.append(one_node.node(inputs, outputs, name))
        else:
            functions.append(_function(step, "step", name))
            nodes.append(_call(step, "step", inputs, outputs, name))
        x = x_next
    taken = [logits if v.name == "logits" else v.name for v in head.graph.input]
    nodes.append(_call(head, "head", taken, GRAPHS["head"][1]))
    graph = helper.make_graph(nodes, "plan", *_border(bundle.manifest), constants)
    model = _inlined(graph, functions, trunk)
    if one_node:
        model.graph.value_info.extend(_told(model))
    return model


def _told(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """What plugin nodes give, which nobody who does not know them could infer: f32 maps."""
    return [
        helper.make_tensor_value_info(value, TensorProto.FLOAT, ["batch", 1, None, None])
        for node in model.graph.node
        if node.domain == NAMESPACE
        for value in node.output
    ]


def _start() -> list[onnx.NodeProto]:
    """x_T = 2 sigmoid(coarse) - 1, which is tanh(coarse / 2)."""
    return [
        helper.make_node("Mul", ["coarse", "half"], ["half_coarse"], name="start/half"),
        helper.make_node("Tanh", ["half_coarse"], ["x_start"], name="start/tanh"),
    ]


def _film(t: int) -> onnx.NodeProto:
    return helper.make_node(
        "Gather", ["film", f"row_{t}"], [f"film_{t}"], name=f"step{t}/film", axis=1
    )


def _row(t: int) -> TensorProto:
    return numpy_helper.from_array(np.asarray(t - 1, np.int64), f"row_{t}")


def _constant(name: str, value: float | list[float]) -> TensorProto:
    return numpy_helper.from_array(np.asarray(value, np.float32), name)


def _weights(model: onnx.ModelProto, prefix: str) -> list[TensorProto]:
    """The model's initializers under names that no other graph has."""
    renamed = []
    for weight in model.graph.initializer:
        copy = TensorProto()
        copy.CopyFrom(weight)
        copy.name = f"{prefix}.{weight.name}"
        renamed.append(copy)
    return renamed


def _function(model: onnx.ModelProto, prefix: str, name: str | None = None) -> onnx.FunctionProto:
    """The model's nodes as a function of its inputs and its weights."""
    name = name or prefix
    nodes = []
    for i, node in enumerate(model.graph.node):
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        copy.name = f"{name}/{node.name or i}"
        nodes.append(copy)
    inputs = [value.name for value in (*model.graph.input, *model.graph.initializer)]
    outputs = [value.name for value in model.graph.output]
    return helper.make_function(DOMAIN, name, inputs, outputs, nodes, model.opset_import)


def _call(
    model: onnx.ModelProto,
    prefix: str,
    inputs: Sequence[str],
    outputs: Sequence[str],
    name: str | None = None,
) -> onnx.NodeProto:
    weights = [f"{prefix}.{weight.name}" for weight in model.graph.initializer]
    return helper.make_node(name or prefix, [*inputs, *weights], outputs, domain=DOMAIN)


def _border(
    manifest: Manifest,
) -> tuple[list[onnx.ValueInfoProto], list[onnx.ValueInfoProto]]:
    batch, picture, size = "batch", manifest.input, manifest.map
    value = helper.make_tensor_value_info
    return [
        value("image", TensorProto.UINT8, [batch, picture.height, picture.width, 3]),
        value("product", TensorProto.INT64, [batch]),
    ], [
        value("map", TensorProto.FLOAT, [batch, size.height, size.width]),
        value("score", TensorProto.FLOAT, [batch]),
    ]


def _inlined(
    graph: onnx.GraphProto, functions: list[onnx.FunctionProto], like: onnx.ModelProto
) -> onnx.ModelProto:
    opsets = [*like.opset_import, helper.make_opsetid(DOMAIN, 1)]
    model = helper.make_model(
        graph, functions=functions, opset_imports=opsets, ir_version=like.ir_version
    )
    inlined = inline_local_functions(model)
    used = {node.domain for node in inlined.graph.node}
    kept = [opset for opset in inlined.opset_import if opset.domain != DOMAIN or DOMAIN in used]
    del inlined.opset_import[:]
    inlined.opset_import.extend(kept)
    onnx.checker.check_model(inlined)
    return inlined
