"""What a runtime asks of the machine, and what it says when the machine answers otherwise."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest

from engine.build import build
from engine.bundle import Bundle
from engine.runtimes import openvino, ort
from engine.types import InferenceError, MissingError
from tests.engine.tiny import grey_picture

CODE = np.array([0])


class StandInOpenVINO:
    """As much of OpenVINO as opening takes; computes in ``found`` whatever is asked."""

    inputs = ()

    def __init__(self, found: str) -> None:
        self.asked: dict[str, Any] = {}
        self._found = found

    def Core(self) -> "StandInOpenVINO":  # noqa: N802 — OpenVINO's own name
        return self

    def get_version(self) -> str:
        return "stand-in"

    def read_model(self, model: Path) -> Path:
        return model

    def compile_model(self, _: Path, device: str, config: dict[str, Any]) -> "StandInOpenVINO":
        self.asked = {"device": device} | config
        return self

    def get_property(self, *_: str) -> SimpleNamespace:
        return SimpleNamespace(to_string=lambda: self._found)

    def create_infer_request(self) -> SimpleNamespace:
        return SimpleNamespace(infer=None)


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    """A folder with files of a graph's names."""
    for name in ("model.xml", "model.bin"):
        (tmp_path / name).touch()
    return tmp_path


def test_openvino_is_told_precision_and_threads(
    graph: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in = StandInOpenVINO("f32")
    monkeypatch.setattr(openvino, "_openvino", lambda: stand_in)
    with openvino.load(graph, "f32", 3):
        assert stand_in.asked["device"] == "CPU"
        assert stand_in.asked["INFERENCE_PRECISION_HINT"] == "f32"
        assert stand_in.asked["INFERENCE_NUM_THREADS"] == 3
    with openvino.load(graph, "f32", None):
        assert "INFERENCE_NUM_THREADS" not in stand_in.asked


def test_a_cpu_without_the_plans_precision_is_said(
    graph: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openvino, "_openvino", lambda: StandInOpenVINO("f32"))
    with (
        pytest.raises(MissingError, match=r"computes in f32 where the plan asks for bf16: build"),
        openvino.load(graph, "bf16", None),
    ):
        pass


def test_openvino_giving_up_is_an_inference_error(tiny: Bundle, tmp_path: Path) -> None:
    folder = build(tiny.folder, tmp_path / "plan")
    with (
        openvino.load(folder, "f32", 1) as runtime,
        pytest.raises(InferenceError, match="OpenVINO gave up"),
    ):
        runtime.infer(grey_picture(32, 32)[None], CODE)


def test_onnxruntime_giving_up_is_an_inference_error(
    tiny: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    class OutOfMemory:
        def __init__(self, *_: object) -> None: ...

        def get_inputs(self) -> list[object]:
            return []

        def run(self, *_: object) -> None:
            raise onnxruntime.capi.onnxruntime_pybind11_state.RuntimeException("out of memory")

    monkeypatch.setattr(onnxruntime, "InferenceSession", OutOfMemory)
    session = ort.Session(tiny.graph("head").SerializeToString())
    with pytest.raises(InferenceError, match="ONNX Runtime gave up on a picture: out of memory"):
        session.run({})


def test_onnxruntime_is_told_threads(tiny: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {}

    def session(_: bytes, options: Any, providers: list[str]) -> SimpleNamespace:
        seen["threads"] = options.intra_op_num_threads
        seen["mode"] = options.execution_mode
        seen["providers"] = providers
        return SimpleNamespace(get_inputs=list)

    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    ort.Session(tiny.graph("head").SerializeToString(), threads=3)
    assert seen["threads"] == 3
    assert seen["mode"] == onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    assert seen["providers"] == ["CPUExecutionProvider"]
