"""What "auto" takes: the fastest that can be had, and it says why no faster one can."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from engine.runtimes import choice, cuda, trt
from engine.runtimes.choice import choose
from engine.runtimes.missing import missing
from engine.types import InputError, MissingError


class PaperCuda:
    """A driver that sees this many GPUs; None where it does not come up."""

    class Error(Exception): ...

    def __init__(self, gpus: int | None) -> None:
        self._gpus = gpus
        self.Device = SimpleNamespace(count=lambda: gpus)

    def init(self) -> None:
        if self._gpus is None:
            raise self.Error("cuInit failed: no CUDA-capable device is detected")


def machine(
    monkeypatch: pytest.MonkeyPatch,
    *,
    gpus: int | None = 1,
    tensorrt: str = "11.4.0",
    lacks: tuple[str, ...] = (),
) -> None:
    """With all packages but those that it lacks, all stood in for."""
    monkeypatch.setattr(choice, "find_spec", lambda name: None if name in lacks else name)
    monkeypatch.setattr(cuda, "driver", lambda: PaperCuda(gpus))
    monkeypatch.setattr(trt, "_tensorrt", lambda: SimpleNamespace(__version__=tensorrt))


def test_tensorrt_is_the_fastest(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch)
    assert choose("auto", "f16") == (
        "tensorrt",
        "f16",
        "there are TensorRT and an NVIDIA GPU",
    )


@pytest.mark.parametrize("gpus", [0, None])
def test_without_a_gpu_it_is_the_cpu(monkeypatch: pytest.MonkeyPatch, gpus: int | None) -> None:
    machine(monkeypatch, gpus=gpus, tensorrt="not to be asked for")
    assert choose("auto", "f32") == (
        "openvino",
        "f32",
        "no NVIDIA GPU; openvino is the fastest on a CPU",
    )


@pytest.mark.parametrize("tensorrt", ["10.3.0", "12.0.0"])
def test_a_tensorrt_of_another_age_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, tensorrt: str
) -> None:
    machine(monkeypatch, tensorrt=tensorrt)
    found = choose("auto", "f32")
    assert found.runtime == "openvino"
    assert f"TensorRT {tensorrt} is here, plans need 10.9" in found.why


def test_a_pycuda_without_its_driver_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As where pycuda was built on another machine: the package is there, libcuda is not."""
    (tmp_path / "driver.py").write_text("raise ImportError('libcuda.so.1: cannot open')")
    package = ModuleType("pycuda")
    package.__path__ = [str(tmp_path)]
    monkeypatch.setitem(sys.modules, "pycuda", package)
    monkeypatch.setattr(choice, "find_spec", lambda name: name)
    found = choose("auto", "f32")
    assert found.runtime == "openvino"
    assert found.why.startswith("pycuda is here but does not load: libcuda.so.1: cannot open; ")


@pytest.mark.parametrize(
    ("precision", "lacks", "runtime", "why"),
    [
        ("bf16", (), "openvino", "tensorrt has no bf16; openvino is the fastest on a CPU"),
        ("int8", ("openvino",), "onnxruntime", "tensorrt has no int8, no openvino; onnxruntime"),
    ],
)
def test_a_runtime_without_the_precision_is_passed_over(
    monkeypatch: pytest.MonkeyPatch,
    precision: str,
    lacks: tuple[str, ...],
    runtime: str,
    why: str,
) -> None:
    machine(monkeypatch, lacks=lacks)
    found = choose("auto", precision)
    assert found[:2] == (runtime, precision)
    assert found.why.startswith(why)


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
    monkeypatch.setattr(trt, "version", lambda: "11.4.0")
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


def test_a_precision_that_nothing_here_has_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, gpus=0)
    with pytest.raises(
        InputError,
        match="Nothing here computes in 'f16': no NVIDIA GPU, openvino has no f16, "
        "onnxruntime has no f16; choose f32",
    ):
        choose("auto", "f16")


def test_tensorrt_comes_with_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(
        MissingError, match=r"not installed here: .*promptmad-inspector\[tensorrt\]"
    ):
        trt.version()


def test_a_tensorrt_without_its_libraries_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As its bindings say it on Windows."""
    (tmp_path / "tensorrt.py").write_text("raise FileNotFoundError('Could not find: nvinfer.dll')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "tensorrt", raising=False)
    with pytest.raises(MissingError, match=r"does not load: Could not find: nvinfer\.dll; install"):
        trt.version()


@pytest.mark.parametrize(
    "error",
    [
        ImportError("libnvinfer.so.11: cannot open shared object file"),
        ModuleNotFoundError("No module named 'tensorrt_bindings'", name="tensorrt_bindings"),
        FileNotFoundError("Could not find: nvinfer_11.dll"),
    ],
)
def test_what_is_installed_and_does_not_load_is_no_lie(error: ImportError | OSError) -> None:
    assert str(missing("tensorrt", error)) == (
        f"tensorrt is here but does not load: {error}; install what it asks for."
    )
