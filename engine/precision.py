"""Precision is a property of the graph: casts for half, explicit Q/DQ for eight bits.

TensorRT 11 has no other way, and OpenVINO and ONNX Runtime read the same graphs. Both passes are
ONNX Runtime's own tools; what is ours is what they leave alone.
"""

import logging
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import onnx
from numpy.typing import NDArray

from engine.passes.casts import join_casts
from engine.passes.graph import Graph, sort
from engine.plugins.node import NAMESPACE
from engine.runtimes.base import Codes, Images
from engine.types import InputError

LEAST_CHANNELS = 16
"""Convolutions from fewer, or to fewer, stay in f32: the picture itself, the marks of a map."""
DEEP_CHANNELS = 128
"""Of a trunk's convolutions that banks are asked about: those of fewer come first."""
WIDE = (
    *("ReduceSum", "ReduceMean", "Pow", "Sqrt", "Div", "TopK", "ArgMin"),
    *("LayerNormalization", "InstanceNormalization"),
)
"""What half precision would spoil beside the operators that ONNX Runtime keeps wide anyway: sums
over thousands of numbers and small differences of large ones."""


class Shown(NamedTuple):
    """Pictures ``(G, H, W, 3)`` to calibrate with, and their products' codes ``(G,)``."""

    image: Images
    product: Codes


def halved(model: onnx.ModelProto) -> onnx.ModelProto:
    """In fp16 where that is safe; inputs, outputs, distances and norms stay in f32, and what a
    plugin takes and gives is its own affair. Norms have to be nodes of their own
    (:data:`engine.simplify.GPU_PASSES`)."""
    from onnxruntime.transformers import float16

    plugins = {node.op_type for node in model.graph.node if node.domain == NAMESPACE}
    kept = [*float16.DEFAULT_OP_BLOCK_LIST, *WIDE, *plugins]
    logging.getLogger(float16.__name__).setLevel(logging.ERROR)
    found = float16.convert_float_to_float16(
        model, keep_io_types=True, op_block_list=kept, node_block_list=sorted(_searching(model))
    )
    assert isinstance(found, onnx.ModelProto)
    sort(found)  # casts stand behind all else
    join_casts(found)
    onnx.checker.check_model(found)
    return found


def quantised(model: onnx.ModelProto, shown: Shown) -> onnx.ModelProto:
    """With its wide convolutions in eight bits: weights symmetric and by channel, activations from
    the least to the most that ``shown`` has: symmetric ones OpenVINO gets wrong on CPUs without
    eight-bit products (docs/decisions/0021). Refinement, attention and the search of banks stay as
    they are. :class:`InputError` where no convolution is wide."""
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.quant_utils import add_pre_process_metadata

    add_pre_process_metadata(model)  # it is folded already, and would be warned of
    chosen = _wide_convolutions(model)
    if not chosen:  # which ONNX Runtime would take for all
        raise InputError(
            "Eight bits gain nothing here: no convolution of this model is wide enough. "
            "Leave out --precision int8."
        )
    with TemporaryDirectory() as name:
        out = Path(name) / "model.onnx"
        quantize_static(
            model,
            out,
            _Reader(model, shown),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            nodes_to_quantize=chosen,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={"WeightSymmetric": True},
        )
        return onnx.load(out)


def _searching(model: onnx.ModelProto, *, through: bool = False) -> set[str]:
    """The nodes, by name, that a search for the nearest token rests on: from its product with the
    bank on, whose likenesses differ in their last digits, or ``through`` that up to the picture."""
    graph = Graph(model)
    ends = [node for node in model.graph.node if node.op_type == "ArgMin"]
    found: set[str] = set()
    while ends:
        node = ends.pop()
        if node.name in found:
            continue
        found.add(node.name)
        if through or node.op_type not in ("MatMul", "Gemm"):
            ends += [m for value in node.input if (m := graph.makers.get(value)) is not None]
    return found


def _wide_convolutions(model: onnx.ModelProto) -> list[str]:
    """By name, those that are worth it and bear it. In the refiner they are small, and repeated;
    what a trunk sees first decides which token is near: eight bits there moved scores of a real
    model by 14 % of their range, and by 1.4 % without (docs/decisions/0021)."""
    graph, searched = Graph(model), _searching(model, through=True)
    chosen = []
    for node in model.graph.node:
        weight = graph.constant(node.input[1]) if node.op_type == "Conv" else None
        if weight is None or node.name.startswith("step") or weight.shape[2:] == (1, 1):
            continue
        least = DEEP_CHANNELS if node.name in searched else LEAST_CHANNELS
        if weight.shape[0] >= least and weight.shape[1] >= LEAST_CHANNELS:
            chosen.append(node.name)
    return chosen


class _Reader:
    """The pictures, one at a time, as ONNX Runtime's calibration asks for them."""

    def __init__(self, model: onnx.ModelProto, shown: Shown) -> None:
        self._given = _asked({value.name for value in model.graph.input}, shown)

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        return next(self._given, None)

    def set_range(self, start_index: int, end_index: int) -> None:
        """Asked for by tools that calibrate in strides, which these few pictures do not need."""


def _asked(names: set[str], shown: Shown) -> Iterator[dict[str, NDArray[Any]]]:
    """A picture and its product's code at a time, of which a graph takes those of its ``names``."""
    for i in range(len(shown.image)):
        pair: dict[str, NDArray[Any]] = {
            "image": shown.image[i : i + 1],
            "product": shown.product[i : i + 1],
        }
        yield {name: value for name, value in pair.items() if name in names}
