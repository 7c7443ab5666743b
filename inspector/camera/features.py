"""A GenICam camera's features: set only what exists and is writable, and read it back.

Cameras differ (ExposureTime here, ExposureTimeAbs there) and some round in silence. A picture
taken with another exposure than the recipe's is a wrong verdict, so an unmet request is an error.
"""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from math import isclose
from typing import Any

from genicam.genapi import EAccessMode, GenericException

from engine.types import InputError
from inspector.camera.base import Setting

ROUNDING = 1e-3  # cameras count exposure in sensor lines: this share may differ unasked
READABLE = frozenset({EAccessMode.RO, EAccessMode.RW})
WRITABLE = frozenset({EAccessMode.WO, EAccessMode.RW})
PICTURE = (
    *("PixelFormat", "Width", "Height", "OffsetX", "OffsetY", "ExposureTime", "ExposureTimeAbs"),
    *("Gain", "GainRaw", "Gamma", "BlackLevel", "AcquisitionFrameRate"),
    *("TriggerSelector", "TriggerMode", "TriggerSource", "TriggerActivation"),
    *("TriggerDelay", "TriggerDelayAbs", "DeviceModelName", "DeviceFirmwareVersion"),
)
"""What makes a picture what it is: recorded with it, where the camera has it."""


def by_name(camera: Any) -> dict[str, Any]:
    """The features of a camera's node map by their names; they live only as long as it does."""
    return {feature.node.name: feature for feature in camera.nodes}


def read(features: Mapping[str, Any], name: str) -> Setting | None:
    """A feature's value, or None where the camera has no such thing now."""
    feature = features.get(name)
    if feature is None or feature.get_access_mode() not in READABLE or not has(feature, "value"):
        return None
    value: Setting = feature.value
    return value


def has(feature: Any, attribute: str) -> bool:
    """Whether this kind of feature has that; asking the feature itself would read the camera."""
    return hasattr(type(feature), attribute)


def read_all(features: Mapping[str, Any], names: Iterable[str]) -> dict[str, Setting]:
    """Those of `names` that the camera has now, with their values."""
    values = {name: read(features, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def offered(features: Mapping[str, Any]) -> dict[str, Sequence[str]]:
    """The features that the camera implements, with the entries of those that are a choice."""
    return {
        name: tuple(feature.symbolics) if has(feature, "symbolics") else ()
        for name, feature in features.items()
        if feature.get_access_mode() != EAccessMode.NI
    }


def set_feature(features: Mapping[str, Any], camera: str, name: str, value: Setting) -> None:
    """Set a feature and read it back; :class:`InputError` says what the camera would take."""
    feature = features.get(name)
    if feature is None:
        near = alike(features, name) or "its manual"
        raise InputError(f"The camera {camera} has no feature {name}: see {near}.")
    if not is_writable(feature):
        if holds(features, name, value):
            return  # a line that is an input for good need not be made one
        raise InputError(f"The camera {camera} does not let {name} be set: leave it out.")
    try:
        feature.value = value
    except GenericException as error:
        raise InputError(
            f"The camera {camera} does not take {name} = {value}: it takes {takes(feature)}."
        ) from error
    if not is_met(value, feature.value):
        raise InputError(
            f"The camera {camera} made {feature.value} of {name} = {value}: "
            f"it takes {takes(feature)}."
        )


def alike(features: Mapping[str, Any], name: str) -> str:
    """What may have been meant by a feature that there is not: no registers, which have others."""
    meant = [one for one, feature in features.items() if feature.node.is_feature()]
    return " or ".join(get_close_matches(name, meant))


def is_writable(feature: Any) -> bool:
    return feature.get_access_mode() == EAccessMode.RW and has(feature, "value")


def holds(features: Mapping[str, Any], name: str, value: Setting) -> bool:
    """Whether the camera has that value already."""
    got = read(features, name)
    return got is not None and is_met(value, got)


def takes(feature: Any) -> str:
    """What a feature may be set to, for people."""
    if has(feature, "symbolics"):
        return ", ".join(feature.symbolics)
    if has(feature, "min"):
        stepped = not has(feature, "has_inc") or feature.has_inc()  # floats may have none
        step = f" in steps of {feature.inc}" if stepped else ""
        return f"{feature.min} to {feature.max}{step}"
    return "true or false" if isinstance(feature.value, bool) else "a text"


def is_met(asked: Setting, got: Setting) -> bool:
    """Whether the camera holds what was asked; `asked` may be a text from the command line."""
    if isinstance(got, bool):
        return got == (str(asked).lower() in {"1", "true"})
    if isinstance(got, int | float):
        return isclose(float(asked), got, rel_tol=ROUNDING)
    return str(asked) == got
