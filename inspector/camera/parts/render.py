"""One part, one picture: surface → defect → pose → lens → exposure → noise → eight bits.

The mask is not drawn but measured: the same part is pictured with and without its defect, and
the mask is where the two pictures, before noise, differ by VISIBLE grey levels or more.
"""

import zlib
from dataclasses import dataclass

import cv2
import numpy as np

from engine.types import Image, InputError, Mask
from inspector.camera.parts import board, disc, fabric, label, optics
from inspector.camera.parts.surface import DamageMaker, Family, Layer, Part, Surface, shade
from inspector.camera.parts.words import caption

FAMILIES: dict[str, Family] = {
    "disc": disc.FAMILY,
    "label": label.FAMILY,
    "fabric": fabric.FAMILY,
    "board": board.FAMILY,
}
SIZES = range(64, 2049)

VISIBLE = 6  # grey levels; the noise of one pixel has a sigma of about 2
MEAN_CHANGE = 28.0  # grey levels inside the mask, or the defect is drawn again, worse
LEAST_AREA = 100 / 256**2  # of the picture
TRIES = 72  # small pictures want many: at 64 px a dent has few pixels to show in


@dataclass(frozen=True, slots=True)
class Rendered:
    """``image`` (H, W, 3) uint8 RGB, ``mask`` (H, W) bool, the defect ("good") and its words."""

    image: Image
    mask: Mask
    defect: str
    caption: str


def render(
    family: str,
    size: int,
    seed: int,
    defect: str | None = None,
    *,
    exposure: float = 1.0,
    noise: bool = True,
) -> Rendered:
    """Picture one part of ``family`` at ``size`` × ``size`` px; the same seed, the same part.

    ``defect`` is a key of ``FAMILIES[family].defects`` or None for a good part; ``exposure``
    multiplies the light; without ``noise`` the sensor is ideal. :class:`InputError` for a
    family, a defect or a size there is not.
    """
    _check(family, size, defect)
    parts, damages, poses, sensor = _streams(family, seed)
    part = FAMILIES[family].make(size, parts)
    camera = _Camera.draw(part, poses, exposure)
    light, mask, words = camera.picture(part.surface), np.zeros((size, size), np.bool_), ""
    if defect is not None:
        light, mask, words = _spoil(
            part, camera, FAMILIES[family].defects[defect], damages, optics.develop(light)
        )
    image = optics.develop(optics.add_noise(light, sensor) if noise else light)
    return Rendered(image, mask, defect or "good", caption(family, words, mask))


def part_seed(source: str, seed: int, index: int) -> int:
    """The seed of part ``index``; sources (a camera, a data set) never share a part."""
    root = np.random.SeedSequence([zlib.crc32(source.encode()), seed, index])
    return int(root.generate_state(1, np.uint64)[0])


def _check(family: str, size: int, defect: str | None) -> None:
    if family not in FAMILIES:
        raise InputError(f"There is no simulated product {family!r}: take {', '.join(FAMILIES)}.")
    if defect is not None and defect not in FAMILIES[family].defects:
        known = ", ".join(FAMILIES[family].defects)
        raise InputError(f"A simulated {family} has no defect {defect!r}: take {known}.")
    if size not in SIZES:
        raise InputError(f"A simulated picture cannot be {size} px wide: take 64 to 2048.")


def _streams(family: str, seed: int) -> list[np.random.Generator]:
    """Independent streams, so that a defect moves neither the part nor its noise."""
    root = np.random.SeedSequence([zlib.crc32(family.encode()), seed])
    return [np.random.Generator(np.random.PCG64(child)) for child in root.spawn(4)]


@dataclass(frozen=True, slots=True)
class _Camera:
    """Everything between surface and sensor, fixed for one part."""

    size: int
    view: optics.View
    flow: Layer | None
    exposure: float

    @classmethod
    def draw(cls, part: Part, rng: np.random.Generator, exposure: float) -> "_Camera":
        view = optics.draw_view(rng)
        pull = rng.standard_normal((5, 5, 2), np.float32) * np.float32(part.flow)
        return cls(part.grid.size, view, pull if part.flow else None, exposure)

    def picture(self, surface: Surface) -> Layer:
        radiance = shade(surface, self.size)
        return optics.project(radiance, self.size, self.view, self.flow, self.exposure)


def _spoil(
    part: Part, camera: _Camera, make: DamageMaker, rng: np.random.Generator, clean: Image
) -> tuple[Layer, Mask, str]:
    """The spoilt part's light, what it changes in the ``clean`` picture, and its words."""
    for attempt in range(TRIES):
        damage = make(part, rng, 1 + 0.12 * attempt)
        light = camera.picture(damage.surface)
        red, green, blue = cv2.split(cv2.absdiff(optics.develop(light), clean))
        change = np.asarray(cv2.max(cv2.max(red, green), blue), np.uint8)
        mask = change >= VISIBLE
        if _shows(change, mask):
            return light, mask, damage.words
    raise RuntimeError(f"no visible {damage.words} in {TRIES} tries")


def _shows(change: Image, mask: Mask) -> bool:
    least = max(LEAST_AREA * mask.size, 1)
    return bool(mask.sum() >= least and change[mask].mean() >= MEAN_CHANGE)
