"""What stands behind the ``?`` of a ``genicam:…`` spec; needs no GenICam libraries."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from engine.types import InputError
from inspector.camera.trigger import OPTIONS as OF_TRIGGER
from inspector.camera.trigger import TriggerSettings, trigger_of

LEAST_BUFFERS: Final = 16
"""Half a second at 30 frames/s: a machine holds a process up for that long now and then."""
MOST_BUFFERS: Final = 256
"""More would be memory without end (256 pictures of 5 MB are 1.3 GB), and pictures too old."""
OWN: Final = frozenset({*OF_TRIGGER, "buffers"})
"""Ours; every other name is a feature of the camera."""


@dataclass(frozen=True, slots=True)
class GenICamOptions:
    """How a camera is triggered, how many pictures may wait in it, and the features it is set to,
    in this order, as texts."""

    trigger: TriggerSettings
    buffers: int
    features: Mapping[str, str]


def genicam_options(options: Mapping[str, str]) -> GenICamOptions:
    """The options of a spec by their kinds; :class:`InputError` for one that cannot be."""
    return GenICamOptions(
        trigger_of(options),
        _buffers(options.get("buffers", str(LEAST_BUFFERS))),
        {name: value for name, value in options.items() if name not in OWN},
    )


def _buffers(said: str) -> int:
    if not said.isdecimal() or not LEAST_BUFFERS <= int(said) <= MOST_BUFFERS:
        raise InputError(
            f"The camera's option buffers is a whole number from {LEAST_BUFFERS} to "
            f"{MOST_BUFFERS}, not {said!r}: each buffer holds one picture."
        )
    return int(said)
