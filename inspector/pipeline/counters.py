"""The station's counters, which reconcile at all times: triggers = OK + NG + FAULT.

Where the truth is known (simulator, labelled folder) they also count what was missed and what was
rejected without cause. Memory is bounded: latencies are kept of the last :data:`WINDOW` parts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Final, Self

import numpy as np

from inspector.pipeline.inspection import Inspection, Verdict

WINDOW: Final = 10_000
"""Parts whose latencies are remembered: 80 kB a stage, and p99 rests on 100 of them."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of inspections.

    ``missed``: truly defective, called OK. ``false_rejects``: truly good, called NG. A FAULT is
    neither: it is rejected, and counts against availability. ``lost`` are the frames a
    free-running camera lost, which were no triggers.
    """

    ok: int = 0
    ng: int = 0
    fault: int = 0
    true_good: int = 0
    true_defective: int = 0
    missed: int = 0
    false_rejects: int = 0
    lost: int = 0

    @property
    def triggers(self) -> int:
        return self.ok + self.ng + self.fault


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Of one stage's latency, in milliseconds, over the last :data:`WINDOW` judged parts."""

    p50: float
    p99: float


class Recent:
    """The last ``most`` numbers added.

    Their room is taken at the start. A queue that fills up grows for a quarter of an hour, 3 MB
    for nine stages in numbers of Python, and looks like a leak meanwhile.
    """

    def __init__(self, most: int) -> None:
        self._numbers = np.full(most, np.nan)  # written to: zeros alone are no pages yet
        self._added = 0

    def add(self, number: float) -> None:
        self._numbers[self._added % len(self._numbers)] = number
        self._added += 1

    def percentiles(self) -> Percentiles:
        p50, p99 = np.percentile(self._numbers[: self._added], [50, 99])
        return Percentiles(float(p50), float(p99))


@dataclass(frozen=True, slots=True)
class Counts:
    """A moment of the counters, safe to hand to another thread.

    ``products`` has "" where the product is not known; ``latency_ms`` has each stage and
    ``total``, their sum part by part.
    """

    total: Tally
    products: Mapping[str, Tally]
    latency_ms: Mapping[str, Percentiles]


class Counters:
    """A sink that counts. Put it last, so that ``total`` holds what the sinks before it took.

    Belongs to the thread that inspects; others get :meth:`counts`.
    """

    def __init__(self, window: int = WINDOW) -> None:
        self._window = window
        self._total = Tally()
        self._products: dict[str, Tally] = {}
        self._latency_ms: dict[str, Recent] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing to let go of: the counts stay readable after the run."""

    def write(self, inspection: Inspection) -> Inspection:
        product = inspection.product or ""
        self._total = add(self._total, inspection)
        self._products[product] = add(self._products.get(product, Tally()), inspection)
        if inspection.prediction is not None:  # a fault before the model would flatter the times
            self._remember({**inspection.stages_ms, "total": sum(inspection.stages_ms.values())})
        return inspection

    def counts(self) -> Counts:
        latency_ms = {stage: recent.percentiles() for stage, recent in self._latency_ms.items()}
        return Counts(self._total, dict(self._products), latency_ms)

    def _remember(self, stages_ms: Mapping[str, float]) -> None:
        for stage, ms in stages_ms.items():
            if stage not in self._latency_ms:
                self._latency_ms[stage] = Recent(self._window)
            self._latency_ms[stage].add(ms)


def add(tally: Tally, inspection: Inspection) -> Tally:
    """The tally with one inspection more."""
    verdict, truth = inspection.verdict, inspection.frame.truth
    good = truth is not None and not truth.is_defective
    defective = truth is not None and truth.is_defective
    return replace(
        tally,
        ok=tally.ok + (verdict is Verdict.OK),
        ng=tally.ng + (verdict is Verdict.NG),
        fault=tally.fault + (verdict is Verdict.FAULT),
        true_good=tally.true_good + good,
        true_defective=tally.true_defective + defective,
        missed=tally.missed + (defective and verdict is Verdict.OK),
        false_rejects=tally.false_rejects + (good and verdict is Verdict.NG),
        lost=tally.lost + inspection.lost_before,
    )
