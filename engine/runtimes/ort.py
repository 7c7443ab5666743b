"""ONNX Runtime on the CPU: the fallback, and the reference every other plan is compared with."""

from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Self

import numpy as np
import onnx
from numpy.typing import NDArray

from engine.manifest import Precision, RuntimeName
from engine.runtimes.base import Answers, Codes, Images, in_turns
from engine.runtimes.missing import missing
from engine.types import InferenceError

MODEL = "model.onnx"


def version() -> str:
    """The installed ONNX Runtime."""
    return str(_onnxruntime().__version__)


def save(model: onnx.ModelProto, folder: Path) -> None:
    """Write ``model.onnx`` as it is: ONNX Runtime optimises it while loading."""
    onnx.save(model, folder / MODEL)


def load(folder: Path, precision: Precision, threads: int | None) -> "OnnxRuntime":
    """The runtime of a folder that :func:`save` wrote."""
    return OnnxRuntime(folder / MODEL, precision, threads)


class OnnxRuntime:
    """One session, sequential execution, ``threads`` inside an operator (None: all cores)."""

    name: RuntimeName = "onnxruntime"

    def __init__(self, model: Path, precision: Precision, threads: int | None = None) -> None:
        self.precision = precision
        self.version = version()
        self._model = model
        self._threads = threads
        self._session: Session | None = None

    def __enter__(self) -> Self:
        self._session = Session(self._model.read_bytes(), self._threads)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._session = None

    def infer(self, image: Images, product: Codes) -> Answers:
        """Maps and scores, one picture after the other: a batch gains next to nothing here."""
        return in_turns(self._one, image, product)

    def _one(self, image: Images, product: Codes) -> Answers:
        if self._session is None:
            raise RuntimeError("the runtime is not open: use it inside 'with'")
        maps, scores = self._session.run({"image": image, "product": product})
        return maps, scores


class Session:
    """An ONNX graph, ready to run on the CPU."""

    def __init__(self, model: bytes, threads: int | None = None) -> None:
        ort = _onnxruntime()
        options = ort.SessionOptions()
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        options.intra_op_num_threads = threads or 0  # 0: as many as there are cores
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session: Any = ort.InferenceSession(model, options, ["CPUExecutionProvider"])
        self._names = [value.name for value in self._session.get_inputs()]
        self._failures = _failures(ort)

    def run(self, inputs: dict[str, NDArray[Any]]) -> list[NDArray[np.float32]]:
        """All outputs, in the graph's order; what it does not ask for is left out."""
        asked = {name: inputs[name] for name in self._names}
        try:
            outputs: list[NDArray[np.float32]] = self._session.run(None, asked)
        except self._failures as error:
            raise InferenceError(f"ONNX Runtime gave up on a picture: {error}.") from error
        return outputs


def optimised(model: bytes, out: Path) -> None:
    """Write the graph as ONNX Runtime's basic level leaves it: standard operators only."""
    ort = _onnxruntime()
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(out)
    options.log_severity_level = 3
    ort.InferenceSession(model, options, ["CPUExecutionProvider"])


def _failures(ort: ModuleType) -> tuple[type[Exception], ...]:
    """ONNX Runtime's own run-time errors; a wrong input is not among them, that is our fault."""
    state = ort.capi.onnxruntime_pybind11_state
    return (state.Fail, state.RuntimeException, state.EPFail)


def _onnxruntime() -> ModuleType:
    try:
        import onnxruntime
    except ImportError as error:
        raise missing("onnxruntime", error) from None
    onnxruntime.disable_telemetry_events()  # a station reports to its owner alone
    module: ModuleType = onnxruntime
    return module
