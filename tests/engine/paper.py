"""A GPU and a TensorRT on paper, as much of them as the runtime asks.

The engine is ONNX Runtime on the graph it was given, in memory that only addresses tell of. What a
real TensorRT does with our calls is shown by tests marked ``tensorrt`` alone.
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from weakref import ref

import numpy as np

from engine.runtimes import trt
from engine.runtimes.ort import Session


class PaperGpu:
    """Memory that has addresses, and a tape: what is recorded is not done until it is launched, and
    then with the shapes that it was recorded with. It can refuse to record."""

    name, stream = "paper sm_90 driver 1", 7

    def __init__(self, *, records: bool = True) -> None:
        self.memory: dict[int, np.ndarray] = {}
        self.records, self.recorded, self.launched, self.closed = records, 0, 0, False
        self.tape: list[Callable[[], None]] | None = None

    def pinned(self, shape: tuple[int, ...], kind: Any) -> np.ndarray:
        return np.zeros(shape, kind)

    def allocate(self, size: int) -> int:
        address = 4096 * (len(self.memory) + 1)
        self.memory[address] = np.zeros(size, np.uint8)
        return address

    def do(self, what: Callable[[], None]) -> None:
        """In the stream's turn: now, unless it is being recorded."""
        if self.tape is None:
            what()
        else:
            self.tape.append(what)

    def upload(self, to: int, what: np.ndarray) -> None:
        self.do(lambda: self.write(to, what))

    def download(self, to: np.ndarray, what: int) -> None:
        self.do(lambda: self.read(to, what))

    def write(self, to: int, what: np.ndarray) -> None:
        self.memory[to][: what.nbytes] = np.frombuffer(what.tobytes(), np.uint8)

    def read(self, to: np.ndarray, what: int) -> None:
        to[...] = np.frombuffer(self.memory[what][: to.nbytes].tobytes(), to.dtype).reshape(
            to.shape
        )

    def record(self, call: Callable[[], None]) -> Callable[[], None] | None:
        self.recorded += 1
        self.tape = tape = []
        call()
        self.tape = None

        def launch() -> None:
            self.launched += 1
            for step in tape:
                step()

        return launch if self.records else None

    def wait(self) -> None: ...

    def close(self) -> None:
        self.closed = True


class PaperContext:
    """Executes by ONNX Runtime what lies at the addresses; no recording of it keeps it."""

    def __init__(self, model: bytes, gpu: PaperGpu) -> None:
        self.session, self.gpu = Session(model), gpu
        self.addresses: dict[str, int] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.told = 0

    def set_tensor_address(self, name: str, address: int) -> bool:
        self.addresses[name] = address
        self.told += 1
        return True

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self.shapes[name] = shape
        self.told += 1
        return shape[0] <= trt.MOST

    def execute_async_v3(self, stream: int) -> bool:
        assert stream == self.gpu.stream
        me, shapes = ref(self), dict(self.shapes)

        def execute() -> None:
            still = me()
            assert still is not None, "a recording is launched whose context is gone"
            still.execute(shapes)

        self.gpu.do(execute)
        return True

    def execute(self, shapes: dict[str, tuple[int, ...]]) -> None:
        given = {}
        for name, kind in (("image", np.uint8), ("product", np.int64)):
            given[name] = np.empty(shapes[name], kind)
            self.gpu.read(given[name], self.addresses[name])
        for name, array in zip(("map", "score"), self.session.run(given), strict=True):
            self.gpu.write(self.addresses[name], array)


class Paper:
    """As much of TensorRT as building and running takes; counts what it builds."""

    __version__ = "11.4.0"
    NetworkDefinitionCreationFlag = SimpleNamespace(STRONGLY_TYPED=1)
    MemoryPoolType = SimpleNamespace(WORKSPACE=0)
    BuilderFlag = SimpleNamespace(TF32="TF32", STRICT_NANS="STRICT_NANS")

    class Logger:
        ERROR = 1

        def __init__(self, _: int) -> None: ...

    def __init__(self, gpu: PaperGpu) -> None:
        self.gpu, self.built, self.timings, self.fails = gpu, 0, [], False
        self.model = b""
        self.profile: dict[str, tuple[tuple[int, ...], ...]] = {}
        self.flags: dict[str, bool] = {}
        self.refused: set[bytes] = set()  # timing caches
        self.profile_index = 0
        self.contexts: list[ref[PaperContext]] = []
        self.room = True

    def nptype(self, kind: type) -> type:
        return kind

    def OnnxParser(self, *_: Any) -> Any:  # noqa: N802 — TensorRT's own name
        def parse(model: bytes) -> bool:
            self.model = model
            return not self.fails

        error = SimpleNamespace(desc=lambda: "no such operator")
        return SimpleNamespace(parse=parse, num_errors=1, get_error=lambda _: error)

    def Builder(self, _: Any) -> Any:  # noqa: N802
        image = SimpleNamespace(name="image", shape=(-1, 64, 64, 3))
        product = SimpleNamespace(name="product", shape=(-1,))
        inputs = [image, product]

        def set_shape(name: str, *shapes: tuple[int, ...]) -> None:
            self.profile[name] = shapes

        def timing_cache(known: bytes) -> bytes | None:
            self.timings.append(known)
            return None if known == b"damaged" else known

        def set_timing_cache(cache: bytes, ignore_mismatch: bool) -> bool:
            assert isinstance(cache, bytes)
            assert not ignore_mismatch
            if cache not in self.refused:
                given.append(cache)
            return cache not in self.refused

        def get_timing_cache() -> Any:
            return SimpleNamespace(serialize=lambda: b"timed") if given else None

        given: list[bytes] = []

        def make(*_: Any) -> bytes:
            self.built += 1
            return self.model

        config = SimpleNamespace(
            set_memory_pool_limit=lambda *_: None,
            add_optimization_profile=lambda _: self.profile_index,
            create_timing_cache=timing_cache,
            set_timing_cache=set_timing_cache,
            get_timing_cache=get_timing_cache,
            set_flag=lambda flag: self.flags.update({flag: True}),
            clear_flag=lambda flag: self.flags.update({flag: False}),
        )
        return SimpleNamespace(
            create_network=lambda _: SimpleNamespace(num_inputs=2, get_input=inputs.__getitem__),
            create_builder_config=lambda: config,
            create_optimization_profile=lambda: SimpleNamespace(set_shape=set_shape),
            build_serialized_network=make,
        )

    def Runtime(self, _: Any) -> Any:  # noqa: N802
        def deserialize(plan: bytes) -> Any:
            if plan == b"of another":
                return None
            shapes = {"image": (-1, 64, 64, 3), "product": (-1,), "map": (-1, 32, 32)}
            kinds = {"image": np.uint8, "product": np.int64}
            names = ["image", "product", "map", "score"]

            def context() -> PaperContext | None:
                if not self.room:
                    return None
                made = PaperContext(plan, self.gpu)
                self.contexts.append(ref(made))
                return made

            return SimpleNamespace(
                num_io_tensors=4,
                get_tensor_name=names.__getitem__,
                get_tensor_shape=lambda name: shapes.get(name, (-1,)),
                get_tensor_dtype=lambda name: kinds.get(name, np.float32),
                create_execution_context=context,
            )

        return SimpleNamespace(deserialize_cuda_engine=deserialize)
