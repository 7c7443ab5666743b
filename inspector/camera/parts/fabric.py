"""Woven cloth: a plain weave of dyed warp and raw weft, yarn by yarn."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from inspector.camera.parts import blemishes
from inspector.camera.parts.layers import blend, blurred, f32, smooth_noise
from inspector.camera.parts.shapes import coverage, ribbon
from inspector.camera.parts.surface import (
    Damage,
    Family,
    Feature,
    Layer,
    Part,
    Points,
    Surface,
    grid,
)

YARNS = 34  # yarns across one width
WARP = np.array([0.072, 0.118, 0.215], np.float32)
WEFT = np.array([0.50, 0.47, 0.40], np.float32)
SWING = 0.42  # how far a yarn rises and dives, in its own radii
NO_FEATURES = ()  # a missing yarn is drawn by its own maker, at any yarn


@dataclass(frozen=True, slots=True)
class _Weave:
    """What all pieces share: relief, which yarn shows, numbers and profiles of both yarns."""

    height: Layer
    warp_shows: Layer
    warp_no: NDArray[np.intp]
    weft_no: NDArray[np.intp]
    twist: Layer
    warp_round: Layer
    weft_round: Layer
    everywhere: Layer


@lru_cache(maxsize=2)
def _weave(size: int) -> _Weave:
    """Yarns as cylinders that dive over and under each other; the higher one shows."""
    g = grid(size)
    u, v = (g.x + 1) * YARNS, (g.y + 1) * YARNS
    warp_no, weft_no = u.astype(np.intp), v.astype(np.intp)
    warp_round, weft_round = _round(u - warp_no), _round(v - weft_no)
    warp = warp_round + SWING * _sign(warp_no) * np.sin(np.pi * v)
    weft = weft_round - SWING * _sign(weft_no) * np.sin(np.pi * u)
    shows = np.clip((warp - weft) * size / YARNS / 2 + 0.5, 0, 1)
    height = np.maximum(warp, weft) * (0.34 / YARNS)
    to_right, to_left = (np.sin(2 * np.pi * 2.2 * way) for way in (u + v, v - u))
    return _Weave(
        height=blurred(f32(height), g, 0.0016),
        warp_shows=f32(shows),
        warp_no=warp_no,
        weft_no=weft_no,
        twist=f32(1 + 0.16 * (to_right * shows + to_left * (1 - shows))),
        warp_round=f32(warp_round),
        weft_round=f32(weft_round),
        everywhere=np.ones_like(g.x),
    )


def _round(across: Layer) -> Layer:
    """The height of a yarn's upper side across it: a half ellipse."""
    return np.sqrt(np.clip(1 - (2 * across - 1) ** 2, 0.02, 1))


def _sign(number: NDArray[np.intp]) -> Layer:
    return (1 - 2 * (number % 2)).astype(np.float32)


@lru_cache(maxsize=2)
def _region(size: int) -> NDArray[np.bool_]:
    g = grid(size)
    return (np.abs(g.x) < 0.42) & (np.abs(g.y) < 0.42)


def make(size: int, rng: np.random.Generator) -> Part:
    """One piece of cloth: every yarn its own shade, the whole slightly out of true."""
    g, weave = grid(size), _weave(size)
    count = 2 * YARNS + 2
    warp_shade = (1 + 0.07 * rng.standard_normal(count, np.float32))[weave.warp_no]
    weft_shade = (1 + 0.05 * rng.standard_normal(count, np.float32))[weave.weft_no]
    cloudy = 1 + np.float32(0.025) * smooth_noise(rng, g, 7)
    light = weave.twist * cloudy
    warp = (warp_shade * light)[..., None] * WARP
    weft = (weft_shade * light)[..., None] * WEFT
    surface = Surface(
        blend(weft, warp, weave.warp_shows), weave.height.copy(), np.zeros_like(light)
    )
    return Part(g, surface, lambda: surface, NO_FEATURES, _region(size), weave.everywhere, 0.0022)


def missing_yarn(part: Part, rng: np.random.Generator, severity: float) -> Damage:
    """A yarn broke: where it lay, the yarns it crossed lie bare, deep and in shade."""
    yarn, upright, start, length = _along_a_yarn(part, rng)
    middle = start + length / 2
    across = 1.15 / YARNS * min(severity, 1.4)
    place = (yarn, middle, across, length) if upright else (middle, yarn, length, across)
    gap = blemishes.box(part.grid, Feature("yarn", *place))
    gap = blurred(gap, part.grid, 0.003)
    words = "a missing warp yarn" if upright else "a missing weft yarn"
    return Damage(blemishes.paste(part.surface, _crossing(part, upright), gap), words)


def _crossing(part: Part, upright: bool) -> Surface:
    """Only the yarns that cross a warp yarn (``upright``) or a weft yarn, and gaps between."""
    weave = _weave(part.grid.size)
    profile, colour = (weave.weft_round, WEFT) if upright else (weave.warp_round, WARP)
    shaded = (0.42 * weave.twist * np.clip(1.7 * profile - 0.7, 0.04, 1))[..., None] * colour
    return Surface(shaded, (profile - 1) * np.float32(0.4 / YARNS), part.surface.gloss)


def slub(part: Part, rng: np.random.Generator, severity: float) -> Damage:
    """A thick place in a yarn: a raw, pale spindle that stands out of the cloth."""
    yarn, upright, start, length = _along_a_yarn(part, rng)
    steps = np.linspace(0, 1, 24)
    along, across = start + 0.8 * length * steps, np.full(24, yarn)
    path = np.stack([across, along] if upright else [along, across], 1)
    thick = 1.75 / YARNS * severity**0.5 * np.sin(np.pi * (0.06 + 0.88 * steps)) ** 0.8
    body = coverage(part.grid, [ribbon(path, thick)])
    soft = blurred(body, part.grid, 0.008)
    pale = (1 + 0.08 * smooth_noise(rng, part.grid, 90))[..., None] * (1.05 * WEFT)
    albedo = blend(part.surface.albedo, pale, 0.88 * body)
    height = blend(part.surface.height, 0.01, 0.75 * body) + np.float32(0.014) * soft
    return Damage(Surface(albedo, height, part.surface.gloss), "an extra thick slub")


def _along_a_yarn(part: Part, rng: np.random.Generator) -> tuple[float, bool, float, float]:
    """Middle of a yarn across (widths), whether it is a warp yarn, and a stretch along it."""
    length = float(rng.uniform(0.15, 0.32))
    yarn = (np.floor(rng.uniform(-0.36, 0.36) * YARNS) + 0.5) / YARNS
    return float(yarn), bool(rng.random() < 0.5), float(rng.uniform(-0.40, 0.40 - length)), length


def cut(part: Part, rng: np.random.Generator, severity: float) -> Damage:
    """A slit that gapes, threads of the cut yarns across its lips: the crack of this material."""
    middle, length = blemishes.somewhere(part, rng), rng.uniform(0.13, 0.24)
    slit = blemishes.bent_line(middle, rng, length, bend=0.25)
    gape = 0.022 * severity**0.5 * np.sin(np.linspace(0.05, np.pi - 0.05, len(slit)))
    gap = blurred(coverage(part.grid, [ribbon(slit, gape)]), part.grid, 0.001)
    threads = coverage(part.grid, [_thread(slit, gape, rng) for _ in range(9)])
    albedo = blend(blend(part.surface.albedo, 0.012, gap), 0.8 * WEFT, 0.85 * threads)
    height = part.surface.height * (1 - gap) + np.float32(0.004) * threads
    return Damage(Surface(albedo, height, part.surface.gloss), "a cut")


def _thread(slit: Points, gape: Points, rng: np.random.Generator) -> Points:
    """A loose end that sticks out from somewhere along the slit."""
    at = rng.integers(4, len(slit) - 4)
    foot = slit[at] + rng.normal(0, 0.4, 2) * gape[at]
    tip = foot + rng.normal(0, 0.018, 2)
    return ribbon(np.stack([foot, tip]), np.array([0.006, 0.003]))


FAMILY = Family(
    make,
    {
        "crack": cut,
        "stain": blemishes.stain,
        "missing": missing_yarn,
        "extra": slub,
        "particle": blemishes.particle,
    },
)
