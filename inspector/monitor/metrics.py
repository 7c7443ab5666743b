"""What a station counts, as Prometheus reads it (https://prometheus.io/docs/practices/naming/).

One registry a station, none of the process: two stations in one process count apart. The number of
series is bounded: a product that the recipe does not know, as a PLC may name any, is "other".
"""

import math
import shutil
import time
from collections.abc import Callable, Collection
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from inspector.pipeline.events import StationEvent
from inspector.pipeline.inspection import Inspection, Verdict

BUCKETS_S: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
OTHER: Final = "other"


class MetricsSink:
    """Counts inspections; put it last, so that each stage has been measured.

    ``products`` are those known until :meth:`know` says others; ``out`` is the folder whose disk is
    watched; ``clock`` gives seconds. :meth:`say` takes events and :meth:`enter_state` states, from
    any thread.
    """

    def __init__(
        self,
        products: Collection[str],
        out: Path,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.registry = CollectorRegistry()
        self._products, self._clock = frozenset(products), clock
        self._last_frame_s: float | None = None
        self._make_counters()
        self._make_gauges(out)

    def _make_counters(self) -> None:
        registry = self.registry
        self._parts = Counter(
            "inspector_parts", "Parts judged.", ["verdict", "product"], registry=registry
        )
        self._faults = Counter(
            "inspector_faults", "Parts that could not be judged.", ["reason"], registry=registry
        )
        self._alarms = Counter(
            "inspector_alarms", "Alarms beside a verdict.", ["alarm"], registry=registry
        )
        self._lost = Counter(
            "inspector_lost_frames", "Frames that a free camera lost.", registry=registry
        )
        self._events = Counter(
            "inspector_events", "Events by their code.", ["code"], registry=registry
        )
        self._stages = Histogram(
            "inspector_stage_seconds",
            "What each stage of a part took; total is their sum.",
            ["stage"],
            buckets=BUCKETS_S,
            registry=registry,
        )

    def _make_gauges(self, out: Path) -> None:
        registry = self.registry
        self._state = Gauge(
            "inspector_state", "1 for the state it is in.", ["state"], registry=registry
        )
        age = Gauge(
            "inspector_camera_frame_age_seconds",
            "Since the last picture; NaN before it.",
            registry=registry,
        )
        age.set_function(self._frame_age_s)
        free = Gauge(
            "inspector_disk_free_bytes", "Free on the disk of the records.", registry=registry
        )
        free.set_function(lambda: _free_bytes(out))
        self._states: set[str] = set()

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
        self._parts.labels(inspection.verdict.value, self._product(inspection.product)).inc()
        if inspection.verdict is Verdict.FAULT and inspection.reason is not None:
            self._faults.labels(inspection.reason.value).inc()
        if inspection.alarm is not None:
            self._alarms.labels(inspection.alarm.value).inc()
        self._lost.inc(inspection.lost_before)
        if inspection.frame.image is not None:
            self._last_frame_s = self._clock()
        self._time(inspection)
        return inspection

    def know(self, products: Collection[str]) -> None:
        """Those of the recipe that is used from now on."""
        self._products = frozenset(products)

    def say(self, event: StationEvent) -> None:
        """Count an event."""
        self._events.labels(event.code.value).inc()

    def enter_state(self, state: str) -> None:
        """The station's state from now on; every other one becomes 0."""
        self._states.add(state)
        for one in self._states:
            self._state.labels(one).set(one == state)

    def _time(self, inspection: Inspection) -> None:
        for stage, ms in inspection.stages_ms.items():
            self._stages.labels(stage).observe(ms / 1000)
        self._stages.labels("total").observe(sum(inspection.stages_ms.values()) / 1000)

    def _product(self, product: str | None) -> str:
        if product is None:
            return ""
        return product if product in self._products else OTHER

    def _frame_age_s(self) -> float:
        last = self._last_frame_s
        return math.nan if last is None else self._clock() - last


def _free_bytes(out: Path) -> float:
    try:
        return shutil.disk_usage(out).free
    except OSError:  # the disk is gone: no number, and the health check says it
        return math.nan
