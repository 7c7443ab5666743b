"""From a runtime's name to its module, imported only when it is chosen."""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import NamedTuple

from engine.manifest import Precision, RuntimeName
from engine.runtimes.base import Backend
from engine.types import BundleError, InputError, MissingError

PRECISIONS: Mapping[RuntimeName, tuple[Precision, ...]] = {
    "tensorrt": ("f32", "f16"),
    "openvino": ("f32", "bf16", "int8"),
    "onnxruntime": ("f32", "int8"),
}
"""What each runtime computes in, the fastest runtime first."""
REASONS: Mapping[RuntimeName, str] = {
    "tensorrt": "there are TensorRT and an NVIDIA GPU",
    "openvino": "openvino is the fastest on a CPU",
    "onnxruntime": "onnxruntime runs on every CPU",
}
"""Why each is taken where no faster one can be."""


class Choice(NamedTuple):
    """A runtime and a precision, and why, in words."""

    runtime: RuntimeName
    precision: Precision
    why: str


def choose(name: str, precision: str) -> Choice:
    """Check what a person asked for; "auto" takes the fastest that this machine has.

    :class:`InputError` where there is no such runtime, or none in that precision.
    """
    if name == "auto":
        return _fastest(precision)
    runtime = next((known for known in PRECISIONS if known == name), None)
    if runtime is None:
        raise InputError(f"There is no runtime {name!r}: choose auto, {', '.join(PRECISIONS)}.")
    pinned = _pinned(runtime, precision)
    if pinned is None:
        others = [r for r, p in PRECISIONS.items() if precision in p]
        also = f", or {precision} with {' or '.join(others)}" if others else ""
        known = " or ".join(PRECISIONS[runtime])
        raise InputError(f"{runtime} has no {precision!r}: choose {known}{also}.")
    return Choice(runtime, pinned, "it was asked for")


def _fastest(precision: str) -> Choice:
    """The first runtime that can be had in this precision, and why the faster ones cannot."""
    lacks: list[str] = []
    for runtime in PRECISIONS:
        pinned = _pinned(runtime, precision)
        if pinned is None:
            lacks.append(f"{runtime} has no {precision}")
        elif lack := _lack(runtime):
            lacks.append(lack)
        else:
            why = [", ".join(lacks)] if lacks else []
            return Choice(runtime, pinned, "; ".join([*why, REASONS[runtime]]))
    raise InputError(f"Nothing here computes in {precision!r}: {', '.join(lacks)}; choose f32.")


def _pinned(runtime: RuntimeName, precision: str) -> Precision | None:
    return next((known for known in PRECISIONS[runtime] if known == precision), None)


def _lack(runtime: RuntimeName) -> str:
    """What this machine lacks of what a runtime needs; empty where that is nothing."""
    match runtime:
        case "tensorrt":
            return _lack_of_tensorrt()
        case "openvino" if not find_spec("openvino"):
            return "no openvino"
    return ""


def _lack_of_tensorrt() -> str:
    """The GPU is asked for first, since TensorRT takes seconds to load."""
    packages = [package for package in ("tensorrt", "pycuda") if not find_spec(package)]
    if packages:
        return f"no {' and no '.join(packages)}"
    try:
        if not _gpu():
            return "no NVIDIA GPU"
        backend("tensorrt").version()
    except MissingError as error:  # there, but not to be loaded, or not of our versions
        return str(error).removesuffix(".")
    return ""


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
