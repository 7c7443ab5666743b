"""A runtime without a model, for windows, tests and demonstrations of everything around it.

Strange is what deviates from the picture's mean grey. Deterministic, and honest about itself: its
name goes into every record, and no plan on disk can ask for it.
"""

from datetime import UTC, datetime
from types import TracebackType
from typing import Self

import cv2
import numpy as np

from engine.manifest import PlanManifest, Precision, RuntimeName, Size
from engine.runtimes.base import Answers, Codes, Images


def fake_plan(products: tuple[str, ...], size: int = 64) -> PlanManifest:
    """The manifest that goes with a :class:`FakeRuntime`: pictures of ``size``, maps of half."""
    return PlanManifest(
        runtime="fake",
        runtime_version=FakeRuntime.version,
        precision="f32",
        threads=None,
        steps=0,
        bundle_sha256="0" * 64,
        bundle_name="fake",
        products=products,
        input=Size(height=size, width=size),
        map=Size(height=size // 2, width=size // 2),
        created=datetime(2026, 1, 1, tzinfo=UTC),
        parity=0.0,
    )


class FakeRuntime:
    """Maps are the deviation from mean grey, in shares of full scale; the score is their peak."""

    name: RuntimeName = "fake"
    precision: Precision = "f32"
    version = "1"

    def __init__(self, map_size: Size) -> None:
        self._size = (map_size.width, map_size.height)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def infer(self, image: Images, product: Codes) -> Answers:
        """Maps and scores of a batch; the product makes no difference."""
        if len(image) != len(product):
            raise ValueError(f"{len(image)} pictures came with {len(product)} product codes")
        grey = image.mean(axis=3, dtype=np.float32) / 255
        small = np.stack([cv2.resize(g, self._size, interpolation=cv2.INTER_AREA) for g in grey])
        maps = np.abs(small - small.mean(axis=(1, 2), keepdims=True)).astype(np.float32)
        return maps, maps.max(axis=(1, 2))
