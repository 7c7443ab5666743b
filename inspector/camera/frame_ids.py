"""Counting a real camera's frames so that what is lost shows as a gap."""

RANGES = (65535, 2**32, 2**64)
"""How many ids a counter has: GigE Vision 1 counts from 1 to 65535 and starts again at 1, never 0;
producers of 32 bits start again at 0; GigE Vision 2 and USB3 Vision count in 64 bits."""


class FrameIds:
    """Turns a camera's ids into ids from 0 that only grow, by the steps between them.

    A step above 1 stays a gap: frames were lost, and :attr:`lost` counts them. A step back from the
    end of a counter's range to its beginning is that counter going round; any other is a camera
    that began anew, of which nobody can say what it lost: :attr:`restarts`. Incomplete frames come
    without an id; whether the camera counted them shows in the next id, so that none is counted
    twice. At all times ``frames + lost`` are the ids given: the last one + 1.
    """

    def __init__(self) -> None:
        self.frames = 0
        self.lost = 0
        self.restarts = 0
        self._last = -1
        self._camera_id: int | None = None
        self._highest = 0
        self._spoilt = 0

    def next(self, camera_id: int | None) -> int:
        """The id of a frame the camera calls `camera_id`; None where it does not count."""
        step = max(1, self._step(camera_id) - self._spoilt)
        self._camera_id, self._spoilt = camera_id, 0
        self.lost += step - 1
        return self._given(step)

    def spoilt(self) -> int:
        """The id of a frame that came incomplete, without an id of its own."""
        self._spoilt += 1
        return self._given(1)

    def _given(self, step: int) -> int:
        self.frames += 1
        self._last += step
        return self._last

    def _step(self, camera_id: int | None) -> int:
        if camera_id is None or self._camera_id is None:
            return 1
        self._highest = max(self._highest, self._camera_id)
        step = camera_id - self._camera_id
        return step if step > 0 else self._round(step)

    def _round(self, step: int) -> int:
        """The steps of a counter that did not grow."""
        ids = next(size for size in RANGES if self._highest <= size)
        if 0 < step % ids < ids / 2:
            return step % ids
        self.restarts += step != 0
        return 1
