"""Damage that only printing suffers: faded, smudged or doubled print, and splashed ink."""

import cv2
import numpy as np

from inspector.camera.parts import blemishes
from inspector.camera.parts.layers import blend, blurred, f32, moved, smooth_noise
from inspector.camera.parts.shapes import coverage, polar
from inspector.camera.parts.surface import Damage, Feature, Layer, Part, Points, Surface

INK = (0.012, 0.012, 0.016)


def misprint(part: Part, rng: np.random.Generator, severity: float) -> Damage:
    """One element of the print is faded, smudged or printed out of place."""
    feature = part.features[rng.integers(len(part.features))]
    spoil, word = [(_faded, "faded"), (_smudged, "smudged"), (_shifted, "shifted")][rng.integers(3)]
    return Damage(spoil(part, feature, rng, severity), f"a {word} {feature.words}")


def ink_splash(part: Part, rng: np.random.Generator, severity: float) -> Damage:
    """Drops of ink where none belong: one large, some small beside it."""
    x, y = blemishes.somewhere(part, rng)
    outlines = [_drop(x, y, rng.uniform(0.016, 0.024) * min(severity, 1.6), rng)]
    for _ in range(rng.integers(2, 5)):
        dx, dy = rng.normal(0, 0.035, 2)
        outlines.append(_drop(x + dx, y + dy, rng.uniform(0.004, 0.009), rng))
    drops = coverage(part.grid, outlines)
    ink = INK if _bright(part, drops) else (0.75, 0.74, 0.70)
    albedo = blend(part.surface.albedo, ink, drops)
    return Damage(Surface(albedo, part.surface.height, part.surface.gloss), "an extra blot of ink")


def _faded(part: Part, feature: Feature, rng: np.random.Generator, severity: float) -> Surface:
    """Too little ink, unevenly: the ribbon slipped."""
    uneven = np.clip(0.9 + 0.25 * smooth_noise(rng, part.grid, 24), 0.5, 1)
    lost = f32(np.clip(0.62 * severity * uneven, 0, 0.95))
    bare = part.bare()
    return blemishes.paste(part.surface, bare, blemishes.box(part.grid, feature) * lost)


def _smudged(part: Part, feature: Feature, rng: np.random.Generator, severity: float) -> Surface:
    """Wiped while wet: the ink drags along and thins out."""
    reach = max(round(0.05 * severity**0.5 * part.grid.size), 3)
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    angle = rng.uniform(-0.5, 0.5)
    end = (round(reach + reach * np.cos(angle)), round(reach + reach * np.sin(angle)))
    cv2.line(kernel, (reach, reach), end, 1.0, max(round(0.008 * part.grid.size), 1))
    dragged = f32(cv2.filter2D(part.surface.albedo, -1, kernel[::-1, ::-1] / kernel.sum()))
    where = blurred(blemishes.box(part.grid, feature), part.grid, 0.01)
    wiped = Surface(dragged, part.surface.height, part.surface.gloss)
    return blemishes.paste(part.surface, wiped, 0.9 * where)


def _shifted(part: Part, feature: Feature, rng: np.random.Generator, severity: float) -> Surface:
    """Printed a little beside its place."""
    angle, far = rng.uniform(0, 2 * np.pi), rng.uniform(0.014, 0.020) * min(severity, 1.6)
    dx, dy = far * np.cos(angle), far * np.sin(angle)
    bare = part.bare()
    where = blemishes.box(part.grid, feature)
    passed = np.clip(part.surface.albedo / np.maximum(bare.albedo, 1e-3), 0, 1)
    ink = (1 - passed) * where[..., None]
    beside = moved(f32(ink), part.grid, dx, dy)
    rest = blend(part.surface.albedo, bare.albedo, where)
    return Surface(rest * (1 - beside), bare.height, part.surface.gloss)


def _drop(x: float, y: float, radius: float, rng: np.random.Generator) -> Points:
    turns = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    wobble = 1 + 0.12 * np.cos(3 * turns + rng.uniform(0, 6)) + 0.06 * np.cos(5 * turns)
    return polar(turns, radius * wobble, (x, y))


def _bright(part: Part, where: Layer) -> bool:
    return blemishes.ground(part, where) > 0.2
