"""Setting a GenICam camera's features: only what exists and is writable, and read back.

Cameras differ (ExposureTime here, ExposureTimeAbs there) and some round in silence. A picture
taken with another exposure than the recipe's is a wrong verdict, so an unmet request is an error.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from math import isclose
from typing import Any, TypeAlias

from genicam.genapi import EAccessMode, GenericException

from engine.types import InputError

Setting: TypeAlias = bool | int | float | str
ROUNDING = 1e-3  # cameras count exposure in sensor lines: this share may differ unasked


def by_name(camera: Any) -> dict[str, Any]:
    """The features of a camera's node map by their names."""
    return {feature.node.name: feature for feature in camera.nodes}


def read(features: Mapping[str, Any], name: str) -> Setting | None:
    """A feature's value, or None where the camera has no such thing now."""
    feature = features.get(name)
    if feature is None or feature.get_access_mode() not in {EAccessMode.RO, EAccessMode.RW}:
        return None
    value: Setting = feature.value
    return value


def set_feature(features: Mapping[str, Any], camera: str, name: str, value: Setting) -> None:
    """Set a feature and read it back; :class:`InputError` says what the camera would take."""
    feature = features.get(name)
    if feature is None:
        near = " or ".join(get_close_matches(name, features)) or "its manual"
        raise InputError(f"The camera {camera} has no feature {name}: see {near}.")
    if not hasattr(feature, "value") or feature.get_access_mode() != EAccessMode.RW:
        raise InputError(f"The camera {camera} does not let {name} be set: leave it out.")
    try:
        feature.value = value
    except GenericException as error:
        raise InputError(
            f"The camera {camera} does not take {name} = {value}: it takes {_range(feature)}."
        ) from error
    if not _is_met(value, feature.value):
        raise InputError(
            f"The camera {camera} made {feature.value} of {name} = {value}: "
            f"it takes {_range(feature)}."
        )


def _range(feature: Any) -> str:
    if hasattr(feature, "symbolics"):
        return ", ".join(feature.symbolics)
    if hasattr(feature, "min"):
        stepped = not hasattr(feature, "has_inc") or feature.has_inc()  # floats may have none
        step = f" in steps of {feature.inc}" if stepped else ""
        return f"{feature.min} to {feature.max}{step}"
    return "true or false" if isinstance(feature.value, bool) else "a text"


def _is_met(asked: Setting, got: Setting) -> bool:
    """Whether the camera holds what was asked; `asked` may be a text from the command line."""
    if isinstance(got, bool):
        return got == (str(asked).lower() in {"1", "true"})
    if isinstance(got, int | float):
        return isclose(float(asked), got, rel_tol=ROUNDING)
    return str(asked) == got
