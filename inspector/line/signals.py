"""What the PLC and the station say to each other, as frozen values: the words of the handshake."""

from dataclasses import dataclass, field, replace
from typing import Final

from inspector.camera.base import NOT_SAID, PartIdentity
from inspector.pipeline.inspection import Inspection, Reason, Verdict


@dataclass(frozen=True, slots=True)
class PlcSignals:
    """What the PLC says. ``recipe_index`` 0 is the station's own product, n the n-th of the
    settings; ``counter`` is the PLC's own number of the part, which its result echoes; ``life`` is
    any number that the PLC changes while its program runs."""

    trigger: bool = False
    ack: bool = False
    recipe_index: int = 0
    part: PartIdentity = NOT_SAID
    life: int = 0
    counter: int = 0


@dataclass(frozen=True, slots=True)
class StationSigns:
    """What the station says of itself: ``state`` is its name in OPC 40100-1.

    ``ready``: each precondition holds; ``inspecting``: a run draws triggers and is not paused.
    ``ends`` counts how often that came to an end, so that none is too short to be seen.
    """

    ready: bool = False
    inspecting: bool = False
    state: str = "Preoperational"
    ends: int = 0


@dataclass(frozen=True, slots=True)
class Trigger:
    """One rising edge of Trigger, which gets one picture and one record.

    ``number`` counts up from 1 while the line is open; ``frame_id`` counts from 0 in each run
    and is the id that the trigger's frame must carry; ``at_monotonic`` is when the edge was seen,
    in the seconds of the line's timer; ``refused`` says why there is nothing to look at: the
    record is made all the same.
    """

    number: int
    part: PartIdentity
    recipe_index: int
    at_monotonic: float
    refused: Reason | None = None
    frame_id: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """The answer to the trigger of this number.

    ``recorded`` is false where the line answers for itself, since no inspection came of it. Where
    hardware triggers the camera, nobody has numbered the part yet: it was taken between
    ``taken_from`` and ``taken_until``, in the seconds of the line's timer, which differ for a part
    that nobody saw.
    """

    number: int
    verdict: Verdict
    reason: Reason | None = None
    score: float = 0.0
    threshold: float = 0.0
    regions: int = 0
    recorded: bool = True
    taken_from: float = 0.0
    taken_until: float = 0.0


def result_of(number: int, inspection: Inspection) -> Result:
    """What the PLC is told of an inspection that stands in the database."""
    prediction = inspection.prediction
    return Result(
        number=number,
        verdict=inspection.verdict,
        reason=inspection.reason,
        score=0.0 if prediction is None else prediction.score,
        threshold=inspection.threshold or 0.0,
        regions=len(inspection.regions),
    )


NO_RESULT: Final = Result(0, Verdict.FAULT, None, recorded=False)
UNKNOWN_RECIPE: Final = 0xFFFF
"""The echo of a recipe index that the station does not have."""


@dataclass(frozen=True, slots=True)
class LineCounts:
    """Since the line was opened: edges of Trigger, records by verdict, and refused edges."""

    triggers: int = 0
    ok: int = 0
    ng: int = 0
    fault: int = 0
    refused: int = 0

    def with_record(self, verdict: Verdict) -> "LineCounts":
        name = {Verdict.OK: "ok", Verdict.NG: "ng"}.get(verdict, "fault")
        return replace(self, **{name: getattr(self, name) + 1})


@dataclass(frozen=True, slots=True)
class Outputs:
    """What the station says to the PLC. Contradictions cannot be made: that is our own fault."""

    trigger_ready: bool = False
    result_ready: bool = False
    ok: bool = False
    ng: bool = False
    error: bool = False
    heartbeat: bool = False
    inspecting: bool = False
    recipe_echo: int = UNKNOWN_RECIPE
    part_echo: int = 0
    state: str = "Preoperational"
    result: Result = NO_RESULT
    counts: LineCounts = field(default_factory=LineCounts)

    def __post_init__(self) -> None:
        if self.ok and (self.ng or not self.result_ready):
            raise ValueError("OK stands beside NG, or without a result")
        if self.error and not self.ng:
            raise ValueError("Error stands without NG")


SAFE: Final = Outputs(ng=True, error=True)
"""What the outputs are while nobody can be trusted to read them: no part passes."""
