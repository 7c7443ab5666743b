"""What a GenICam camera offers, and what is asked of it that it lacks. Reads; never writes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import isclose
from typing import Any, Final

from genicam.genapi import EAccessMode, GenericException

from engine.types import InputError
from inspector.camera.base import Setting
from inspector.camera.features import READABLE, alike, has, holds, offered, takes
from inspector.camera.pixels import LAYOUTS
from inspector.camera.trigger import TriggerSettings, trigger_features

ACCESS: Final[Mapping[int, str]] = {
    EAccessMode.NI: "not implemented",
    EAccessMode.NA: "not available",
    EAccessMode.WO: "write",
    EAccessMode.RO: "read",
    EAccessMode.RW: "read, write",
}


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature as the camera has it now; texts, for people and for JSON alike."""

    name: str
    value: str
    access: str
    takes: str
    unit: str


@dataclass(frozen=True, slots=True)
class Lacking:
    """One request that a camera does not meet, and what it offers instead."""

    feature: str
    asked: str
    offers: str


def list_features(features: Mapping[str, Any], pattern: str = "*") -> tuple[Feature, ...]:
    """Those that the camera means for people, whose names match `pattern`, in its own order."""
    return tuple(
        _feature(name, feature)
        for name, feature in features.items()
        if fnmatchcase(name.lower(), pattern.lower()) and _is_for_people(feature)
    )


def _is_for_people(feature: Any) -> bool:
    """Not the registers behind the features, nor the folders in which they lie."""
    has_use = has(feature, "value") or has(feature, "execute")
    implemented = feature.get_access_mode() != EAccessMode.NI
    return has_use and implemented and bool(feature.node.is_feature())


def _feature(name: str, feature: Any) -> Feature:
    mode = feature.get_access_mode()
    readable = mode in READABLE and has(feature, "value")
    return Feature(
        name,
        _said(lambda: str(feature.value)) if readable else "",
        ACCESS.get(mode, ""),
        _said(lambda: takes(feature)) if mode == EAccessMode.RW and readable else "",
        _said(lambda: str(feature.unit)) if has(feature, "unit") else "",
    )


def _said(ask: Any) -> str:
    """A camera may say that something can be read, and then refuse."""
    try:
        said: str = ask()
    except GenericException as error:
        return f"({str(error).partition(' : ')[0]})"
    return said


def lacking(
    features: Mapping[str, Any],
    camera: str,
    trigger: TriggerSettings,
    settings: Mapping[str, Setting],
) -> Iterator[Lacking]:
    """Each request that the camera does not meet as it is now; nothing is set to find out.

    What depends on a selector is compared with what the camera has selected now.
    """
    for name, value in settings.items():
        offers = _unmet(features, name, value)
        if offers:
            yield Lacking(name, str(value), offers)
    yield from _trigger(features, camera, trigger)
    if "PixelFormat" not in settings:
        yield from _format(features)


def _trigger(
    features: Mapping[str, Any], camera: str, trigger: TriggerSettings
) -> Iterator[Lacking]:
    try:
        steps = trigger_features(trigger, offered(features), camera)
    except InputError as error:
        yield Lacking("trigger", trigger.line or trigger.kind, str(error))
        return
    for name, value in steps:
        # Locked while the camera waits for another trigger: a station lets go of that first.
        offers = _unmet(features, name, value, may_be_locked=True)
        if offers:
            yield Lacking(name, str(value), offers)


def _format(features: Mapping[str, Any]) -> Iterator[Lacking]:
    """The format that the camera has now, which no request changes, has to be a known one."""
    chosen = features.get("PixelFormat")
    if chosen is not None and chosen.get_access_mode() in READABLE and chosen.value not in LAYOUTS:
        known = [one for one in chosen.symbolics if one in LAYOUTS]
        yield Lacking("PixelFormat", "a format this program reads", ", ".join(known) or "none")


def _unmet(
    features: Mapping[str, Any], name: str, value: Setting, *, may_be_locked: bool = False
) -> str:
    """What the camera offers instead, or "" where it takes the value."""
    feature = features.get(name)
    if feature is None or feature.get_access_mode() == EAccessMode.NI:
        near = alike(features, name)
        return f"no such feature{f': see {near}' if near else ''}"
    if not has(feature, "value"):
        return "a command, which cannot be set"
    mode = feature.get_access_mode()
    if mode not in READABLE:
        return "" if may_be_locked else f"{ACCESS.get(mode, 'nothing')} now"
    if not _is_taken(feature, value):
        return takes(feature)
    if mode == EAccessMode.RO and not may_be_locked and not holds(features, name, value):
        return f"{feature.value}, which cannot be set now"
    return ""


def _is_taken(feature: Any, value: Setting) -> bool:
    """Whether the value is among the entries, or within the range and on a step of it."""
    if has(feature, "symbolics"):
        return str(value) in feature.symbolics
    if has(feature, "min"):
        return _is_in_range(feature, value)
    if isinstance(feature.value, bool):
        return str(value).lower() in {"true", "false", "1", "0"}
    return True


def _is_in_range(feature: Any, value: Setting) -> bool:
    try:
        number = float(value)
    except ValueError:
        return False
    if not feature.min <= number <= feature.max:
        return False
    stepped = not has(feature, "has_inc")  # a float is rounded to its step by the camera
    steps = (number - feature.min) / (feature.inc or 1) if stepped else 0.0
    return isclose(steps, round(steps), abs_tol=1e-6)
