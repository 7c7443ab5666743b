"""What a camera's process and the station say to each other. Small, frozen, and without pixels.

Each fits into one write to a pipe, so that a process killed at any moment leaves no half a word.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from numpy.typing import NDArray

from inspector.camera.base import Frame, Setting
from inspector.camera.ring import Layout


@dataclass(frozen=True, slots=True)
class Opened:
    """The camera is open; what the station must know of it."""

    name: str
    triggered: bool
    live: bool
    queues: bool
    fires: bool
    silence_s: float
    in_effect: Mapping[str, Setting]


@dataclass(frozen=True, slots=True)
class Begun:
    """The camera acquires, since :class:`Begin` was said: a trigger finds it waiting."""


@dataclass(frozen=True, slots=True)
class RingMade:
    """Pictures lie in this ring from now on; the one before it will not be filled again."""

    name: str
    slots: int
    slot_bytes: int


@dataclass(frozen=True, slots=True)
class Taken:
    """A frame whose arrays lie in a slot, by name: "image", and "mask" of a known truth.

    ``sent_s`` is when it was fetched, of :func:`time.monotonic`, which all processes of a machine
    share.
    """

    frame: Frame
    slot: int
    number: int
    layouts: Mapping[str, Layout]
    sent_s: float


@dataclass(frozen=True, slots=True)
class Beat:
    """The thread that fetches is alive, and the camera answers."""

    values: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failed:
    """The world's fault, in its sentence; ``kind`` is the name of its class in engine.types."""

    kind: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Crashed:
    """Our own fault, with its traceback."""

    trace: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The camera has no more frames."""


@dataclass(frozen=True, slots=True)
class Left:
    """The process lets go, since it was asked to: the camera's last counts, and the frame that was
    fetched and not yet handed over, if there is one."""

    values: Mapping[str, float]
    frame: Frame | None


Said: TypeAlias = Opened | Begun | RingMade | Taken | Beat | Failed | Crashed | Ended | Left


@dataclass(frozen=True, slots=True)
class Begin:
    """Pictures are wanted from now on: what went by before was nobody's."""


@dataclass(frozen=True, slots=True)
class Release:
    """A slot of the ring of this name may be filled again."""

    ring: str
    slot: int


@dataclass(frozen=True, slots=True)
class Fire:
    """One software trigger."""


@dataclass(frozen=True, slots=True)
class Close:
    """Let go of the camera and end; a camera cut off in use stays taken for seconds."""


Command: TypeAlias = Begin | Release | Fire | Close


def arrays_of(frame: Frame) -> dict[str, NDArray[Any]]:
    """What of a frame goes through the ring."""
    mask = None if frame.truth is None else frame.truth.mask
    named = {"image": frame.image, "mask": mask}
    return {name: array for name, array in named.items() if array is not None}


def without_arrays(frame: Frame) -> Frame:
    """What of a frame goes through the pipe."""
    truth = frame.truth if frame.truth is None else replace(frame.truth, mask=None)
    return replace(frame, image=None, truth=truth)


def with_arrays(frame: Frame, arrays: Mapping[str, NDArray[Any]]) -> Frame:
    """The frame put together again."""
    truth = frame.truth
    if truth is not None:
        truth = replace(truth, mask=arrays.get("mask"))
    return replace(frame, image=arrays.get("image"), truth=truth)
