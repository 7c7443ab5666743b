"""A camera is a context manager that iterates frames: stopping is leaving the loop.

A lost or spoilt frame is data. It arrives as a :class:`Frame` that carries its fault, or as a gap
in ``frame_id``; it is never skipped in silence.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import TracebackType
from typing import Protocol, Self, TypeAlias

from engine.types import Image, Mask
from inspector.texts import keep_storable

Setting: TypeAlias = bool | int | float | str
"""The value of one of a camera's features."""


class FrameFault(StrEnum):
    """What a camera knows to be wrong with a frame it hands over.

    NOT_READY: a trigger that came while nobody could look, and for which no picture was taken.
    """

    INCOMPLETE = "incomplete_frame"
    NO_FRAME = "no_frame"
    NOT_READY = "not_ready"
    NOT_A_PICTURE = "not_a_picture"
    WRONG_FORMAT = "wrong_format"
    NO_CODE = "no_code"  # a whole picture, whose part cannot be told


@dataclass(frozen=True, slots=True)
class GroundTruth:
    """What a simulator or a labelled folder knows about a part. A real line has none.

    ``mask`` is ``(H, W)`` bool, or None where only the label is known; ``defect`` is the kind
    of defect ("good" for none) and ``caption`` says it in words.
    """

    defect: str
    caption: str
    mask: Mask | None = None

    def __post_init__(self) -> None:
        keep_storable(self, "defect", "caption")

    @property
    def is_defective(self) -> bool:
        return self.defect != "good"


@dataclass(frozen=True, slots=True)
class PartIdentity:
    """Which piece this is, as the line, a message or a code on the part says; None: not said."""

    part: str | None = None
    lot: str | None = None
    serial: str | None = None

    def __post_init__(self) -> None:
        keep_storable(self, "part", "lot", "serial")


NOT_SAID = PartIdentity()


@dataclass(frozen=True, slots=True)
class Frame:
    """One trigger's picture.

    ``frame_id`` counts the camera's triggers from 0, so a gap is a lost frame; ``grabbed_at`` is
    UTC; ``grab_ms`` is what the grab took; ``queue_ms`` is how long the picture then waited for the
    station; ``product`` and ``part`` are set where the source knows them; ``fault`` is set, and
    ``image`` may be None, where the camera knows that the frame is spoilt.
    """

    frame_id: int
    image: Image | None
    grabbed_at: datetime
    grab_ms: float
    camera: str
    source: str = ""  # a file name, a buffer id: where a person finds the picture again
    product: str | None = None
    fault: FrameFault | None = None
    truth: GroundTruth | None = None
    part: PartIdentity = NOT_SAID
    queue_ms: float = 0.0

    def __post_init__(self) -> None:
        keep_storable(self, "camera", "source", "product")


class Camera(Protocol):
    """What every camera offers, real, folder or simulated; one test suite serves all.

    A camera that needs no more than frames inherits the rest from here.
    """

    name: str
    triggered: bool
    """True where one frame belongs to one part, so that a lost frame is a part not seen."""
    live: bool
    """True where what is not fetched goes by: such a camera, lost, is worth waiting for."""
    queues: bool = False
    """True where pictures wait inside it until they are fetched, and nobody knows for how long."""
    fires: bool = False
    """True where a frame comes for each :meth:`trigger` and for nothing else."""
    silence_s: float = 1.5
    """For so long, and no longer, a camera that is well may be without a frame or sign of life."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    @property
    def in_effect(self) -> Mapping[str, Setting]:
        """Trigger and settings as the open camera itself says them, by the names of its features;
        none of a camera that says nothing of itself."""
        return {}

    def frames(self) -> Iterator[Frame]:
        """Frames until the source ends (folder), or for ever; leave the loop to stop."""
        ...

    def trigger(self) -> None:
        """Ask for one frame; from any thread, while another iterates the frames."""
        raise RuntimeError(f"The camera {self.name} takes its own time: it has no trigger.")

    def health(self) -> Mapping[str, float]:
        """What the camera measures of itself, by name and unit; from the thread that fetches."""
        return {}
