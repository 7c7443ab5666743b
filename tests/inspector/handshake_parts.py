"""Both sides of the handshake for its tests, and a clock that they move."""

from dataclasses import dataclass, field, replace

from inspector.line.handshake import Handshake, Rules, Step
from inspector.line.signals import Outputs, PlcSignals, Result, StationSigns, Trigger
from inspector.pipeline.inspection import Reason, Verdict

WELL = StationSigns(ready=True, inspecting=True, state="ContinuousExecution")
PAUSED = replace(WELL, inspecting=False, state="Ready")
BROKEN = replace(WELL, ready=False, state="Error")


@dataclass
class Line:
    """Both sides and a clock that moves 10 ms a step."""

    rules: Rules = field(default_factory=lambda: Rules(recipes=2, answer_s=1.0, beat_s=0.1))
    plc: PlcSignals = field(default_factory=PlcSignals)
    signs: StationSigns = WELL
    now: float = 0.0
    link: bool = True
    alive: bool = True
    triggers: list[Trigger] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.handshake = Handshake(self.rules)
        self.step()

    def step(self, *results: Result, after: float = 0.01, **plc: object) -> Outputs:
        self.now += after
        self.plc = replace(self.plc, **plc)  # type: ignore[arg-type]
        if not self.rules.triggers:
            results = tuple(
                result if result.taken_until else at(self.now, result) for result in results
            )
        step: Step = self.handshake.step(
            self.plc, self.signs, results, self.now, link=self.link, alive=self.alive
        )
        if step.trigger is not None:
            self.triggers.append(step.trigger)
        return step.outputs

    def fire(self) -> int:
        """A trigger, taken; its number."""
        assert self.step(trigger=True).trigger_ready is False
        return self.triggers[-1].number


def ok(number: int) -> Result:
    return Result(number, Verdict.OK, None, 0.1, 0.5)


def ng(number: int) -> Result:
    return Result(number, Verdict.NG, Reason.DEFECT, 0.9, 0.5, 3)


def at(moment: float, result: Result, until: float | None = None) -> Result:
    """Of a part that was taken then, or nobody saw until then."""
    return replace(result, taken_from=moment, taken_until=moment if until is None else until)


def bits(outputs: Outputs) -> str:
    names = ("trigger_ready", "result_ready", "ok", "ng", "error")
    return " ".join(name for name in names if getattr(outputs, name))
