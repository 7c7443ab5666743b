"""The TensorRT runtime over a GPU and a TensorRT that are stood in for: batches, recordings, the
cache, threads. Its engine is ONNX Runtime on the graph it was given, in memory that only addresses
tell of. What a real TensorRT does with our calls is shown by tests marked ``tensorrt`` alone.
"""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from engine.build import build
from engine.bundle import Bundle
from engine.detector import Detector
from engine.parity import cloud_pictures
from engine.runtimes import choice, trt
from engine.runtimes.choice import choose
from engine.runtimes.cuda import PyCuda
from engine.runtimes.ort import Session
from engine.types import BundleError, InferenceError, InputError, MissingError
from tests.engine.tiny import spot_picture


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
    """Executes by ONNX Runtime what lies at the addresses."""

    def __init__(self, model: bytes, gpu: PaperGpu) -> None:
        self.session, self.gpu = Session(model), gpu
        self.addresses: dict[str, int] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}

    def set_tensor_address(self, name: str, address: int) -> None:
        self.addresses[name] = address

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self.shapes[name] = shape
        return shape[0] <= trt.MOST

    def execute_async_v3(self, stream: int) -> bool:
        assert stream == self.gpu.stream
        shapes = dict(self.shapes)
        self.gpu.do(lambda: self.execute(shapes))
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

    class Logger:
        ERROR = 1

        def __init__(self, _: int) -> None: ...

    def __init__(self, gpu: PaperGpu) -> None:
        self.gpu, self.built, self.timings, self.fails = gpu, 0, [], False
        self.model = b""
        self.profile: dict[str, tuple[tuple[int, ...], ...]] = {}

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

        def timing_cache(known: bytes) -> bytes:
            self.timings.append(known)
            return known

        def make(*_: Any) -> bytes:
            self.built += 1
            return self.model

        config = SimpleNamespace(
            set_memory_pool_limit=lambda *_: None,
            add_optimization_profile=lambda _: 0,
            create_timing_cache=timing_cache,
            set_timing_cache=lambda *_: True,
            get_timing_cache=lambda: SimpleNamespace(serialize=lambda: b"timed"),
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
            return SimpleNamespace(
                num_io_tensors=4,
                get_tensor_name=names.__getitem__,
                get_tensor_shape=lambda name: shapes.get(name, (-1,)),
                get_tensor_dtype=lambda name: kinds.get(name, np.float32),
                create_execution_context=lambda: PaperContext(plan, self.gpu),
            )

        return SimpleNamespace(deserialize_cuda_engine=deserialize)


@pytest.fixture
def paper(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Paper]:
    """TensorRT and its GPU, stood in for; the plugin is registered already."""
    stand_in = Paper(PaperGpu())
    monkeypatch.setattr(trt, "_tensorrt", lambda: stand_in)
    monkeypatch.setattr(trt, "user_cache_path", lambda _: tmp_path / "cache")
    monkeypatch.setattr(trt.TensorRTRuntime.__init__, "__defaults__", (lambda: stand_in.gpu, None))
    trt._registered.set()
    yield stand_in
    trt._registered.clear()


@pytest.fixture
def plan(tiny: Bundle, tmp_path: Path, paper: Paper) -> Path:
    return build(tiny.folder, tmp_path / "plan", runtime="tensorrt", steps=2)


def test_a_plan_is_built_checked_and_answers_as_the_bundle(
    plan: Path, paper: Paper, tiny: Bundle, tmp_path: Path
) -> None:
    other = build(tiny.folder, tmp_path / "ort", runtime="onnxruntime", steps=2)
    with Detector.open(plan) as mine, Detector.open(other) as theirs:
        found, expected = (d.detect(spot_picture(), "label") for d in (mine, theirs))
        mine.verify()
    assert found.score == pytest.approx(expected.score, rel=1e-5)
    assert paper.profile["image"] == ((1, 64, 64, 3), (1, 64, 64, 3), (8, 64, 64, 3))
    assert paper.gpu.closed


def test_a_batch_is_taken_eight_at_a_time_and_each_size_recorded_once(
    plan: Path, paper: Paper, tiny: Bundle
) -> None:
    images = cloud_pictures(tiny.manifest.input, 19, np.random.default_rng(0))
    codes = np.arange(19) % 2
    before = paper.gpu.recorded
    with trt.load(plan, "f32", None) as runtime:
        maps, scores = runtime.infer(images, codes)
        again = runtime.infer(images, codes)
        single = [runtime.infer(images[i : i + 1], codes[i : i + 1]) for i in range(19)]
    assert maps.shape == (19, 32, 32)
    np.testing.assert_array_equal(again[1], scores)
    np.testing.assert_allclose([s[0] for _, s in single], scores, rtol=1e-5)
    assert paper.gpu.recorded - before == 3  # of 8, 3 and 1


def test_what_cannot_be_recorded_is_run_plainly(plan: Path, paper: Paper) -> None:
    paper.gpu.records, paper.gpu.launched = False, 0
    images, code = np.stack([spot_picture()] * 3), np.array([0, 1, 0])
    with trt.load(plan, "f32", None) as runtime:
        first = runtime.infer(images, code)[1]
        runtime.infer(images[:1], code[:1])  # another size between
        np.testing.assert_array_equal(runtime.infer(images, code)[1], first)
    assert paper.gpu.launched == 0


def test_an_engine_is_built_once_until_something_changes(
    plan: Path, paper: Paper, tiny: Bundle, tmp_path: Path
) -> None:
    assert paper.built == 1
    with trt.load(plan, "f32", None):
        assert paper.built == 1
    paper.gpu.name = "paper sm_90 driver 2"
    with trt.load(plan, "f32", None):
        assert paper.built == 2
    paper.__version__ = "11.5.0"  # type: ignore[misc]
    with trt.load(plan, "f32", None):
        assert paper.built == 3
    build(tiny.folder, tmp_path / "other", runtime="tensorrt", steps=1)
    assert paper.built == 4
    assert paper.timings == [b"", b"", b"", b"timed"]  # the last is another graph, here
    assert not list((tmp_path / "cache").rglob("*.part"))


def test_a_damaged_engine_is_dropped(plan: Path, paper: Paper, tmp_path: Path) -> None:
    (kept,) = (tmp_path / "cache").rglob("*.engine")
    kept.write_bytes(b"of another")
    with (
        pytest.raises(BundleError, match="now gone: open the plan again"),
        trt.load(plan, "f32", 1),
    ):
        pass
    assert paper.gpu.closed
    with trt.load(plan, "f32", None):
        assert paper.built == 2


def test_a_graph_that_tensorrt_refuses_is_said(tiny: Bundle, tmp_path: Path, paper: Paper) -> None:
    paper.fails = True
    with pytest.raises(BundleError, match="does not take this bundle's graph: no such operator"):
        build(tiny.folder, tmp_path / "plan", runtime="tensorrt")
    assert not (tmp_path / "plan").exists()
    assert paper.gpu.closed


def test_one_thread_owns_it(plan: Path, paper: Paper) -> None:
    said: list[BaseException] = []

    def ask(runtime: trt.TensorRTRuntime) -> None:
        try:
            runtime.infer(spot_picture()[None], np.array([0]))
        except RuntimeError as error:
            said.append(error)

    with trt.load(plan, "f32", None) as runtime:
        thread = threading.Thread(target=ask, args=(runtime,))
        thread.start()
        thread.join()
    assert "another thread" in str(said[0])
    with pytest.raises(RuntimeError, match="inside 'with'"):
        runtime.infer(spot_picture()[None], np.array([0]))


def test_a_refused_picture_is_an_inference_error(
    plan: Path, paper: Paper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PaperContext, "execute_async_v3", lambda *_: False)
    with trt.load(plan, "f32", None) as runtime, pytest.raises(InferenceError, match="refused"):
        runtime.infer(spot_picture()[None], np.array([0]))


def test_an_old_tensorrt_is_said(paper: Paper) -> None:
    paper.__version__ = "10.3.0"  # type: ignore[misc]
    with pytest.raises(MissingError, match=r"TensorRT 10.3.0 is here, plans need 10.9 or newer"):
        trt.version()


def test_without_pycuda_it_is_named() -> None:
    with pytest.raises(MissingError, match="pycuda is not installed"):
        PyCuda()


@pytest.mark.parametrize(
    ("has", "gpu", "runtime", "why"),
    [
        ({"tensorrt", "pycuda", "openvino"}, True, "tensorrt", "an NVIDIA GPU"),
        ({"tensorrt", "pycuda", "openvino"}, False, "openvino", "no NVIDIA GPU; openvino is"),
        ({"tensorrt", "openvino"}, True, "openvino", "no pycuda"),
        ({"onnxruntime"}, False, "onnxruntime", "no tensorrt and no pycuda, no openvino"),
    ],
)
def test_auto_says_why(
    has: set[str], gpu: bool, runtime: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "find_spec", lambda name: name if name in has else None)
    monkeypatch.setattr(choice, "_gpu", lambda: gpu)
    found = choose("auto", "f32")
    assert found.runtime == runtime
    assert why in found.why


@pytest.mark.parametrize(
    ("runtime", "precision", "match"),
    [
        (
            "openvino",
            "f16",
            "openvino has no 'f16': choose f32 or bf16 or int8, or f16 with tensor",
        ),
        ("onnxruntime", "f64", "onnxruntime has no 'f64': choose f32 or int8."),
        ("cuda", "f32", "There is no runtime 'cuda': choose auto, tensorrt, openvino"),
    ],
)
def test_what_there_is_not_is_refused(runtime: str, precision: str, match: str) -> None:
    with pytest.raises(InputError, match=match):
        choose(runtime, precision)


@pytest.mark.tensorrt
def test_a_real_tensorrt_answers_as_the_bundle(tmp_path: Path) -> None:
    """Run by hand on a machine that has one; both precisions, the fused step in the second."""
    pytest.importorskip("tensorrt")
    pytest.importorskip("pycuda.driver")
    from inspector.demo.assets import BUNDLE

    for precision in ("f32", "f16"):
        plan = build(
            BUNDLE, tmp_path / precision, runtime="tensorrt", precision=precision, steps=10
        )
        with Detector.open(plan) as detector:
            detector.verify()
