"""TensorRT on an NVIDIA GPU, 10.9 to 11.x: a strongly typed network, with the fused step inside.

The plan folder holds the graph; the engine is native code for one TensorRT on one GPU, so it is
built on the station and kept in its user's cache, under a hash of all that it depends on, and built
anew when any of that changes. NVIDIA's check of an engine is no tamper check: only what this user
built is ever deserialised, never a file that came with a bundle or a plan.

One thread owns context, stream and memory from entering to leaving; of no other is a picture taken.
"""

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Final, Self

import numpy as np
import onnx
from filelock import FileLock
from platformdirs import user_cache_path

from engine.files import whole_file
from engine.manifest import Precision, RuntimeName
from engine.plugins.quick import PTX, register
from engine.runtimes.base import Answers, Codes, Images, in_turns
from engine.runtimes.cuda import Gpu, PyCuda, size_of
from engine.runtimes.missing import missing
from engine.types import BundleError, InferenceError, MissingError

MODEL = "model.onnx"
MOST = 8
"""Pictures that an engine takes at once; more are taken in turns."""
OLDEST: Final = (10, 9)
"""The first with plugins whose kernels are compiled ahead of time."""
WORKSPACE: Final = 2**30
OPTIONS = f"batch 1..{MOST} workspace {WORKSPACE} strongly typed"
OUTPUTS = ("map", "score")
_registered = threading.Event()


def version() -> str:
    """The installed TensorRT; :class:`MissingError` where it is too old for the plugin."""
    said = str(_tensorrt().__version__)
    if tuple(int(part) for part in said.split(".")[:2]) < OLDEST:
        raise MissingError(
            f"TensorRT {said} is here, plans need {'.'.join(map(str, OLDEST))} or newer: "
            "run 'pip install \"promptmad-inspector[tensorrt]\"'."
        )
    return said


def save(model: onnx.ModelProto, folder: Path) -> None:
    """Write ``model.onnx``: the engine is built where it will run, when it is opened."""
    onnx.save(model, folder / MODEL)


def load(folder: Path, precision: Precision, threads: int | None) -> "TensorRTRuntime":
    """The runtime of a folder that :func:`save` wrote; a GPU has no ``threads`` to choose."""
    del threads
    return TensorRTRuntime(folder / MODEL, precision)


class TensorRTRuntime:
    """One engine, one execution context, and a CUDA graph for each batch that was seen."""

    name: RuntimeName = "tensorrt"

    def __init__(
        self,
        model: Path,
        precision: Precision,
        gpu: Callable[[], Gpu] = PyCuda,
        cache: Path | None = None,
    ) -> None:
        self.precision = precision
        self.version = version()
        self._model, self._open_gpu = model, gpu
        self._cache = cache or user_cache_path("promptmad-inspector") / "tensorrt"
        self._lane: _Lane | None = None
        self._owner = 0

    def __enter__(self) -> Self:
        gpu = self._open_gpu()
        try:
            engine = engine_of(_tensorrt(), self._model.read_bytes(), gpu.name, self._cache)
            self._lane = _Lane(gpu, engine)
        except BaseException:
            gpu.close()
            raise
        self._owner = threading.get_ident()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._lane is not None:
            self._lane.close()
        self._lane = None

    def infer(self, image: Images, product: Codes) -> Answers:
        """Maps and scores of a batch, :data:`MOST` at a time."""
        if self._lane is None:
            raise RuntimeError("the runtime is not open: use it inside 'with'")
        if threading.get_ident() != self._owner:
            raise RuntimeError("the runtime was opened in another thread, which owns its context")
        return in_turns(self._lane.run, image, product, MOST)


class _Lane:
    """Buffers for the largest batch, and what was recorded of each smaller one."""

    def __init__(self, gpu: Gpu, engine: Any) -> None:
        self._gpu, self._engine = gpu, engine
        self._context = engine.create_execution_context()
        if self._context is None:
            raise InferenceError("The GPU has no room for this plan: close what else runs on it.")
        trt = _tensorrt()
        names = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
        shapes = {name: (MOST, *tuple(engine.get_tensor_shape(name))[1:]) for name in names}
        kinds = {name: trt.nptype(engine.get_tensor_dtype(name)) for name in names}
        self._host = {name: gpu.pinned(shapes[name], kinds[name]) for name in names}
        self._there = {name: gpu.allocate(size_of(self._host[name])) for name in names}
        for name, address in self._there.items():
            self._context.set_tensor_address(name, address)
        self._inputs = [name for name in names if name not in OUTPUTS]
        self._recorded: dict[int, Callable[[], None]] = {}

    def run(self, image: Images, product: Codes) -> Answers:
        count = len(image)
        for name, value in (("image", image), ("product", product)):
            if name in self._inputs:
                self._host[name][:count] = value
        if count not in self._recorded:
            self._learn(count)
        self._recorded[count]()
        self._gpu.wait()
        maps, scores = (np.array(self._host[name][:count], np.float32) for name in OUTPUTS)
        return maps, scores

    def _learn(self, count: int) -> None:
        """Run this batch once plainly, which allocates what has to be, then record it."""
        for name in self._inputs:
            shape = (count, *self._host[name].shape[1:])
            if not self._context.set_input_shape(name, shape):
                raise InferenceError(f"This plan takes no {name} of {shape}.")

        def call() -> None:
            self._enqueue(count)

        call()
        self._gpu.wait()
        again = self._gpu.record(call)
        self._recorded[count] = again if again is not None else self._plainly(count)

    def _plainly(self, count: int) -> Callable[[], None]:
        """Without a recording: the shape has to be told each time."""

        def call() -> None:
            for name in self._inputs:
                self._context.set_input_shape(name, (count, *self._host[name].shape[1:]))
            self._enqueue(count)

        return call

    def _enqueue(self, count: int) -> None:
        for name in self._inputs:
            self._gpu.upload(self._there[name], self._host[name][:count])
        if not self._context.execute_async_v3(self._gpu.stream):
            raise InferenceError("TensorRT refused a picture.")
        for name in OUTPUTS:
            self._gpu.download(self._host[name][:count], self._there[name])

    def close(self) -> None:
        self._recorded.clear()
        self._context = self._engine = None  # before the memory that they point to
        self._gpu.close()


def engine_of(trt: Any, model: bytes, gpu: str, cache: Path) -> Any:
    """The engine of a graph, from the cache if this very one was built before."""
    here = (str(trt.__version__).encode(), gpu.encode())
    name, machine = hashed(model, PTX.read_bytes(), *here), hashed(*here)
    logger = trt.Logger(trt.Logger.ERROR)
    _register_once(trt)
    kept = cache / f"{name}.engine"
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(cache / "lock"):  # two stations of one machine build one after the other
        if not kept.is_file():
            with whole_file(kept) as part:
                part.write_bytes(built(trt, logger, model, cache / f"{machine}.timing"))
        engine = trt.Runtime(logger).deserialize_cuda_engine(kept.read_bytes())
    if engine is None:
        kept.unlink(missing_ok=True)
        raise BundleError(f"TensorRT cannot read {kept}, which is now gone: open the plan again.")
    return engine


def hashed(*parts: bytes) -> str:
    """Of all that an engine depends on, each part by its own hash."""
    whole = hashlib.sha256(OPTIONS.encode())
    for part in parts:
        whole.update(hashlib.sha256(part).digest())
    return whole.hexdigest()


def built(trt: Any, logger: Any, model: bytes, timing: Path) -> bytes:
    """Compile a graph; what was timed is kept in ``timing`` for the next one on this machine."""
    builder = trt.Builder(logger)
    flags = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    network = builder.create_network(flags)
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(model):
        said = "; ".join(parser.get_error(i).desc() for i in range(parser.num_errors))
        raise BundleError(f"TensorRT does not take this bundle's graph: {said}.")
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, WORKSPACE)
    config.add_optimization_profile(_profile(builder, network))
    known = config.create_timing_cache(timing.read_bytes() if timing.is_file() else b"")
    config.set_timing_cache(known, False)  # another GPU's is refused, not trusted
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise BundleError("TensorRT built no engine of this bundle; its messages say why.")
    with whole_file(timing) as part:
        part.write_bytes(bytes(config.get_timing_cache().serialize()))
    return bytes(plan)


def _profile(builder: Any, network: Any) -> Any:
    profile = builder.create_optimization_profile()
    for i in range(network.num_inputs):
        given = network.get_input(i)
        rest = tuple(given.shape)[1:]
        profile.set_shape(given.name, (1, *rest), (1, *rest), (MOST, *rest))
    return profile


def _register_once(trt: Any) -> None:
    """Plugins are known to the process; a second time would be refused."""
    if not _registered.is_set():
        import tensorrt.plugin

        register(tensorrt.plugin)
        _registered.set()


def _tensorrt() -> ModuleType:
    try:
        import tensorrt
    except ImportError:
        raise missing("tensorrt") from None
    module: ModuleType = tensorrt
    return module
