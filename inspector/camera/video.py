"""USB cameras, RTSP streams and video files through OpenCV, for whom no GenTL producer exists.

Such a source runs freely: nothing ties a frame to a part, a lost one leaves no gap, and a stream
may lag behind the line. A line that sorts parts wants a GenICam camera.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from itertools import count
from pathlib import Path
from time import perf_counter
from types import MappingProxyType, TracebackType
from typing import Self

import cv2
import numpy as np

from engine.types import Image, InputError, MissingError
from inspector.camera.address import without_password
from inspector.camera.base import Camera, Frame, FrameFault, Setting
from inspector.clock import utc_now

PATIENCE_MS = 5000
PROPERTIES: Mapping[str, int] = MappingProxyType(
    {
        "width": cv2.CAP_PROP_FRAME_WIDTH,
        "height": cv2.CAP_PROP_FRAME_HEIGHT,
        "fps": cv2.CAP_PROP_FPS,
    }
)
"""What can be asked of a camera, and what it says of itself, by the name it has in a spec."""


class VideoCamera(Camera):
    """``source``: the number of a USB camera, a URL (``rtsp://…``), or a video file.

    ``settings`` are those of :data:`PROPERTIES`, set in their order and read back. A file ends; a
    camera that gives nothing more is gone: :class:`MissingError`.
    """

    triggered = False

    def __init__(
        self,
        source: str,
        settings: Mapping[str, float] = MappingProxyType({}),
        *,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.name = f"video:{without_password(source)}"
        self.live = self.queues = not Path(source).is_file()
        self._source = source
        self._settings = settings
        self._clock = clock
        self._capture: cv2.VideoCapture | None = None
        self._in_effect: Mapping[str, Setting] = MappingProxyType({})

    def __enter__(self) -> Self:
        capture = _opened(self._source)
        try:
            for name, value in self._settings.items():
                _set(capture, self.name, name, value)
        except BaseException:
            capture.release()
            raise
        self._capture, self._in_effect = capture, _said(capture)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._capture is not None:
            self._capture.release()
        self._capture = None

    @property
    def in_effect(self) -> Mapping[str, Setting]:
        return self._in_effect

    def frames(self) -> Iterator[Frame]:
        """Frames with ids from 0; of a file from its first, of a camera from now on.

        ``grab_ms`` is decoding, not the wait for the camera.
        """
        capture = self._capture
        if capture is None:
            raise RuntimeError("frames() needs an open camera: use it as a context manager")
        if not self.live:
            capture.set(cv2.CAP_PROP_POS_FRAMES, 0)
        for frame_id in count():
            if not capture.grab():
                if not self.live:
                    return
                raise MissingError(
                    f"The camera {self.name} gives nothing more: check cable, power and network."
                )
            yield self._frame(frame_id, capture)

    def _frame(self, frame_id: int, capture: cv2.VideoCapture) -> Frame:
        started = perf_counter()
        there, picture = capture.retrieve()
        image = _rgb(picture) if there else None
        return Frame(
            frame_id=frame_id,
            image=image,
            grabbed_at=self._clock(),
            grab_ms=(perf_counter() - started) * 1e3,
            camera=self.name,
            fault=None if image is not None else FrameFault.INCOMPLETE,
        )


def _opened(source: str) -> cv2.VideoCapture:
    if source.isdecimal():
        capture = cv2.VideoCapture(int(source))
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # the newest, where a driver lets one choose
    else:
        patience = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, cv2.CAP_PROP_READ_TIMEOUT_MSEC]
        limits = [value for name in patience for value in (name, PATIENCE_MS)]
        capture = cv2.VideoCapture(source, cv2.CAP_FFMPEG, limits)
    if not capture.isOpened():
        capture.release()
        raise MissingError(
            f"The camera video:{without_password(source)} cannot be opened: check its number, "
            "file or address, and that no other program uses it."
        )
    return capture


def _set(capture: cv2.VideoCapture, camera: str, name: str, value: float) -> None:
    capture.set(PROPERTIES[name], value)
    made = capture.get(PROPERTIES[name])
    if made != value:
        raise InputError(f"The camera {camera} made {made:g} of {name}={value:g}: ask for that.")


def _said(capture: cv2.VideoCapture) -> Mapping[str, Setting]:
    """Drivers say 0 or less of what they do not know."""
    values = {name: capture.get(number) for name, number in PROPERTIES.items()}
    return {name: value for name, value in values.items() if value > 0}


def _rgb(picture: np.ndarray) -> Image:
    """As a picture that owns its pixels: OpenCV decodes into the same memory again."""
    code = cv2.COLOR_GRAY2RGB if picture.ndim == 2 else cv2.COLOR_BGR2RGB
    return np.asarray(cv2.cvtColor(picture, code), np.uint8)
