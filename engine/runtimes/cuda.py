"""The GPU's memory, behind six calls: pinned, allocate, upload, download, record, wait.

pycuda answers them, and its errors end here. What it has no call for, the capture of a CUDA graph,
is asked of the driver's own library. Nothing else in the house imports pycuda; another binding
needs these six and no more.
"""

import ctypes
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.runtimes.missing import missing
from engine.types import InferenceError, MissingError

Address: TypeAlias = int
RELAXED = 2  # CU_STREAM_CAPTURE_MODE_RELAXED: other threads' calls do not spoil a capture


class Gpu(Protocol):
    """One device, one context and one stream, all of one thread's. ``name`` says what it is.

    Each call is an :class:`InferenceError` where the device refuses it.
    """

    name: str
    stream: int

    def pinned(self, shape: tuple[int, ...], kind: Any) -> NDArray[Any]:
        """Page-locked memory of this shape, which the device reads without a copy."""
        ...

    def allocate(self, size: int) -> Address:
        """``size`` bytes on the device."""
        ...

    def upload(self, to: Address, what: NDArray[Any]) -> None:
        """Copy to the device, in the stream's turn."""
        ...

    def download(self, to: NDArray[Any], what: Address) -> None:
        """Copy from the device, in the stream's turn."""
        ...

    def record(self, call: Callable[[], None]) -> Callable[[], None] | None:
        """What ``call`` puts into the stream as one launch; None where that cannot be recorded."""
        ...

    def wait(self) -> None:
        """Until the stream has done all."""
        ...

    def close(self) -> None: ...


class PyCuda:
    """The first GPU by pycuda, in its primary context, made current in the thread that asks."""

    def __init__(self) -> None:
        self._cuda = driver()
        self._held: list[Any] = []
        self._recordings: list[Recording] = []
        try:
            self._cuda.init()
            self._context = self._cuda.Device(0).retain_primary_context()
        except self._cuda.Error as error:
            raise MissingError(f"There is no NVIDIA GPU to run on: {error}.") from error
        with self._told("The GPU cannot be opened"), ExitStack() as failed:
            self._context.push()
            failed.callback(self.close)
            device = self._cuda.Context.get_device()
            major, minor = device.compute_capability()
            version = self._cuda.get_driver_version()
            self.name = f"{device.name()} sm_{major}{minor} driver {version}"
            self._stream = self._cuda.Stream()
            self.stream = int(self._stream.handle)
            failed.pop_all()

    def pinned(self, shape: tuple[int, ...], kind: Any) -> NDArray[Any]:
        with self._told(f"There is no page-locked memory left for {shape}"):
            array: NDArray[Any] = self._cuda.pagelocked_empty(shape, kind)
        return array

    def allocate(self, size: int) -> Address:
        with self._told(f"The GPU has no {size} bytes left"):
            memory = self._cuda.mem_alloc(size)
        self._held.append(memory)
        return int(memory)

    def upload(self, to: Address, what: NDArray[Any]) -> None:
        with self._told("The GPU took no picture"):
            self._cuda.memcpy_htod_async(to, what, self._stream)

    def download(self, to: NDArray[Any], what: Address) -> None:
        with self._told("The GPU gave no answer"):
            self._cuda.memcpy_dtoh_async(to, what, self._stream)

    def record(self, call: Callable[[], None]) -> Callable[[], None] | None:
        recording = recorded(self.stream, call)
        if recording is not None:
            self._recordings.append(recording)
        return recording

    def wait(self) -> None:
        with self._told("The GPU gave up on a picture"):
            self._stream.synchronize()

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """What pycuda raises inside, as one sentence that begins with ``what``."""
        try:
            yield
        except self._cuda.Error as error:
            raise InferenceError(f"{what}: {error}; nvidia-smi says what runs there.") from error

    def close(self) -> None:
        for recording in self._recordings:
            recording.free()
        self._recordings.clear()
        for memory in self._held:
            with suppress(self._cuda.Error):  # of a device that was lost nothing can be given back
                memory.free()
        self._held.clear()
        with suppress(self._cuda.Error):
            self._context.pop()


class Recording:
    """A CUDA graph that is ready to be launched into a stream, as often as wanted."""

    def __init__(self, library: Any, ready: ctypes.c_void_p, stream: ctypes.c_void_p) -> None:
        self._library, self._ready, self._stream = library, ready, stream

    def __call__(self) -> None:
        if error := self._library.cuGraphLaunch(self._ready, self._stream):
            raise InferenceError(f"The GPU refused a recorded plan (CUDA error {error}).")

    def free(self) -> None:
        """Give back what it takes of the driver; it cannot be launched any longer."""
        self._library.cuGraphExecDestroy(self._ready)


def recorded(stream: int, call: Callable[[], None]) -> Recording | None:
    """A CUDA graph of what ``call`` puts into the stream; None where the driver will not have it,
    or ``call`` ends in an :class:`InferenceError`.

    However ``call`` ends, the stream is left able to take the same call plainly.
    """
    ask = _driver_library()
    if ask is None:
        return None
    handle, graph, ready = ctypes.c_void_p(stream), ctypes.c_void_p(), ctypes.c_void_p()
    if ask.cuStreamBeginCapture_v2(handle, RELAXED):
        return None
    try:
        try:
            call()
        finally:
            refused = ask.cuStreamEndCapture(handle, ctypes.byref(graph))
        none = ctypes.c_ulonglong(0)
        if refused or ask.cuGraphInstantiateWithFlags(ctypes.byref(ready), graph, none):
            return None
        return Recording(ask, ready, handle)
    except InferenceError:
        return None
    finally:
        if graph.value is not None:
            ask.cuGraphDestroy(graph)  # what was instantiated is a copy


def driver() -> Any:
    """pycuda's driver; :class:`MissingError` where it is not installed, or finds no CUDA."""
    try:
        import pycuda.driver
    except ImportError as error:
        raise missing("pycuda", error) from None
    return pycuda.driver


def _driver_library() -> Any:
    """CUDA's driver itself, or None."""
    try:
        return ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return None


def size_of(array: NDArray[Any]) -> int:
    """In bytes."""
    return int(np.prod(array.shape)) * array.itemsize
