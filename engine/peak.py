"""What this machine can multiply in f32, measured: the yardstick of a plan's inference."""

import time
from collections.abc import Callable
from functools import partial

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from engine.runtimes.ort import Session

SHAPES = ((2048, 2048, 2048), (1024, 192, 6144), (4096, 576, 64))
"""Of products ``(M, K) (K, N)``: large, wide, and as a 3 × 3 convolution of 64 channels is. The
peak is the best of them: no one shape is every library's best."""
ROUNDS = 12


def peak_gflops(threads: int | None = None) -> float:
    """10⁹ operations a second: the fastest of some products by ONNX Runtime, whose products are
    plain ones; ``threads`` None is all cores."""
    return max(
        work / min(_seconds(multiply) for _ in range(ROUNDS))
        for work, multiply in products(threads)
    )


def products(threads: int | None) -> list[tuple[float, Callable[[], object]]]:
    """Each of :data:`SHAPES`: how much arithmetic it is, in 10⁹, and what does it once."""
    rng = np.random.default_rng(0)
    found: list[tuple[float, Callable[[], object]]] = []
    for m, k, n in SHAPES:
        a, b = (rng.random(shape, np.float32) for shape in ((m, k), (k, n)))
        session = Session(_product(b, m), threads)
        found.append((2e-9 * m * k * n, partial(session.run, {"a": a})))
    return found


def _product(weight: NDArray[np.float32], rows: int) -> bytes:
    """``a (M, K)`` times a constant."""
    k, n = weight.shape
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["a", "b"], ["c"])],
        "product",
        [helper.make_tensor_value_info("a", TensorProto.FLOAT, [rows, k])],
        [helper.make_tensor_value_info("c", TensorProto.FLOAT, [rows, n])],
        [numpy_helper.from_array(weight, "b")],
    )
    opsets = [helper.make_opsetid("", 18)]
    model: onnx.ModelProto = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    return bytes(model.SerializeToString())


def _seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started
