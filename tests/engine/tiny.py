"""A bundle of a few kilobytes that finds bright or dark spots, made without torch.

Its trunk calls strange what deviates from the picture's mean grey; its step is one small
convolutional correction, its head adds the distance. Not trained, but no mock either: every graph
is a real one with the shapes of the contract.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike
from onnx import TensorProto, helper, numpy_helper

from engine.bundle import Bundle, PromptTable, PromptWords, write_bundle
from engine.golden import Golden
from engine.known import KnownGood
from engine.manifest import Backbone, Manifest, Refinement, Size, TextEncoder, Training
from engine.reference import reference
from engine.types import Image

STEPS = 10
CHANNELS = 32
OPSET = 18
F32, I64, U8 = TensorProto.FLOAT, TensorProto.INT64, TensorProto.UINT8


def make_tiny_bundle(
    folder: Path,
    products: Sequence[str] = ("disc", "label"),
    size: int = 64,
    goods: Sequence[KnownGood] = (),
    golden: Golden | None = None,
) -> Path:
    """Write the bundle at ``folder``: pictures of ``size``, maps of half of it."""
    graphs, prompts = tiny_graphs(len(products), size), _prompts(products)
    write_bundle(folder, tiny_manifest(products, size), graphs, prompts, goods, golden)
    return folder


def tiny_graphs(products: int = 2, size: int = 64, shrink: int = 2) -> dict[str, onnx.ModelProto]:
    """The graphs of the tiny bundle, with maps of a ``shrink``-th of the picture's side."""
    side = size // shrink
    return {"trunk": _trunk(products, size, shrink), "step": _step(side), "head": _head(side)}


def tiny_manifest(products: Sequence[str] = ("disc", "label"), size: int = 64) -> Manifest:
    """The manifest of the tiny bundle."""
    return Manifest(
        name="tiny",
        model="tiny",
        created=datetime(2026, 1, 1, tzinfo=UTC),
        project_version="0.1.0",
        products=tuple(products),
        input=Size(height=size, width=size),
        map=Size(height=size // 2, width=size // 2),
        refinement=Refinement(
            trained_steps=STEPS,
            default_steps=STEPS,
            noise_share=tuple((t / STEPS) ** 2 for t in range(STEPS + 1)),
        ),
        text=TextEncoder(encoder="none", dim=4, note="for tests"),
        backbone=Backbone(
            name="mean-grey",
            weights="trained by this project",
            weights_sha256=None,
            licence="Apache-2.0",
        ),
        training=Training(snapshot_sha256="0" * 64, seed=0, pictures=0, minutes=0.0),
        licence="Apache-2.0",
    )


def grey_picture(height: int = 64, width: int = 64, seed: int = 0) -> Image:
    """A good part: grey with a little noise."""
    noise = np.random.default_rng(seed).normal(0, 4, (height, width, 3))
    return np.clip(128 + noise, 0, 255).astype(np.uint8)


def spot_picture(height: int = 64, width: int = 64, at: tuple[int, int] = (16, 40)) -> Image:
    """A defective part: a bright square of 8 pixels at (row, column)."""
    picture = grey_picture(height, width)
    picture[at[0] : at[0] + 8, at[1] : at[1] + 8] = 250
    return picture


def _prompts(products: Sequence[str]) -> PromptTable:
    words = {
        p: PromptWords(normal=(f"a flawless {p}",), abnormal=(f"a broken {p}",)) for p in products
    }
    rng = np.random.default_rng(0)
    return PromptTable(words, rng.normal(size=(len(products), 2, 4)).astype(np.float32))


def _trunk(products: int, size: int, shrink: int) -> onnx.ModelProto:
    rng = np.random.default_rng(1)
    film = rng.normal(0, 0.3, (products, STEPS, 2 * CHANNELS)).astype(np.float32)
    constants: dict[str, ArrayLike] = {
        "grain": np.float32(255),
        "gain": np.float32(20),
        "doubt": np.float32(4),
        "films": film,
    }
    side = size // shrink
    pooled = {"kernel_shape": [shrink, shrink], "strides": [shrink, shrink]}
    return _model(
        [
            _node("Cast", ["image"], ["levels"], to=F32),
            _node("Div", ["levels", "grain"], ["rgb"]),
            _node("Transpose", ["rgb"], ["planes"], perm=[0, 3, 1, 2]),
            _node("AveragePool", ["planes"], ["small"], **pooled),
            _node("ReduceMean", ["small", "axis_channel"], ["grey"], keepdims=1),
            _node("ReduceMean", ["grey", "axes_picture"], ["mean"], keepdims=1),
            _node("Sub", ["grey", "mean"], ["difference"]),
            _node("Abs", ["difference"], ["deviation"]),
            _node("Mul", ["deviation", "gain"], ["strange"]),
            _node("Sub", ["strange", "doubt"], ["coarse"]),
            _node("Concat", ["grey", "deviation"], ["condition"], axis=1),
            _node("Gather", ["films", "product"], ["film"], axis=0),
            _node("AveragePool", ["deviation"], ["distance"], kernel_shape=[2, 2], strides=[2, 2]),
        ],
        [("image", U8, ["B", size, size, 3]), ("product", I64, ["B"])],
        [
            ("coarse", F32, ["B", 1, side, side]),
            ("condition", F32, ["B", 2, side, side]),
            ("film", F32, ["B", STEPS, 2 * CHANNELS]),
            ("distance", F32, ["B", 1, side // 2, side // 2]),
        ],
        constants
        | {"axis_channel": np.array([1], np.int64), "axes_picture": np.array([2, 3], np.int64)},
    )


def _step(side: int) -> onnx.ModelProto:
    rng = np.random.default_rng(2)
    shape_in, shape_out = (CHANNELS, 4, 3, 3), (1, CHANNELS, 3, 3)
    return _model(
        [
            _node("Concat", ["x", "coarse", "condition"], ["seen"], axis=1),
            _node("Conv", ["seen", "w_in"], ["y"], pads=[1, 1, 1, 1]),
            _node("Unsqueeze", ["film", "axes_plane"], ["film_plane"]),
            _node("Split", ["film_plane"], ["scale", "shift"], axis=1, num_outputs=2),
            _node("Mul", ["y", "scale"], ["scaled"]),
            _node("Add", ["scaled", "shift"], ["shifted"]),
            _node("Relu", ["shifted"], ["active"]),
            _node("Conv", ["active", "w_out"], ["correction"], pads=[1, 1, 1, 1]),
            _node("Add", ["coarse", "correction"], ["logits"]),
            _node("Sigmoid", ["logits"], ["share"]),
            _node("Mul", ["share", "two"], ["doubled"]),
            _node("Sub", ["doubled", "one"], ["clean"]),
            _node("Sub", ["x", "clean"], ["rest"]),
            _node("Mul", ["rest", "keep"], ["kept"]),
            _node("Add", ["clean", "kept"], ["x_next"]),
        ],
        [
            ("x", F32, ["B", 1, side, side]),
            ("coarse", F32, ["B", 1, side, side]),
            ("condition", F32, ["B", 2, side, side]),
            ("film", F32, ["B", 2 * CHANNELS]),
            ("keep", F32, [1]),
        ],
        [("x_next", F32, ["B", 1, side, side]), ("logits", F32, ["B", 1, side, side])],
        {
            "w_in": rng.normal(0, 0.2, shape_in).astype(np.float32),
            "w_out": rng.normal(0, 0.02, shape_out).astype(np.float32),
            "axes_plane": np.array([2, 3], np.int64),
            "one": np.float32(1),
            "two": np.float32(2),
        },
    )


def _head(side: int) -> onnx.ModelProto:
    return _model(
        [
            _node("Resize", ["distance", "", "twice"], ["far"], mode="linear"),
            _node("Gather", ["weights", "product"], ["weight"], axis=0),
            _node("Mul", ["far", "weight"], ["weighted"]),
            _node("Add", ["logits", "weighted"], ["sum"]),
            _node("Squeeze", ["sum", "axis_channel"], ["map"]),
            _node("ReduceMax", ["map", "axes_picture"], ["score"], keepdims=0),
        ],
        [
            ("logits", F32, ["B", 1, side, side]),
            ("distance", F32, ["B", 1, side // 2, side // 2]),
            ("product", I64, ["B"]),
        ],
        [("map", F32, ["B", side, side]), ("score", F32, ["B"])],
        {
            "twice": np.array([1, 1, 2, 2], np.float32),
            "weights": np.linspace(1, 2, 64, dtype=np.float32).reshape(64, 1, 1, 1),
            "axis_channel": np.array([1], np.int64),
            "axes_picture": np.array([1, 2], np.int64),
        },
    )


def _node(op: str, inputs: list[str], outputs: list[str], **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, inputs, outputs, name=outputs[0], **attributes)


def _model(
    nodes: list[onnx.NodeProto],
    inputs: list[tuple[str, int, list[str | int]]],
    outputs: list[tuple[str, int, list[str | int]]],
    constants: Mapping[str, ArrayLike],
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(*value) for value in inputs],
        [helper.make_tensor_value_info(*value) for value in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)


def tiny_golden(bare: Bundle) -> Golden:
    """A good and a spoilt part of each of two products, and what the graphs say of them."""
    images = np.stack([grey_picture(), spot_picture(), grey_picture(seed=1), spot_picture()])
    codes = np.array([0, 0, 1, 1])
    answers = reference(bare, bare.manifest.refinement.default_steps, images, codes)
    return Golden(images, codes, np.array([False, True, False, True]), *answers)
