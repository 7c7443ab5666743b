"""How times are told."""

from collections.abc import Iterable, Mapping

import numpy as np

PERCENTILES = (50, 95, 99)


def percentiles(values: Iterable[float]) -> Mapping[str, float]:
    """p50, p95 and p99 of some milliseconds."""
    found = np.percentile(list(values), PERCENTILES)
    return {f"p{p}": round(float(v), 3) for p, v in zip(PERCENTILES, found, strict=True)}
