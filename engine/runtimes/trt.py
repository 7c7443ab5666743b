"""TensorRT on an NVIDIA GPU, 10.9 to 11.x: a strongly typed network, with the fused step inside.

The plan folder holds the graph; the engine is native code for one TensorRT on one GPU, so it is
built on the station and kept in its user's cache, under a hash of all that it depends on, and built
anew when any of that changes. NVIDIA's check of an engine is no tamper check: only what this user
built is ever deserialised, never a file that came with a bundle or a plan.

One thread owns context, stream and memory from entering to leaving; of no other is a picture taken.
"""

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
from engine.types import BundleError, InferenceError, InputError, MissingError

MODEL = "model.onnx"
MOST = 8
"""Pictures that an engine takes at once; more are taken in turns."""
OLDEST: Final = (10, 9)
"""The first with plugins whose kernels are compiled ahead of time."""
UNTRIED: Final = 12
"""The first of which not even the names were looked at."""
WORKSPACE: Final = 2**30
OPTIONS = f"batch 1..{MOST} workspace {WORKSPACE} strongly typed no TF32 strict NaNs"
OUTPUTS = ("map", "score")
ELSEWHERE = "the runtime was opened in another thread, which owns its context"
_registered = threading.Event()


def version() -> str:
    """The installed TensorRT; :class:`MissingError` where it is too old for the plugin, or newer
    than what was tried."""
    said = str(_tensorrt().__version__)
    major, minor = (int(part) for part in said.split(".")[:2])
    if (major, minor) < OLDEST or major >= UNTRIED:
        oldest = ".".join(map(str, OLDEST))
        raise MissingError(
            f"TensorRT {said} is here, plans need {oldest} or newer, but older than {UNTRIED}: "
            f"run 'pip install \"tensorrt>={oldest},<{UNTRIED}\"'."
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
    """One engine, and for each size of batch that was seen a context and a CUDA graph."""

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
        if self._lane is None:
            return
        if threading.get_ident() == self._owner:
            self._lane.close()
            self._lane = None
        elif error is None:  # else that has to be told
            raise RuntimeError(ELSEWHERE)

    def infer(self, image: Images, product: Codes) -> Answers:
        """Maps and scores of a batch, :data:`MOST` at a time."""
        if self._lane is None:
            raise RuntimeError("the runtime is not open: use it inside 'with'")
        if threading.get_ident() != self._owner:
            raise RuntimeError(ELSEWHERE)
        if len(image) != len(product):
            raise ValueError(f"{len(image)} pictures came with {len(product)} product codes")
        return in_turns(self._lane.run, image, product, MOST)


class _Lane:
    """Buffers for the largest batch, and of each size that was seen what was learnt of it."""

    def __init__(self, gpu: Gpu, engine: Any) -> None:
        self._gpu, self._engine = gpu, engine
        trt = _tensorrt()
        names = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
        shapes = {name: (MOST, *tuple(engine.get_tensor_shape(name))[1:]) for name in names}
        kinds = {name: trt.nptype(engine.get_tensor_dtype(name)) for name in names}
        self._host = {name: gpu.pinned(shapes[name], kinds[name]) for name in names}
        self._there = {name: gpu.allocate(size_of(self._host[name])) for name in names}
        self._inputs = [name for name in names if name not in OUTPUTS]
        self._learnt: dict[int, tuple[Any, Callable[[], None]]] = {}

    def run(self, image: Images, product: Codes) -> Answers:
        count = len(image)
        for name, value in (("image", image), ("product", product)):
            if name in self._inputs:
                self._host[name][:count] = value
        if count not in self._learnt:
            self._learnt[count] = self._learn(count)
        _, call = self._learnt[count]
        call()
        self._gpu.wait()
        maps, scores = (np.array(self._host[name][:count], np.float32) for name in OUTPUTS)
        return maps, scores

    def _learn(self, count: int) -> tuple[Any, Callable[[], None]]:
        """Run this batch once plainly, which allocates what has to be, then record it.

        A recording points into its context, which is therefore kept, and used for no other.
        """
        context = self._context(count)

        def call() -> None:
            self._enqueue(context, count)

        call()
        self._gpu.wait()
        recording = self._gpu.record(call)
        return context, call if recording is None else recording

    def _context(self, count: int) -> Any:
        """One for this size of batch alone, over the buffers of all."""
        context = self._engine.create_execution_context()
        if context is None:
            raise InferenceError("The GPU has no room for this plan: close what else runs on it.")
        for name, address in self._there.items():
            if not context.set_tensor_address(name, address):
                raise InferenceError(f"TensorRT takes no memory for {name}: build the plan again.")
        for name in self._inputs:
            shape = (count, *self._host[name].shape[1:])
            if not context.set_input_shape(name, shape):
                raise InferenceError(f"This plan takes no {name} of {shape}: build it again.")
        return context

    def _enqueue(self, context: Any, count: int) -> None:
        for name in self._inputs:
            self._gpu.upload(self._there[name], self._host[name][:count])
        if not context.execute_async_v3(self._gpu.stream):
            raise InferenceError("TensorRT refused a picture: open the plan again.")
        for name in OUTPUTS:
            self._gpu.download(self._host[name][:count], self._there[name])

    def close(self) -> None:
        self._learnt.clear()  # before the memory that they point to
        self._engine = None
        self._gpu.close()


def engine_of(trt: Any, model: bytes, gpu: str, cache: Path) -> Any:
    """The engine of a graph, from the cache if this very one was built before."""
    here = (str(trt.__version__).encode(), gpu.encode())
    name, machine = hashed(model, PTX.read_bytes(), *here), hashed(*here)
    logger = trt.Logger(trt.Logger.ERROR)
    _register_once(trt)
    kept = cache / f"{name}.engine"
    with _locked(cache):
        if not kept.is_file():
            plan = built(trt, logger, model, cache / f"{machine}.timing")
            with whole_file(kept) as part:
                part.write_bytes(plan)
        engine = trt.Runtime(logger).deserialize_cuda_engine(kept.read_bytes())
        if engine is None:
            kept.unlink(missing_ok=True)
            raise BundleError(
                f"TensorRT cannot read {kept}, which is now gone: open the plan again."
            )
    return engine


@contextmanager
def _locked(cache: Path) -> Iterator[None]:
    """The cache for one process alone: two stations of one machine build one after the other.

    Said here, since whoever writes a plan takes any OSError for one of the plan's own folder.
    """
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / "lock"):
            yield
    except OSError as error:
        raise InputError(
            f"TensorRT's cache {cache} cannot be used: {error.strerror}; make room there, and let "
            "this user write to it."
        ) from error


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
    config = _configured(trt, builder, network)
    _recall(config, timing)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise BundleError("TensorRT built no engine of this bundle; its messages say why.")
    timed = config.get_timing_cache()
    if timed is not None:
        with whole_file(timing) as part:
            part.write_bytes(bytes(timed.serialize()))
    return bytes(plan)


def _configured(trt: Any, builder: Any, network: Any) -> Any:
    """As :data:`OPTIONS` says: f32 is f32, and a NaN comes out as one, since it is a fault."""
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, WORKSPACE)
    config.clear_flag(trt.BuilderFlag.TF32)
    config.set_flag(trt.BuilderFlag.STRICT_NANS)
    if config.add_optimization_profile(_profile(builder, network)) < 0:
        raise BundleError(
            f"TensorRT takes no batches of 1 to {MOST} of this bundle: try another --runtime."
        )
    return config


def _recall(config: Any, timing: Path) -> None:
    """Give the builder what was timed before; where that is refused, an empty cache to fill."""
    for known in (timing.read_bytes() if timing.is_file() else b"", b""):
        cache = config.create_timing_cache(known)
        # another GPU's is refused, not trusted; without any, an engine is built all the same
        if cache is not None and config.set_timing_cache(cache, False):
            return


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
    except (ImportError, OSError) as error:  # the latter where Windows does not find its libraries
        raise missing("tensorrt", error) from None
    module: ModuleType = tensorrt
    return module
