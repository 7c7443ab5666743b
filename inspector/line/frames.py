"""From a trigger to the frame that answers it, which carries the trigger's id and its part."""

from dataclasses import replace
from datetime import datetime

from inspector.camera.base import Frame, FrameFault
from inspector.line.signals import Trigger


def frame_of(trigger: Trigger, frame: Frame, product: str | None = None) -> Frame:
    """The frame that was taken at a trigger. ``product`` is the one its recipe index names."""
    return replace(
        frame,
        frame_id=trigger.frame_id,
        part=trigger.part,
        product=frame.product if product is None else product,
    )


def refused_frame(trigger: Trigger, camera: str, now: datetime) -> Frame:
    """What stands for the picture of a refused trigger: the part went by, and has its record."""
    return Frame(
        frame_id=trigger.frame_id,
        image=None,
        grabbed_at=now,
        grab_ms=0.0,
        camera=camera,
        fault=FrameFault.NOT_READY,
        part=trigger.part,
    )
