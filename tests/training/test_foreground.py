"""The part on a plain background, and no part where there is a texture, or shading."""

import cv2
import numpy as np
import pytest

from engine.types import Image
from training.config import DamageConfig
from training.datasets.foreground import foreground
from training.datasets.synthesis import spoil

SIDE = 128


def _bar(level: int = 60, background: int = 180) -> tuple[Image, np.ndarray]:
    """A turned bar under uneven light, with a shadow and a little noise."""
    rng, drawn = np.random.default_rng(1), np.zeros((SIDE, SIDE), np.uint8)
    corners = cv2.boxPoints(((70, 60), (80, 24), 30)).astype(np.int32)
    cv2.fillPoly(drawn, [corners], 1)
    light = np.linspace(-6, 6, SIDE)[None]
    grey = np.where(drawn > 0, level, background) + light + rng.normal(0, 2, drawn.shape)
    return np.repeat(np.uint8(np.clip(grey, 0, 255))[..., None], 3, 2), drawn > 0


@pytest.mark.parametrize("levels", [(60, 180), (230, 40), (120, 190)])
def test_a_part_on_a_plain_background_is_found(levels: tuple[int, int]) -> None:
    image, part = _bar(*levels)
    found = foreground(image)
    assert found is not None
    assert (found & part).sum() / (found | part).sum() > 0.95


def _texture() -> Image:
    return np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)


def _shading() -> Image:
    """Darker towards the middle, as a lens is: no border anywhere."""
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    grey = 90 + 60 * (1 - np.exp(-(x**2 + y**2) / (2 * 45**2)))
    return np.repeat(np.uint8(grey)[..., None], 3, 2)


def _flat() -> Image:
    return np.full((SIDE, SIDE, 3), 90, np.uint8)


@pytest.mark.parametrize("draw", [_texture, _shading, _flat])
def test_what_fills_the_picture_has_no_foreground(draw) -> None:
    assert foreground(draw()) is None


@pytest.mark.parametrize("kind", ["worn", "faint", None])
def test_damage_may_be_put_on_the_part(kind: str | None) -> None:
    image, part = _bar()
    donor, near = _texture(), cv2.dilate(np.uint8(part), np.ones((21, 21))).astype(bool)

    def on_part(share: float) -> float:
        """Share of the spoilt pixels that lie on the part, or near it."""
        wanted = DamageConfig.model_validate({"on_part": share} | ({kind: 1.0} if kind else {}))
        made = [spoil(image, donor, np.random.default_rng(s), wanted) for s in range(40)]
        return float(np.mean([m.mask[near].sum() / m.mask.sum() for m in made if m.mask.any()]))

    assert on_part(1.0) > 0.85
    assert on_part(0.0) < 0.6
