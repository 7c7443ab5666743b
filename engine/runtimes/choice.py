"""From a runtime's name to its module, imported only when it is chosen."""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import NamedTuple

from engine.manifest import Precision, RuntimeName
from engine.runtimes.base import Backend
from engine.types import BundleError, InputError

PRECISIONS: Mapping[RuntimeName, tuple[Precision, ...]] = {
    "tensorrt": ("f32", "f16"),
    "openvino": ("f32", "bf16", "int8"),
    "onnxruntime": ("f32", "int8"),
}
"""What each runtime computes in; where nothing is asked, the first."""


class Choice(NamedTuple):
    """A runtime and a precision, and why, in words."""

    runtime: RuntimeName
    precision: Precision
    why: str


def choose(name: str, precision: str) -> Choice:
    """Check what a person asked for; "auto" takes the first of :func:`at_hand`."""
    chosen, why = at_hand() if name == "auto" else (name, "it was asked for")
    for runtime, precisions in PRECISIONS.items():
        if runtime != chosen:
            continue
        for known in precisions:
            if known == precision:
                return Choice(runtime, known, why)
        others = [r for r, p in PRECISIONS.items() if precision in p]
        also = f", or {precision} with {' or '.join(others)}" if others else ""
        raise InputError(f"{runtime} has no {precision!r}: choose {' or '.join(precisions)}{also}.")
    raise InputError(f"There is no runtime {name!r}: choose auto, {', '.join(PRECISIONS)}.")


def at_hand() -> tuple[RuntimeName, str]:
    """What this machine has that is fastest, and why the faster ones are not it."""
    missing = [package for package in ("tensorrt", "pycuda") if not find_spec(package)]
    if not missing and _gpu():
        return "tensorrt", "there are TensorRT and an NVIDIA GPU"
    lacks = f"no {' and no '.join(missing)}" if missing else "no NVIDIA GPU"
    if find_spec("openvino"):
        return "openvino", f"{lacks}; openvino is the fastest on a CPU"
    return "onnxruntime", f"{lacks}, no openvino"


def backend(name: RuntimeName) -> Backend:
    """The module of a runtime."""
    match name:
        case "tensorrt":
            from engine.runtimes import trt

            return trt
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


def _gpu() -> bool:
    """Whether CUDA's driver sees a device."""
    from engine.runtimes.cuda import driver

    cuda = driver()
    try:
        cuda.init()
        return bool(cuda.Device.count())
    except cuda.Error:
        return False
