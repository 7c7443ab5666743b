"""A verdict, judged anew from its record: is it the same? Pure, but for the model that is asked."""

from dataclasses import dataclass
from typing import Final

from calibration.recipe import Threshold
from engine.types import Image, InputError
from inspector.pipeline.inspection import Reason, Region, Verdict
from inspector.pipeline.loop import Detector
from inspector.pipeline.verdict import Judgement, judge

PLAIN: Final = Threshold(score=0, map=0, interval=(0, 0), false_reject_rate=0.5, goods=1)
"""A threshold that leaves no region out; what it was measured from takes no part in a verdict."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a record says of one verdict, and with what it was reached; hashes in hex.

    ``picture`` is relative to the database's folder; None where none was kept. ``plan_path`` is
    where the plan lay, ``recipe`` the recipe's JSON; None in records older than these.
    """

    id: str
    product: str | None
    verdict: Verdict
    reason: Reason | None
    score: float | None
    threshold: float | None
    map_threshold: float | None
    regions: tuple[Region, ...]
    picture: str | None
    plan_sha256: str
    recipe_sha256: str
    plan_path: str | None = None
    recipe: str | None = None


@dataclass(frozen=True, slots=True)
class Replay:
    """Record and answer, side by side; ``score`` is of the same kind as the record's."""

    recorded: Recorded
    score: float
    judgement: Judgement

    @property
    def differences(self) -> tuple[str, ...]:
        """What is not the same to the last bit, each in a few words; empty where all is.

        Of a result that came too late the verdict is left out: how long it took is not replayed.
        """
        was, now = self.recorded, self.judgement
        assert was.score is not None  # or it could not be replayed
        found = []
        if self.score != was.score:
            found.append(f"score {self.score!r}, was {was.score!r} ({self.score - was.score:+.3g})")
        if was.reason is not Reason.LATE_RESULT:
            if (now.verdict, now.reason) != (was.verdict, was.reason):
                found.append(f"verdict {_said(now.verdict, now.reason)}, was {_said_of(was)}")
            found.extend(_region_differences(now.regions, was.regions))
        return tuple(found)


def replay(
    recorded: Recorded, picture: Image, detector: Detector, recipe: Threshold | None = None
) -> Replay:
    """Ask the model about the picture again, and judge by the thresholds of the record.

    What the record does not hold, such as the smallest region, is the ``recipe``'s.
    :class:`InputError` where the model was not asked for that part; what the detector refuses it
    refuses here.
    """
    if recorded.product is None or recorded.score is None:
        raise InputError(
            f"The part {recorded.id} has no score to compare: it was {_said_of(recorded)}."
        )
    limits = {"score": recorded.threshold, "map": recorded.map_threshold}
    threshold = (recipe or PLAIN).model_copy(update=limits)
    prediction = detector.detect(picture, recorded.product)
    judgement = judge(prediction, threshold)
    return Replay(recorded, judgement.score_of(prediction), judgement)


def _region_differences(now: tuple[Region, ...], was: tuple[Region, ...]) -> list[str]:
    if len(now) != len(was):
        return [f"{len(now)} regions, were {len(was)}"]
    return [
        f"region {rank} {_place(a)}, was {_place(b)}"
        for rank, (a, b) in enumerate(zip(now, was, strict=True))
        if a != b
    ]


def _place(region: Region) -> str:
    box = f"{region.width}x{region.height} at {region.x},{region.y}"
    return f"{box} of {region.area_px} px with peak {region.peak!r}"


def _said_of(recorded: Recorded) -> str:
    return _said(recorded.verdict, recorded.reason)


def _said(verdict: Verdict, reason: Reason | None) -> str:
    return verdict if reason is None else f"{verdict} ({reason})"
