"""Hand-made frames, a scripted detector and a recipe: what the pipeline's tests are made of."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count

import numpy as np

from calibration.recipe import Recipe, Threshold
from engine.types import Image, Prediction, ScoreMap
from inspector.camera.base import Frame, FrameFault, GroundTruth

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
LIMIT = Threshold(
    score=0.5, map=0.5, interval=(0.4, 0.6), false_reject_rate=0.01, goods=100, min_area_px=4
)
RECIPE = Recipe(name="test", bundle_sha256="b" * 64, products={"disc": LIMIT})


def picture(seed: int, height: int = 40, width: int = 60) -> Image:
    return np.random.default_rng(seed).integers(30, 200, (height, width, 3), dtype=np.uint8)


def frame(
    frame_id: int,
    image: Image | None = None,
    *,
    fault: FrameFault | None = None,
    grab_ms: float = 2.0,
    product: str | None = "disc",
    truth: GroundTruth | None = None,
) -> Frame:
    """A frame with a picture of its own, unless it is given one or carries a fault."""
    shown = picture(frame_id) if image is None and fault is None else image
    return Frame(
        frame_id=frame_id,
        image=shown,
        grabbed_at=NOON,
        grab_ms=grab_ms,
        camera="test",
        source=f"{frame_id}.png",
        product=product,
        fault=fault,
        truth=truth,
    )


def score_map(spots: Sequence[tuple[int, int]] = (), height: int = 40, width: int = 60) -> ScoreMap:
    """Zeros with a 4 × 4 spot of 0.9 at each (x, y)."""
    scores = np.zeros((height, width), np.float32)
    for x, y in spots:
        scores[y : y + 4, x : x + 4] = 0.9
    return scores


def prediction(score: float, spots: Sequence[tuple[int, int]] = ()) -> Prediction:
    stages_ms = {"pre": 1.0, "infer": 3.0, "post": 1.0}
    return Prediction(score, score_map(spots), "disc", stages_ms)


@dataclass
class ScriptedDetector:
    """Answers with the script's next line; raises it where it is an error."""

    script: Iterator[Prediction | Exception]
    asked: list[str] = field(default_factory=list)

    def detect(self, image: Image, product: str) -> Prediction:
        self.asked.append(product)
        answer = next(self.script)
        if isinstance(answer, Exception):
            raise answer
        return answer


def numbered_ids() -> Callable[[], str]:
    numbers = count(1)
    return lambda: f"00000000-0000-7000-8000-{next(numbers):012d}"
