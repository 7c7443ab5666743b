"""The parts of one run, from whoever brings them, with all that is known of each."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import chain, islice
from time import monotonic
from typing import Final

from engine.types import InputError
from inspector.camera.base import Frame, FrameFault
from inspector.camera.codes import identified
from inspector.camera.supervised import SupervisedCamera
from inspector.clock import utc_now
from inspector.line.frames import frame_of, refused_frame
from inspector.line.signals import Trigger
from inspector.monitor.pulse import watched
from inspector.pipeline.control import Control, RunState
from inspector.settings import ModbusSettings, StationSettings
from inspector.surroundings import Surroundings

PATIENCE_MS: Final = 2_000.0
"""With the picture of a trigger, where the settings have no ``grab_deadline_ms``."""


def parts(
    settings: StationSettings,
    surroundings: Surroundings,
    camera: SupervisedCamera,
    control: Control,
    most: int | None,
    hold: Callable[[], None],
) -> Iterator[Frame]:
    """Up to ``most`` frames until ``control`` says stop, each with its part's identity.

    ``hold`` is called at the end, and has to let no further trigger come. :class:`InputError`
    where camera and PLC disagree about who triggers.
    """
    frames = surroundings.with_messages(_source(settings, surroundings, camera, control, hold))
    if settings.part is not None:
        frames = identified(frames, settings.part)
    return watched(islice(frames, most), surroundings.pulse)


def _source(
    settings: StationSettings,
    surroundings: Surroundings,
    camera: SupervisedCamera,
    control: Control,
    hold: Callable[[], None],
) -> Iterator[Frame]:
    """From the camera as it comes, or one for each trigger of the PLC."""
    modbus, line = settings.modbus, surroundings.line
    if modbus is None or line is None or not modbus.triggers:
        if camera.fires:
            raise InputError(
                f"The camera {camera.name} waits for triggers that nobody gives: name the PLC "
                "that does, [modbus], or leave its trigger out."
            )
        return _of_the_line(camera, surroundings, control, hold)
    if not camera.fires:
        raise InputError(
            f"The PLC triggers, and the camera {camera.name} takes its own time: open it with "
            "trigger=software, or set triggers = false in [modbus]."
        )
    patience_s = (settings.grab_deadline_ms or PATIENCE_MS) / 1e3
    return _shots(chain(line.triggers(control), line.rest(hold)), camera, modbus, patience_s)


def _of_the_line(
    camera: SupervisedCamera,
    surroundings: Surroundings,
    control: Control,
    hold: Callable[[], None],
) -> Iterator[Frame]:
    """A camera that goes on by itself is drawn from during a pause, too: its parts pass, and have
    their records at once. Any other waits with the station."""
    frames = timed(camera.frames(), surroundings.took)
    if not camera.live:
        return control.gate(frames)
    drawn = control.once_started if camera.queues else control.gate
    return in_time(drawn(frames), control, hold, triggered=camera.triggered)


def timed(
    frames: Iterable[Frame],
    took: Callable[[int, float], None],
    timer: Callable[[], float] = monotonic,
) -> Iterator[Frame]:
    """The same frames; ``took`` hears when each was taken."""
    for frame in frames:
        took(frame.frame_id, timer() - frame.queue_ms / 1e3)
        yield frame


def in_time(
    frames: Iterable[Frame],
    control: Control,
    hold: Callable[[], None],
    *,
    triggered: bool,
    timer: Callable[[], float] = monotonic,
) -> Iterator[Frame]:
    """What a line took while it was paused is judged by nobody, nor what waits once it is stopped,
    before which ``hold`` is called. A triggered picture was a part that went by, and has its
    record; one of a free run is missed like a lost one."""
    for frame in frames:
        stopped = control.state is RunState.STOPPED
        if stopped:
            hold()
        if not stopped and control.ran_at(timer() - frame.queue_ms / 1e3):
            yield frame
        elif triggered:
            yield replace(frame, fault=FrameFault.NOT_READY)


def _shots(
    triggers: Iterable[Trigger],
    camera: SupervisedCamera,
    modbus: ModbusSettings,
    patience_s: float,
) -> Iterator[Frame]:
    """One frame a trigger, whose wait counts: it began when the PLC saw its part."""
    with camera.shooting() as shoot:
        for trigger in triggers:
            waited_s = monotonic() - trigger.at_monotonic
            if trigger.refused is not None or waited_s >= patience_s:
                yield refused_frame(trigger, camera.name, utc_now())
                continue
            try:
                frame = shoot(patience_s - waited_s)
            except Exception:  # raised again: the part has its record first
                yield refused_frame(trigger, camera.name, utc_now())
                raise
            frame = replace(frame, grab_ms=frame.grab_ms + waited_s * 1e3)
            yield frame_of(trigger, frame, modbus.product(trigger.recipe_index))
