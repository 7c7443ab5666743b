"""Real cameras by GenICam: frames from Harvesters. Importing it loads the GenICam libraries.

The way of fetching answers what Harvesters 1.4.3 does (read in its source): its background mode
ignores the timeout, keeps a queue of one, and drops the oldest frame in silence. So frames are
fetched here, from many buffers; pixels are copied while the buffer is ours, and it is given back
at once. Incomplete buffers, which Harvesters discards, become frames with a fault.

Two threads must never be in a node map together [measured: a deadlock within seconds]. GenApi holds
its own lock while Harvesters reads a register for it in Python; whoever then has Python's lock and
asks GenApi waits for ever. Fetching asks it too, for chunk data. So one lock of ours goes round all
of it. The genicam package also keeps Python's lock while it waits for a buffer [measured: a wait of
200 ms stops every thread for as long]: waits are cut into slices, with a pause between them.

Each camera belongs into its own process: while one is open, a second Harvester in the process
finds no devices, and a lost device can lock the process up.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from time import monotonic, perf_counter, sleep
from types import MappingProxyType, TracebackType
from typing import Any, Self

import numpy as np
from genicam.gentl import GenericException as GenTLError
from harvesters import core
from harvesters.core import Buffer, Callback, ImageAcquirer

from engine.types import Image, InputError, MissingError
from inspector.camera.arm import release_triggers, set_trigger
from inspector.camera.base import Camera, Frame, FrameFault, Setting
from inspector.camera.features import (
    PICTURE,
    WRITABLE,
    by_name,
    read,
    read_all,
    set_feature,
)
from inspector.camera.frame_ids import FrameIds
from inspector.camera.genicam_options import LEAST_BUFFERS
from inspector.camera.pixels import LAYOUTS, bytes_needed, check_format, to_rgb
from inspector.camera.producers import answering, discovered, opened
from inspector.camera.trigger import FREE, TriggerSettings
from inspector.camera.vitals import Pulse, link_counts, temperatures
from inspector.clock import utc_now

SLICE_S = 0.002  # of waiting for a buffer, in which no other thread runs
PAUSE_S = 50e-6  # between slices: a waiting thread wakes up and takes its turn
PULSE_S = 0.25  # without a buffer for so long, the camera is asked whether it is there


class _Steady:
    """What Harvesters measures its waits by. With the machine's clock, set back by a minute, a
    slice of waiting would last a minute."""

    time, sleep = staticmethod(monotonic), staticmethod(sleep)


core.time = _Steady


class GenICamCamera(Camera):
    """One GenICam camera, by its serial number (or its id, or the name its user gave it).

    `trigger` is what makes it take a picture; `settings` are GenICam features, set in their order
    before the trigger is; ``in_effect`` is what the camera then says of itself, where it has it:
    what makes a picture what it is, and each feature that was set. `buffers` is how many frames may
    wait while a part is judged; more than that are lost, and leave a gap in ``frame_id``. A camera
    that runs freely and sends nothing for `silence_s`, or that does not answer when it is asked, is
    gone: :class:`MissingError`. One that waits for triggers may wait for ever. `alive` is called by
    the thread that fetches, after each sign of the camera: a buffer, or its answer to a question
    asked every quarter of a second. A thread that hangs in the producer does not call it.
    """

    def __init__(
        self,
        serial: str,
        producer: Path | None = None,
        *,
        trigger: TriggerSettings = FREE,
        settings: Mapping[str, Setting] = MappingProxyType({}),
        alive: Callable[[], None] = lambda: None,
        buffers: int = LEAST_BUFFERS,
        silence_s: float = 5.0,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.name = f"genicam:{serial}"
        self.triggered = False
        self.live = self.queues = True
        self._serial = serial
        self._producer = producer
        self._trigger = trigger
        self._settings = settings
        self._alive = alive
        self._buffers = buffers
        self._silence_s = silence_s
        self._clock = clock
        self._acquirer: Any = None
        self._in_effect: Mapping[str, Setting] = MappingProxyType({})
        self._features: Mapping[str, Any] = MappingProxyType({})
        self._pulse = Pulse({})
        self._ids, self._incomplete = FrameIds(), 0
        self._lock = threading.Lock()  # of who talks to the producer
        self._held = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as held:
            harvester = held.enter_context(discovered(self._producer))
            acquirer = held.enter_context(opened(harvester, self._serial))
            acquirer.num_buffers = max(self._buffers, acquirer.min_num_buffers)
            with answering(self._serial):
                self._configure(acquirer.remote_device.node_map)
            self._acquirer = acquirer
            self._held = held.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._acquirer, self._features, self._pulse = None, MappingProxyType({}), Pulse({})
        self._held.close()

    def _configure(self, camera: Any) -> None:
        features = by_name(camera)
        release_triggers(features, self._serial)
        for name, value in self._settings.items():
            set_feature(features, self._serial, name, value)
        of_trigger = set_trigger(features, self._serial, self._trigger)
        self.triggered = read(features, "TriggerMode") == "On"
        self.fires = self._trigger.kind == "software"
        pixel_format = features["PixelFormat"]
        check_format(pixel_format.value, self._serial, pixel_format.symbolics)
        names = dict.fromkeys((*PICTURE, *self._settings, *of_trigger))
        self._in_effect = MappingProxyType(read_all(features, names))
        self._features, self._pulse = features, Pulse(features)
        self._ids, self._incomplete = FrameIds(), 0

    @property
    def in_effect(self) -> Mapping[str, Setting]:
        return self._in_effect

    def trigger(self) -> None:
        """Ask for one picture by software, from any thread, while another fetches.

        :class:`InputError` where the camera does not wait for that, :class:`MissingError` where it
        does not answer. A camera that is busy, or not yet started, takes no command: no picture
        comes, as none does from a signal on a line at that moment.
        """
        with self._lock, answering(self._serial):
            if self._acquirer is None:
                raise RuntimeError("trigger() needs an open camera: use it as a context manager")
            if not self.triggered or read(self._features, "TriggerSource") != "Software":
                raise InputError(
                    f"The camera {self._serial} does not wait for software: open it with "
                    "trigger=software."
                )
            command = self._features["TriggerSoftware"]
            if command.get_access_mode() in WRITABLE:
                command.execute()

    def health(self) -> Mapping[str, float]:
        """How camera and link are, from any thread: counts since ``frames()`` began.

        "frames" (all, spoilt ones too), "incomplete" of them, "lost", "restarts" of the camera's
        counter; "temperature…" in °C and the link's own counts where they are offered.
        :class:`MissingError` where the camera does not answer.
        """
        with self._lock, answering(self._serial):
            if self._acquirer is None:
                raise RuntimeError("health() needs an open camera: use it as a context manager")
            self._pulse.feel()
            ids = self._ids
            return {
                "frames": ids.frames,
                "incomplete": self._incomplete,
                "lost": ids.lost,
                "restarts": ids.restarts,
                **temperatures(self._features, self._serial),
                **link_counts(self._acquirer.data_streams[0]),
            }

    def frames(self) -> Iterator[Frame]:
        """Frames for ever, their ids from 0; every call starts the acquisition anew.

        ``grab_ms`` is what copying took, not the wait for the camera; ``source`` is the id that
        the camera itself gave. The time is the host's: producers need not have one.
        """
        if self._acquirer is None:
            raise RuntimeError("frames() needs an open camera: use it as a context manager")
        ids = self._ids = FrameIds()
        self._incomplete = 0
        with _acquiring(self._acquirer, self._serial, self._lock) as spoilt:
            while True:
                buffer = self._fetch(spoilt)
                if buffer is None:
                    yield self._frame(ids.spoilt(), FrameFault.INCOMPLETE)
                else:
                    yield self._grab(buffer, ids)

    def _fetch(self, spoilt: "_Spoilt") -> Any | None:
        """The next buffer, or None for one that came incomplete."""
        patience_ends = monotonic() + self._silence_s
        while True:
            # Known before this turn's tries: a process that was held up looks once more first.
            is_last = not self.triggered and monotonic() > patience_ends
            pulse_due, is_due = monotonic() + PULSE_S, False
            while not is_due:
                sleep(PAUSE_S)
                with self._lock:
                    buffer = self._acquirer.try_fetch(timeout=SLICE_S, is_raw=True)
                if buffer is not None or spoilt.take():
                    self._alive()
                    return buffer
                is_due = monotonic() > pulse_due
            with self._lock:
                self._pulse.feel()
            self._alive()
            if is_last:
                raise MissingError(
                    f"The camera {self._serial} sent nothing for {self._silence_s:g} s: check its "
                    "cable and power, and that no other program has set it to wait for triggers."
                )

    def _grab(self, buffer: Any, ids: FrameIds) -> Frame:
        started = perf_counter()
        with self._lock:
            camera_id = _camera_id(buffer)
            try:
                content = self._content(buffer)
            finally:
                buffer.parent.queue_buffer(buffer)
        grab_ms = (perf_counter() - started) * 1e3
        source = "" if camera_id is None else str(camera_id)
        return self._frame(ids.next(camera_id), content, grab_ms, source)

    def _content(self, buffer: Any) -> Image | FrameFault:
        """Harvesters says where the pixels lie; its decoder raises on some packed pictures."""
        try:
            found = Buffer(module=buffer, node_map=self._acquirer.remote_device.node_map)
        except ValueError:
            return FrameFault.WRONG_FORMAT
        except GenTLError:  # without a word of what is in it
            return FrameFault.INCOMPLETE
        return _picture(found.payload.components, buffer)

    def _frame(
        self, frame_id: int, content: Image | FrameFault, grab_ms: float = 0.0, source: str = ""
    ) -> Frame:
        fault, image = (content, None) if isinstance(content, FrameFault) else (None, content)
        self._incomplete += fault is FrameFault.INCOMPLETE
        return Frame(
            frame_id=frame_id,
            image=image,
            grabbed_at=self._clock(),
            grab_ms=grab_ms,
            camera=self.name,
            source=source,
            fault=fault,
        )


class _Spoilt(Callback):  # type: ignore[misc] # harvesters has no types
    """Hears of the incomplete buffers that Harvesters discards, which otherwise nobody sees."""

    def __init__(self) -> None:
        self._waiting = 0

    def emit(self, context: object = None) -> None:
        self._waiting += 1

    def take(self) -> bool:
        """Whether one was waiting; it is then reported."""
        self._waiting, had = max(0, self._waiting - 1), self._waiting > 0
        return had


@contextmanager
def _acquiring(acquirer: Any, serial: str, lock: threading.Lock) -> Iterator[_Spoilt]:
    spoilt = _Spoilt()
    acquirer.add_callback(ImageAcquirer.Events.INCOMPLETE_BUFFER, spoilt)
    with answering(serial):
        try:
            with lock:
                acquirer.start()
            yield spoilt
        finally:
            with lock:
                acquirer.stop()


def _camera_id(buffer: Any) -> int | None:
    """The id the producer gave, or None: it need not have any, and losses then go unseen."""
    try:
        return int(buffer.frame_id)
    except GenTLError:
        return None


def _picture(components: Sequence[Any], buffer: Any) -> Image | FrameFault:
    """The first component's pixels, copied, or what is wrong with it.

    They are taken from the buffer itself: what Harvesters makes of packed ones takes the padding of
    a line for pixels.
    """
    if not components or components[0] is None or components[0].data_format not in LAYOUTS:
        return FrameFault.WRONG_FORMAT
    part = components[0]
    shape = (part.data_format, part.width, part.height, part.x_padding)
    sent = np.frombuffer(buffer.raw_buffer, np.uint8, offset=part.data_offset)
    # A lossy link can deliver a "complete" buffer with a component of shape (0,).
    needed = bytes_needed(*shape)
    if part.data.size == 0 or part.data.nbytes < needed or sent.size < needed:
        return FrameFault.INCOMPLETE
    try:
        return to_rgb(sent, *shape)
    except InputError:  # pairs of pixels in a line of an odd width
        return FrameFault.WRONG_FORMAT
