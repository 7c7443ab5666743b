"""The parts of one run, from whoever brings them, with all that is known of each."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from engine.types import InputError
from inspector.camera.base import Frame
from inspector.camera.codes import identified
from inspector.camera.supervised import SupervisedCamera
from inspector.line.frames import frame_of, refused_frame
from inspector.line.signals import Trigger
from inspector.monitor.pulse import watched
from inspector.pipeline.control import Control
from inspector.pipeline.loop import utc_now
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
) -> Iterator[Frame]:
    """Up to ``most`` frames until ``control`` says stop, each with its part's identity.

    :class:`InputError` where camera and PLC disagree about who triggers.
    """
    frames = surroundings.identified(_source(settings, surroundings, camera, control))
    if settings.part is not None:
        frames = identified(frames, settings.part)
    return watched(islice(frames, most), surroundings.pulse)


def _source(
    settings: StationSettings,
    surroundings: Surroundings,
    camera: SupervisedCamera,
    control: Control,
) -> Iterator[Frame]:
    """From the camera as it comes, or one for each trigger of the PLC."""
    modbus, line = settings.modbus, surroundings.line
    if modbus is None or line is None or not modbus.triggers:
        if camera.fires:
            raise InputError(
                f"The camera {camera.name} waits for triggers that nobody gives: name the PLC "
                "that does, [modbus], or leave its trigger out."
            )
        return control.gate(camera.frames())
    if not camera.fires:
        raise InputError(
            f"The PLC triggers, and the camera {camera.name} takes its own time: open it with "
            "trigger=software, or set triggers = false in [modbus]."
        )
    patience_s = (settings.grab_deadline_ms or PATIENCE_MS) / 1e3
    return _shots(line.triggers(control), camera, modbus, patience_s)


def _shots(
    triggers: Iterable[Trigger],
    camera: SupervisedCamera,
    modbus: ModbusSettings,
    patience_s: float,
) -> Iterator[Frame]:
    with camera.shooting() as shoot:
        for trigger in triggers:
            if trigger.refused is not None:
                yield refused_frame(trigger, camera.name, utc_now())
            else:
                yield frame_of(trigger, shoot(patience_s), modbus.product(trigger.recipe_index))
