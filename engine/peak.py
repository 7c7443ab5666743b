"""What this machine can multiply in f32, measured: the yardstick of a plan's inference."""

import time

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
    rng = np.random.default_rng(0)
    best = 0.0
    for m, k, n in SHAPES:
        a, b = (rng.random(shape, np.float32) for shape in ((m, k), (k, n)))
        session = Session(_product(b, m), threads)
        seconds = min(_seconds(session, a) for _ in range(ROUNDS))
        best = max(best, 2e-9 * m * k * n / seconds)
    return best


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


def _seconds(session: Session, a: NDArray[np.float32]) -> float:
    started = time.perf_counter()
    session.run({"a": a})
    return time.perf_counter() - started
