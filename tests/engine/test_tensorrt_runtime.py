"""The TensorRT runtime over a GPU and a TensorRT on paper: batches, contexts, cache, threads."""

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock, Timeout

from engine.build import build
from engine.bundle import Bundle
from engine.detector import Detector
from engine.parity import cloud_pictures
from engine.runtimes import trt
from engine.runtimes.cuda import PyCuda
from engine.types import BundleError, InferenceError, InputError, MissingError
from tests.engine.paper import Paper, PaperContext, PaperGpu
from tests.engine.tiny import spot_picture


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


def test_each_size_has_a_context_of_its_own_over_the_same_memory(plan: Path, paper: Paper) -> None:
    paper.contexts.clear()
    images, codes = np.stack([spot_picture()] * 11), np.arange(11) % 2
    with trt.load(plan, "f32", None) as runtime:
        for _ in range(2):
            runtime.infer(images, codes)
            runtime.infer(images[:1], codes[:1])
        kept = [context() for context in paper.contexts]
        assert [c and c.shapes["image"][0] for c in kept] == [8, 3, 1]
        assert [c and c.told for c in kept] == [6, 6, 6]  # 4 addresses and 2 shapes, once
        assert len({tuple(c.addresses.values()) for c in kept if c}) == 1
        kept.clear()
    assert [context() for context in paper.contexts] == [None] * 3


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


def test_f32_is_no_tf32_and_a_nan_is_not_hidden(
    plan: Path, paper: Paper, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert paper.flags == {"TF32": False, "STRICT_NANS": True}
    before = trt.hashed(b"model")
    monkeypatch.setattr(trt, "OPTIONS", trt.OPTIONS.replace(" no TF32 strict NaNs", ""))
    assert trt.hashed(b"model") != before  # engines of before are built anew


@pytest.mark.parametrize(
    ("known", "refused", "kept"),
    [
        (b"damaged", set(), b"timed"),
        (b"of another", {b"of another"}, b"timed"),
        (b"of another", {b"of another", b""}, b"of another"),
    ],
    ids=["damaged", "refused", "all refused"],
)
def test_a_timing_cache_that_is_refused_costs_no_engine(
    plan: Path,
    paper: Paper,
    tiny: Bundle,
    tmp_path: Path,
    known: bytes,
    refused: set[bytes],
    kept: bytes,
) -> None:
    (timing,) = (tmp_path / "cache").rglob("*.timing")
    timing.write_bytes(known)
    paper.refused = refused
    build(tiny.folder, tmp_path / "other", runtime="tensorrt", steps=1)
    assert paper.timings == [b"", known, b""]
    assert paper.built == 2
    assert timing.read_bytes() == kept


def test_a_cache_that_cannot_be_used_is_named(tiny: Bundle, tmp_path: Path, paper: Paper) -> None:
    (tmp_path / "cache").write_text("a file where a folder should be")
    with pytest.raises(InputError, match=r"TensorRT's cache .*tensorrt cannot be used: .*; make"):
        build(tiny.folder, tmp_path / "plan", runtime="tensorrt")
    assert paper.built == 0
    assert paper.gpu.closed


def test_a_cache_that_cannot_be_read_is_named(
    plan: Path, tiny: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not the engine that was to be written, nor the plan's own folder."""
    (timing,) = (tmp_path / "cache").rglob("*.timing")
    real = Path.read_bytes

    def read(path: Path) -> bytes:
        if path == timing:
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", read)
    with pytest.raises(InputError, match=r"TensorRT's cache .* cannot be used: Permission denied"):
        build(tiny.folder, tmp_path / "other", runtime="tensorrt", steps=1)


def test_a_damaged_engine_is_dropped_before_another_process_may_build(
    plan: Path, paper: Paper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (kept,) = (tmp_path / "cache").rglob("*.engine")
    kept.write_bytes(b"of another")
    real, others = Path.unlink, []

    def unlink(path: Path, missing_ok: bool = False) -> None:
        if path == kept:
            with pytest.raises(Timeout):
                FileLock(kept.with_name("lock")).acquire(timeout=0)
            others.append("kept out")
        real(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", unlink)
    with pytest.raises(BundleError, match="now gone"), trt.load(plan, "f32", None):
        pass
    assert others == ["kept out"]


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


def test_batches_that_tensorrt_refuses_are_said(tiny: Bundle, tmp_path: Path, paper: Paper) -> None:
    paper.profile_index = -1
    with pytest.raises(BundleError, match="takes no batches of 1 to 8 of this bundle: try another"):
        build(tiny.folder, tmp_path / "plan", runtime="tensorrt")
    assert paper.built == 0


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


def left_in_another_thread(runtime: trt.TensorRTRuntime, error: Exception | None) -> list[str]:
    """What is said when it is left there, with this error on the way."""
    said: list[str] = []

    def leave() -> None:
        try:
            runtime.__exit__(type(error) if error else None, error, None)
        except RuntimeError as refused:
            said.append(str(refused))

    thread = threading.Thread(target=leave)
    thread.start()
    thread.join()
    return said


def test_only_its_own_thread_closes_it(plan: Path, paper: Paper) -> None:
    paper.gpu.closed = False
    with trt.load(plan, "f32", None) as runtime:
        (said,) = left_in_another_thread(runtime, None)
        assert "another thread" in said
        assert left_in_another_thread(runtime, ValueError("what went wrong first")) == []
        assert not paper.gpu.closed
        runtime.infer(spot_picture()[None], np.array([0]))
    assert paper.gpu.closed
    assert left_in_another_thread(runtime, None) == []  # it is closed already


def test_every_picture_has_its_product(plan: Path) -> None:
    with (
        trt.load(plan, "f32", None) as runtime,
        pytest.raises(ValueError, match="3 pictures came with 1 product codes"),
    ):
        runtime.infer(np.stack([spot_picture()] * 3), np.array([0]))


@pytest.mark.parametrize(
    ("call", "match"),
    [
        ("set_tensor_address", "takes no memory for image: build the plan again"),
        ("set_input_shape", r"takes no image of \(1, 64, 64, 3\): build it again"),
    ],
)
def test_what_a_context_refuses_is_said(
    plan: Path, call: str, match: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PaperContext, call, lambda *_: False)
    with trt.load(plan, "f32", None) as runtime, pytest.raises(InferenceError, match=match):
        runtime.infer(spot_picture()[None], np.array([0]))


def test_a_gpu_without_room_is_said(plan: Path, paper: Paper) -> None:
    images, codes = np.stack([spot_picture()] * 2), np.array([0, 1])
    with trt.load(plan, "f32", None) as runtime:
        runtime.infer(images[:1], codes[:1])
        paper.room = False
        with pytest.raises(InferenceError, match="no room for this plan: close what else runs"):
            runtime.infer(images, codes)
        runtime.infer(images[:1], codes[:1])  # of this size it has what it needs
        paper.room = True
        assert runtime.infer(images, codes)[1].shape == (2,)


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


def test_a_tensorrt_that_nobody_tried_is_said(paper: Paper) -> None:
    paper.__version__ = "12.0.1"  # type: ignore[misc]
    with pytest.raises(MissingError, match=r"12.0.1 is here, .* older than 12: run .*<12"):
        trt.version()
    paper.__version__ = "11.9.0"  # type: ignore[misc]
    assert trt.version() == "11.9.0"


def test_without_pycuda_it_is_named() -> None:
    with pytest.raises(MissingError, match="pycuda is not installed"):
        PyCuda()


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
