"""How a recording is asked of CUDA's driver, and given back; the driver is stood in for."""

import ctypes

import pytest

from engine.runtimes import cuda
from engine.types import InferenceError

STREAM = 7
FAILURES = (InferenceError, KeyError)


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
    recording = cuda.recorded(STREAM, lambda: paper.asked.append("call"), FAILURES)
    assert recording is not None
    recording()
    recording()
    recording.free()
    kept = ["begin", "call", "end", "instantiate", "destroy graph"]
    assert paper.asked == [*kept, "launch", "launch", "destroy ready"]


@pytest.mark.parametrize("paper", ["launch"], indirect=True)
def test_a_launch_that_fails_is_said(paper: PaperDriver) -> None:
    recording = cuda.recorded(STREAM, lambda: None, FAILURES)
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
    assert cuda.recorded(STREAM, lambda: None, FAILURES) is None
    assert paper.asked == asked


@pytest.mark.parametrize("failure", FAILURES)
def test_a_call_that_fails_leaves_the_stream_as_it_was(
    paper: PaperDriver, failure: type[Exception]
) -> None:
    def fails() -> None:
        raise failure("no")

    assert cuda.recorded(STREAM, fails, FAILURES) is None
    assert paper.asked == ["begin", "end", "destroy graph"]


def test_without_a_driver_there_is_no_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "_driver_library", lambda: None)
    assert cuda.recorded(STREAM, lambda: None, FAILURES) is None
