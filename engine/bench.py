"""How long a plan takes, stage by stage, on the machine that will run it."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle, islice

import numpy as np

from engine.detector import Detector
from engine.types import Image

PERCENTILES = (50, 95, 99)


def stage_times(
    detector: Detector, pictures: Sequence[Image], rounds: int
) -> Mapping[str, Mapping[str, float]]:
    """Milliseconds of ``pre``, ``infer``, ``post`` and their ``total``: p50, p95, p99.

    ``rounds`` pictures are judged after one to warm up, the given ones over and over.
    """
    detector.warm_up()
    product = detector.products[0]
    times = [
        detector.detect(picture, product).stages_ms for picture in islice(cycle(pictures), rounds)
    ]
    stages = {stage: [time[stage] for time in times] for stage in times[0]}
    stages["total"] = [sum(time.values()) for time in times]
    return {stage: percentiles(values) for stage, values in stages.items()}


def percentiles(values: Iterable[float]) -> Mapping[str, float]:
    """p50, p95 and p99 of some milliseconds."""
    found = np.percentile(list(values), PERCENTILES)
    return {f"p{p}": round(float(v), 3) for p, v in zip(PERCENTILES, found, strict=True)}
