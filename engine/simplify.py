"""All passes in their order: the same answers from a graph that costs a runtime less."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import onnx

from engine.passes.argmin import shorten_argmin
from engine.passes.fold import folded
from engine.passes.groupnorm import spread_group_norm
from engine.passes.products import narrow
from engine.passes.softmax import unguard_softmax
from engine.passes.thin import thin_by_channel
from engine.plugins.node import NAMESPACE

Pass: TypeAlias = Callable[[onnx.ModelProto], int]
PASSES: Sequence[Pass] = (shorten_argmin, unguard_softmax, spread_group_norm, thin_by_channel)
GPU_PASSES: Sequence[Pass] = (unguard_softmax,)
"""The others answer what was measured on CPUs; and half precision can keep a norm wide only as long
as it is one node."""


def simplified(
    model: onnx.ModelProto,
    codes: Sequence[int] | None = None,
    *,
    batch: int | None = 1,
    passes: Sequence[Pass] = PASSES,
) -> onnx.ModelProto:
    """The graph of these product ``codes`` (None: of all), folded and rewritten, for batches of
    ``batch`` (None: of any size). The model is changed.

    One with nodes of the plugin is not folded: only TensorRT knows them, and folds itself.
    """
    if codes is not None:
        narrow(model, codes, batches=batch != 1)
    if batch is not None:
        _fix(model, batch)
    if all(opset.domain != NAMESPACE for opset in model.opset_import):
        model = folded(model)
    for rewrite in passes:
        rewrite(model)
    onnx.checker.check_model(model)
    return model


def _fix(model: onnx.ModelProto, batch: int) -> None:
    """Then every shape is a constant, and what is computed from shapes can be folded."""
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = batch
    model.graph.ClearField("value_info")  # which speak of any batch
