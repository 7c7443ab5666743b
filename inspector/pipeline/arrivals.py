"""What the order of frames tells: which were lost, which came twice, which picture is frozen.

One camera at a time: each has its own loop, and so its own :class:`Arrivals`.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inspector.camera.base import Frame

MOST_LOST: Final = 10_000
"""More triggers lost at once are no loss but a broken counter: nobody wants a record for each."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One frame against those before it.

    ``lost``: the ids that never came; ``in_order`` is false where the id is one already passed,
    so that nobody can say which part this is; ``frozen``: the same bytes as the picture before.
    ``fault`` is a sentence where more was lost than anybody loses, or "".
    """

    lost: range
    in_order: bool
    frozen: bool
    fault: str = ""


class Arrivals:
    """Remembers the last id and the last picture of one camera, whose first id is 0."""

    def __init__(self) -> None:
        self._expected = 0
        self._fingerprint: bytes | None = None

    def note(self, frame: Frame) -> Arrival:
        """Compare a frame with those before it.

        A frame out of order restarts the count: a camera that came back begins anew.
        """
        lost, fault = range(self._expected, frame.frame_id), ""
        if len(lost) > MOST_LOST:
            fault = (
                f"Camera {frame.camera} jumped from frame {self._expected - 1} to "
                f"{frame.frame_id}: its frame counter is broken; restart the camera."
            )
        in_order = frame.frame_id >= self._expected
        self._expected = frame.frame_id + 1
        return Arrival(lost, in_order, self._is_frozen(frame), fault)

    def _is_frozen(self, frame: Frame) -> bool:
        if frame.image is None:
            return False
        before, self._fingerprint = self._fingerprint, fingerprint(frame.image)
        return before == self._fingerprint


def fingerprint(image: NDArray[np.generic]) -> bytes:
    """A hash of a picture's bytes, shape and type. Kept instead of the picture, since a camera
    may reuse its buffer."""
    digest = hashlib.blake2b(repr((image.shape, image.dtype.str)).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(image).data)
    return digest.digest()
