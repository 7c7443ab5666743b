"""Counting a real camera's frames so that what is lost shows as a gap."""

WRAP = 65535  # GigE Vision 1: block ids run from 1 to 65535 and start again at 1, never 0


class FrameIds:
    """Turns a camera's ids into ids from 0 that only grow, by the steps between them.

    A step above 1 stays a gap: frames were lost. A step back is a 16-bit counter that started
    again. Incomplete frames come without an id; whether the camera counted them shows in the
    next id, so that none is counted twice.
    """

    def __init__(self) -> None:
        self._last = -1
        self._camera_id: int | None = None
        self._spoilt = 0

    def next(self, camera_id: int | None) -> int:
        """The id of a frame the camera calls `camera_id`; None where it does not count."""
        step = 1
        if camera_id is not None and self._camera_id is not None:
            step = camera_id - self._camera_id
            step = step if step > 0 else step % WRAP
        self._last += max(1, step - self._spoilt)
        self._camera_id = camera_id
        self._spoilt = 0
        return self._last

    def spoilt(self) -> int:
        """The id of a frame that came incomplete, without an id of its own."""
        self._spoilt += 1
        self._last += 1
        return self._last
