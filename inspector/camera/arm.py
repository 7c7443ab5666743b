"""Makes a camera wait for its trigger, or run freely, whatever the last program left it doing."""

from collections.abc import Mapping, Sequence
from typing import Any

from inspector.camera.features import is_writable, offered, read, set_feature
from inspector.camera.trigger import FRAME_START, TriggerSettings, trigger_features


def release_triggers(features: Mapping[str, Any], camera: str) -> None:
    """Every trigger of the camera off, those of lines and whole acquisitions too.

    Before anything else is set: many cameras lock their frame rate, or the choice of a trigger's
    source, while they wait for one. The trigger of a frame is the one selected afterwards.
    """
    for selected in _selectable(features):
        set_feature(features, camera, "TriggerSelector", selected)
        _release(features, camera)
    _release(features, camera)


def _release(features: Mapping[str, Any], camera: str) -> None:
    if read(features, "TriggerMode") == "On":
        set_feature(features, camera, "TriggerMode", "Off")


def _selectable(features: Mapping[str, Any]) -> Sequence[str]:
    """The camera's kinds of trigger, that of a frame last; none where there is but one."""
    selector = features.get("TriggerSelector")
    if selector is None or not is_writable(selector):
        return ()
    return sorted(selector.symbolics, key=lambda one: one == FRAME_START)


def set_trigger(
    features: Mapping[str, Any], camera: str, settings: TriggerSettings
) -> Sequence[str]:
    """Each step set and read back; :class:`engine.types.InputError` with what the camera takes.

    Returns the names of the features that were set.
    """
    steps = trigger_features(settings, offered(features), camera)
    for name, value in steps:
        set_feature(features, camera, name, value)
    return [name for name, _ in steps]
