"""What is asked of pycuda, and of CUDA's driver for a recording; both are stood in for."""

import ctypes
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from engine.runtimes import cuda
from engine.types import InferenceError, MissingError

STREAM = 7


class PaperDriver:
    """Keeps what it was asked, and refuses the call that is named."""

    def __init__(self, refuses: str = "") -> None:
        self.asked: list[str] = []
        self._refuses = refuses

    def _answer(self, call: str) -> int:
        self.asked.append(call)
        return 900 if call == self._refuses else 0

    def cuStreamBeginCapture_v2(self, stream: ctypes.c_void_p, mode: int) -> int:
        assert (stream.value, mode) == (STREAM, cuda.RELAXED)
        return self._answer("begin")

    def cuStreamEndCapture(self, stream: ctypes.c_void_p, graph: ctypes._Pointer) -> int:
        if self._refuses != "end":
            graph._obj.value = 11
        return self._answer("end")

    def cuGraphInstantiateWithFlags(
        self, ready: ctypes._Pointer, graph: ctypes.c_void_p, flags: ctypes.c_ulonglong
    ) -> int:
        assert (graph.value, flags.value) == (11, 0)
        ready._obj.value = 12
        return self._answer("instantiate")

    def cuGraphDestroy(self, graph: ctypes.c_void_p) -> int:
        assert graph.value == 11
        return self._answer("destroy graph")

    def cuGraphLaunch(self, ready: ctypes.c_void_p, stream: ctypes.c_void_p) -> int:
        assert (ready.value, stream.value) == (12, STREAM)
        return self._answer("launch")

    def cuGraphExecDestroy(self, ready: ctypes.c_void_p) -> int:
        assert ready.value == 12
        return self._answer("destroy ready")


@pytest.fixture
def paper(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> PaperDriver:
    made = PaperDriver(getattr(request, "param", ""))
    monkeypatch.setattr(cuda, "_driver_library", lambda: made)
    return made


def test_a_recording_is_launched_as_often_as_wanted_and_nothing_of_it_stays(
    paper: PaperDriver,
) -> None:
    recording = cuda.recorded(STREAM, lambda: paper.asked.append("call"))
    assert recording is not None
    recording()
    recording()
    recording.free()
    kept = ["begin", "call", "end", "instantiate", "destroy graph"]
    assert paper.asked == [*kept, "launch", "launch", "destroy ready"]


@pytest.mark.parametrize("paper", ["launch"], indirect=True)
def test_a_launch_that_fails_is_said(paper: PaperDriver) -> None:
    recording = cuda.recorded(STREAM, lambda: None)
    assert recording is not None
    with pytest.raises(InferenceError, match="CUDA error 900"):
        recording()


@pytest.mark.parametrize(
    ("paper", "asked"),
    [
        ("begin", ["begin"]),
        ("end", ["begin", "end"]),
        ("instantiate", ["begin", "end", "instantiate", "destroy graph"]),
    ],
    indirect=["paper"],
)
def test_what_the_driver_refuses_is_no_recording(paper: PaperDriver, asked: list[str]) -> None:
    assert cuda.recorded(STREAM, lambda: None) is None
    assert paper.asked == asked


def test_a_call_that_fails_leaves_the_stream_as_it_was(paper: PaperDriver) -> None:
    def fails() -> None:
        raise InferenceError("no")

    assert cuda.recorded(STREAM, fails) is None
    assert paper.asked == ["begin", "end", "destroy graph"]


@pytest.mark.parametrize("ours", [KeyError, KeyboardInterrupt])
def test_a_fault_of_ours_is_told_and_leaves_the_stream_as_it_was(
    paper: PaperDriver, ours: type[BaseException]
) -> None:
    def fails() -> None:
        raise ours("no")

    with pytest.raises(ours):
        cuda.recorded(STREAM, fails)
    assert paper.asked == ["begin", "end", "destroy graph"]


def test_without_a_driver_there_is_no_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "_driver_library", lambda: None)
    assert cuda.recorded(STREAM, lambda: None) is None


class PaperPyCuda:
    """As much of pycuda as we ask, with its stack of contexts; the call that is named fails."""

    class Error(Exception): ...

    def __init__(self, fails: str = "", by: type[BaseException] = Error) -> None:
        self.fails, self._by = fails, by
        self.stack: list[str] = []
        self.held: set[int] = set()
        self.Context = SimpleNamespace(get_device=self._device)

    def _answer(self, call: str) -> None:
        if call == self.fails:
            raise self._by(f"{call} failed")

    def init(self) -> None:
        self._answer("init")

    def get_driver_version(self) -> int:
        self._answer("get_driver_version")
        return 13000

    def Device(self, index: int) -> Any:
        assert index == 0
        return SimpleNamespace(retain_primary_context=self._context)

    def _context(self) -> Any:
        def push() -> None:
            self._answer("push")
            self.stack.append("primary")

        def pop() -> None:
            self.stack.pop()
            self._answer("pop")

        return SimpleNamespace(push=push, pop=pop)

    def _device(self) -> Any:
        assert self.stack
        return SimpleNamespace(name=lambda: "paper", compute_capability=lambda: (9, 0))

    def Stream(self) -> Any:
        self._answer("Stream")
        return SimpleNamespace(handle=STREAM, synchronize=lambda: self._answer("synchronize"))

    def pagelocked_empty(self, shape: tuple[int, ...], kind: Any) -> np.ndarray:
        self._answer("pagelocked_empty")
        return np.empty(shape, kind)

    def mem_alloc(self, size: int) -> Any:
        self._answer("mem_alloc")
        owner, address = self, 4096 * (len(self.held) + 1)
        self.held.add(address)

        class Memory:
            def __int__(self) -> int:
                return address

            def free(self) -> None:
                owner.held.remove(address)
                owner._answer("free")

        return Memory()

    def memcpy_htod_async(self, to: int, what: np.ndarray, stream: Any) -> None:
        self._answer("memcpy_htod_async")

    def memcpy_dtoh_async(self, to: np.ndarray, what: int, stream: Any) -> None:
        self._answer("memcpy_dtoh_async")


PICTURE = np.zeros(8, np.uint8)
CALLS: dict[str, tuple[Callable[[cuda.PyCuda], object], str]] = {
    "pagelocked_empty": (lambda gpu: gpu.pinned((1, 8), np.uint8), r"page-locked .* for \(1, 8\)"),
    "mem_alloc": (lambda gpu: gpu.allocate(8), "The GPU has no 8 bytes left"),
    "memcpy_htod_async": (lambda gpu: gpu.upload(4096, PICTURE), "The GPU took no picture"),
    "memcpy_dtoh_async": (lambda gpu: gpu.download(PICTURE, 4096), "The GPU gave no answer"),
    "synchronize": (lambda gpu: gpu.wait(), "The GPU gave up on a picture"),
}
"""Each call of pycuda: what of ours makes it, and what is said of it."""


def opened(monkeypatch: pytest.MonkeyPatch, pycuda: PaperPyCuda) -> cuda.PyCuda:
    monkeypatch.setattr(cuda, "driver", lambda: pycuda)
    return cuda.PyCuda()


def test_a_gpu_says_what_it_is_and_gives_everything_back(
    monkeypatch: pytest.MonkeyPatch, paper: PaperDriver
) -> None:
    pycuda = PaperPyCuda()
    gpu = opened(monkeypatch, pycuda)
    assert (gpu.name, gpu.stream) == ("paper sm_90 driver 13000", STREAM)
    assert gpu.pinned((2, 3), np.float32).shape == (2, 3)
    assert {gpu.allocate(8), gpu.allocate(8)} == pycuda.held
    assert gpu.record(lambda: gpu.upload(4096, PICTURE)) is not None
    gpu.wait()
    assert pycuda.stack == ["primary"]
    gpu.close()
    assert paper.asked[-1] == "destroy ready"
    assert pycuda.held == set()
    assert pycuda.stack == []


@pytest.mark.parametrize("call", CALLS)
def test_what_pycuda_refuses_is_one_sentence(monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    gpu = opened(monkeypatch, PaperPyCuda(call))
    ask, sentence = CALLS[call]
    with pytest.raises(InferenceError, match=rf"{sentence}: {call} failed; nvidia-smi says"):
        ask(gpu)


@pytest.mark.parametrize("call", ["push", "get_driver_version", "Stream"])
def test_a_gpu_that_cannot_be_opened_is_left_as_it_was(
    monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    pycuda = PaperPyCuda(call)
    with pytest.raises(InferenceError, match=f"The GPU cannot be opened: {call} failed"):
        opened(monkeypatch, pycuda)
    assert pycuda.stack == []


@pytest.mark.parametrize("ours", [KeyError, KeyboardInterrupt])
def test_a_fault_of_ours_leaves_no_context_either(
    monkeypatch: pytest.MonkeyPatch, ours: type[BaseException]
) -> None:
    pycuda = PaperPyCuda("Stream", ours)
    with pytest.raises(ours):
        opened(monkeypatch, pycuda)
    assert pycuda.stack == []


def test_a_machine_without_a_gpu_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingError, match="There is no NVIDIA GPU to run on: init failed"):
        opened(monkeypatch, PaperPyCuda("init"))


@pytest.mark.parametrize("call", ["free", "pop"])
def test_a_gpu_that_was_lost_is_closed_all_the_same(
    monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    pycuda = PaperPyCuda(call)
    gpu = opened(monkeypatch, pycuda)
    gpu.allocate(8)
    gpu.allocate(8)
    gpu.close()
    assert pycuda.held == set()
    assert pycuda.stack == []


@pytest.mark.parametrize("call", ["memcpy_htod_async", "memcpy_dtoh_async"])
def test_what_pycuda_refuses_within_a_recording_is_no_recording(
    monkeypatch: pytest.MonkeyPatch, paper: PaperDriver, call: str
) -> None:
    gpu = opened(monkeypatch, PaperPyCuda(call))

    def picture() -> None:
        gpu.upload(4096, PICTURE)
        gpu.download(PICTURE, 4096)

    assert gpu.record(picture) is None
    assert paper.asked == ["begin", "end", "destroy graph"]
