"""OpenVINO on the CPU: the default. Precision is pinned here and read back.

Left alone, OpenVINO computes in bf16 on every CPU that can, and a refined map then moves by some
hundredths. The graph is read by the core's own front end, not by ``convert_model``, which would
report to its maker. Compiled models are kept (:mod:`engine.runtimes.compiled`), by what they were
compiled from: a plan that was just built opens as fast as one that was opened before.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Self

import numpy as np
import onnx
from platformdirs import user_cache_path

from engine.manifest import Precision, RuntimeName
from engine.runtimes.base import Answers, Codes, Images, in_turns
from engine.runtimes.compiled import compiled, key_of
from engine.runtimes.missing import missing
from engine.types import InferenceError, MissingError

MODEL = "model.xml"
HINTS: Mapping[Precision, str] = {"f32": "f32", "bf16": "bf16", "int8": "f32"}
"""What is asked of OpenVINO: eight bits stand in the graph, and the rest of it is f32."""


def version() -> str:
    """The installed OpenVINO, with its build."""
    return str(_openvino().get_version())


def save(model: onnx.ModelProto, folder: Path) -> None:
    """Write ``model.xml`` and ``model.bin``, weights left in f32."""
    ov = _openvino()
    converted = ov.Core().read_model(model=model.SerializeToString())
    ov.save_model(converted, folder / MODEL, compress_to_fp16=False)


def load(folder: Path, precision: Precision, threads: int | None) -> "OpenVINORuntime":
    """The runtime of a folder that :func:`save` wrote."""
    return OpenVINORuntime(folder / MODEL, precision, threads)


class OpenVINORuntime:
    """One compiled model of batch 1 and one request, tuned for latency."""

    name: RuntimeName = "openvino"

    def __init__(
        self,
        model: Path,
        precision: Precision,
        threads: int | None = None,
        cache: Path | None = None,
    ) -> None:
        self.precision = precision
        self.version = version()
        self._model = model
        self._threads = threads
        self._cache = cache or user_cache_path("promptmad-inspector") / "openvino"
        self._infer: Callable[[dict[str, Any]], Any] | None = None
        self._names: list[str] = []

    def __enter__(self) -> Self:
        hint = HINTS[self.precision]
        config: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": hint,
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
        }
        if self._threads is not None:
            config["INFERENCE_NUM_THREADS"] = self._threads
        model = self._compiled(config)
        found = model.get_property("INFERENCE_PRECISION_HINT").to_string()
        if found != hint:
            raise MissingError(
                f"This CPU computes in {found} where the plan asks for {hint}: "
                "build the plan again with --precision f32."
            )
        self._names = [value.get_any_name() for value in model.inputs]
        self._infer = model.create_infer_request().infer
        return self

    def _compiled(self, config: dict[str, Any]) -> Any:
        core = _openvino().Core()
        graph = core.read_model(self._model)  # its content is asked, wherever the plan lies

        def compile_with(cache: Mapping[str, Any]) -> Any:
            return core.compile_model(graph, "CPU", {**config, **cache})

        weights = self._model.with_suffix(".bin")
        key = key_of(self._model, weights, self.version, _cpu(core), *map(str, config.items()))
        return compiled(compile_with, self._cache, key)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._infer = None

    def infer(self, image: Images, product: Codes) -> Answers:
        """Maps and scores, one picture after the other."""
        return in_turns(self._one, image, product)

    def _one(self, image: Images, product: Codes) -> Answers:
        if self._infer is None:
            raise RuntimeError("the runtime is not open: use it inside 'with'")
        given = {"image": image, "product": product}
        try:
            answers = self._infer({name: given[name] for name in self._names})
        except RuntimeError as error:
            raise InferenceError(f"OpenVINO gave up on a picture: {error}.") from error
        # copies: the request's own buffers are overwritten by the next picture
        return np.array(answers["map"]), np.array(answers["score"])


def _cpu(core: Any) -> str:
    """What a model was compiled for: another machine's is not taken."""
    return str(core.get_property("CPU", "FULL_DEVICE_NAME"))


def _openvino() -> ModuleType:
    try:
        import openvino
    except ImportError as error:
        raise missing("openvino", error) from None
    module: ModuleType = openvino
    return module
