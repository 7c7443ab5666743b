"""What makes a camera take a picture, said in the features of GenICam's naming convention (SFNC).

Nothing here touches a camera: from what is wanted and what the camera has follows what to set, in
which order. Vendors share the names of the trigger, and differ in those of delay and debouncing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Final, Literal, TypeAlias

from engine.types import InputError

Kind: TypeAlias = Literal["free", "software", "hardware"]
Edge: TypeAlias = Literal["rising", "falling", "any"]
Step: TypeAlias = tuple[str, bool | int | float | str]

ACTIVATIONS: Final[Mapping[str, str]] = {
    "rising": "RisingEdge",
    "falling": "FallingEdge",
    "any": "AnyEdge",
}
DELAYS: Final = ("TriggerDelay", "TriggerDelayAbs")  # µs both, the second in older cameras
DEBOUNCERS: Final = (  # µs all, as vendors' manuals and headers have them
    ("LineDebouncerTime",),
    ("LineDebouncerTimeAbs",),
    ("BslInputFilterTime",),
    ("mvLineDebounceTimeRisingEdge", "mvLineDebounceTimeFallingEdge"),
    ("TriggerFilterRaisingEdge", "TriggerFilterFallingEdge"),
    ("LineFilterWidth",),
)
OPTIONS: Final = ("trigger", "edge", "delay_us", "debounce_us")
FRAME_START: Final = "FrameStart"


@dataclass(frozen=True, slots=True)
class TriggerSettings:
    """Free run, or one picture for each software command or signal on `line` ("Line1").

    `edge` None is the rising one where the camera offers a choice; `delay_us` and `debounce_us`,
    in microseconds, None leave the camera's own. :class:`InputError` for what cannot be together.
    """

    kind: Kind = "free"
    line: str = ""
    edge: Edge | None = None
    delay_us: float | None = None
    debounce_us: float | None = None

    def __post_init__(self) -> None:
        if (self.kind == "hardware") != bool(self.line):
            raise InputError("A hardware trigger, and no other, names its line: trigger=Line1.")
        if self.kind == "free" and self.delay_us is not None:
            raise InputError("A camera that runs freely has no delay_us: name its trigger.")
        if self.kind != "hardware" and (self.edge or self.debounce_us is not None):
            raise InputError("edge and debounce_us belong to a hardware trigger: trigger=Line1.")
        for name, value in (("delay_us", self.delay_us), ("debounce_us", self.debounce_us)):
            if value is not None and not (isfinite(value) and value >= 0):
                raise InputError(f"The camera's option {name} is 0 or more, not {value}.")


FREE: Final = TriggerSettings()


def trigger_of(options: Mapping[str, str]) -> TriggerSettings:
    """The trigger that a camera's spec asks for: ``trigger=Line1&edge=rising&delay_us=100``.

    ``trigger`` is free, software, or the name of a line. :class:`InputError` for another word.
    """
    said = options.get("trigger", "free")
    kind: Kind = said if said in ("free", "software") else "hardware"  # type: ignore[assignment]
    if kind != "free" and "TriggerMode" in options:
        raise InputError("The camera's spec has both trigger and TriggerMode: keep the first.")
    return TriggerSettings(
        kind,
        said if kind == "hardware" else "",
        _edge(options.get("edge")),
        _microseconds("delay_us", options.get("delay_us")),
        _microseconds("debounce_us", options.get("debounce_us")),
    )


def _edge(said: str | None) -> Edge | None:
    if said is not None and said not in ACTIVATIONS:
        raise InputError(f"The camera's option edge is {', '.join(ACTIVATIONS)}, not {said!r}.")
    return said  # type: ignore[return-value]


def _microseconds(name: str, said: str | None) -> float | None:
    try:
        return None if said is None else float(said)
    except ValueError:
        raise InputError(f"The camera's option {name} is a number, not {said!r}.") from None


def trigger_features(
    settings: TriggerSettings, there: Mapping[str, Sequence[str]], camera: str
) -> tuple[Step, ...]:
    """What to set, in this order, in a camera whose triggers are all off.

    `there` names the camera's features, with the entries of those that are a choice. The delay
    comes after the mode: some cameras take it only then. :class:`InputError` for what `camera` has
    no feature for.
    """
    if settings.kind == "free":
        return ()
    if "TriggerMode" not in there:
        raise InputError(f"The camera {camera} has no TriggerMode: it cannot wait for a trigger.")
    if settings.kind == "software" and "TriggerSoftware" not in there:
        raise InputError(f"The camera {camera} takes no trigger from software: name a line.")
    source = settings.line or "Software"
    return (
        *_line(settings, there, camera),
        *([("TriggerSelector", FRAME_START)] if "TriggerSelector" in there else []),
        ("TriggerSource", source),
        *_activation(settings, there),
        ("TriggerMode", "On"),
        *_delay(settings, there, camera),
    )


def _line(
    settings: TriggerSettings, there: Mapping[str, Sequence[str]], camera: str
) -> Sequence[Step]:
    """The line as an input, and its debouncing."""
    steps: list[Step] = []
    if settings.line in there.get("LineSelector", ()):
        steps.append(("LineSelector", settings.line))
        if "LineMode" in there:
            steps.append(("LineMode", "Input"))
    if settings.debounce_us is None:
        return steps
    names = next((names for names in DEBOUNCERS if names[0] in there), None)
    if names is None:
        known = ", ".join(names[0] for names in DEBOUNCERS)
        raise InputError(
            f"The camera {camera} has none of {known}: leave debounce_us out, or set what its "
            "manual names instead."
        )
    if names == ("LineFilterWidth",) and "LineFilterSelector" in there:
        steps.append(("LineFilterSelector", "Debounce"))
    return [*steps, *((name, settings.debounce_us) for name in names if name in there)]


def _activation(settings: TriggerSettings, there: Mapping[str, Sequence[str]]) -> Sequence[Step]:
    """A camera without a choice of edges is told only what was asked for, and then refuses."""
    if settings.kind != "hardware" or (settings.edge is None and "TriggerActivation" not in there):
        return ()
    return [("TriggerActivation", ACTIVATIONS[settings.edge or "rising"])]


def _delay(
    settings: TriggerSettings, there: Mapping[str, Sequence[str]], camera: str
) -> Sequence[Step]:
    if settings.delay_us is None:
        return ()
    name = next((name for name in DELAYS if name in there), None)
    if name is None:
        raise InputError(f"The camera {camera} has no TriggerDelay: leave delay_us out.")
    return [(name, settings.delay_us)]
