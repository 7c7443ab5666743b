"""From a runtime's name to its module, imported only when it is chosen."""

from importlib.util import find_spec

from engine.manifest import Precision, RuntimeName
from engine.runtimes.base import Backend
from engine.types import BundleError, InputError


def choose(name: str, precision: str) -> tuple[RuntimeName, Precision]:
    """Check what a person asked for; "auto" is OpenVINO where installed, else ONNX Runtime."""
    if name == "auto":
        name = "openvino" if find_spec("openvino") else "onnxruntime"
    match name, precision:
        case "openvino", "f32" | "bf16":
            return "openvino", "bf16" if precision == "bf16" else "f32"
        case "onnxruntime", "f32":
            return "onnxruntime", "f32"
        case "onnxruntime", "bf16":
            raise InputError("onnxruntime has no bf16 on a CPU: choose openvino, or f32.")
        case "openvino" | "onnxruntime", _:
            raise InputError(f"There is no precision {precision!r}: choose f32 or bf16.")
    raise InputError(f"There is no runtime {name!r}: choose auto, openvino or onnxruntime.")


def backend(name: RuntimeName) -> Backend:
    """The module of a runtime."""
    match name:
        case "openvino":
            from engine.runtimes import openvino

            return openvino
        case "onnxruntime":
            from engine.runtimes import ort

            return ort
        case "fake":
            raise BundleError(
                "A plan of the fake runtime judges nothing real: build one with 'inspector build'."
            )
