"""A turned metal disc: bore with keyway, six countersunk holes, turning marks, bow-tie shine."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from inspector.camera.parts import blemishes
from inspector.camera.parts.layers import blend, f32, smooth_noise
from inspector.camera.parts.shapes import coverage, rounded
from inspector.camera.parts.surface import (
    Damage,
    Family,
    Feature,
    Layer,
    Part,
    Surface,
    grid,
)

OUTER, BORE, HUB = 0.415, 0.095, 0.155
PITCH, HOLE, SINK = 0.285, 0.034, 0.012
HOLES = 6
CHAMFER = 0.014
LAMP_DEG = 232.0  # where the lamp stands, seen from the disc: upper left
STEEL = np.array([0.93, 0.96, 1.0], np.float32)
RINGS = 640  # nodes of the turning marks between the middle and the rim


@dataclass(frozen=True, slots=True)
class _Plan:
    """What all discs share: coverage of metal, with and without holes, relief and polar maps."""

    metal: Layer
    metal_bare: Layer
    height: Layer
    height_bare: Layer
    ring: NDArray[np.intp]
    theta: Layer
    ground: Layer
    region: NDArray[np.bool_]


def _hole_middles() -> list[tuple[float, float]]:
    angles = np.deg2rad(30 + 360 / HOLES * np.arange(HOLES))
    return [(PITCH * float(np.cos(a)), PITCH * float(np.sin(a))) for a in angles]


FEATURES = tuple(
    Feature("hole", x, y, 2 * (HOLE + SINK) + 0.012, 2 * (HOLE + SINK) + 0.012)
    for x, y in _hole_middles()
)


@lru_cache(maxsize=2)
def _plan(size: int) -> _Plan:
    g = grid(size)
    r = f32(np.hypot(g.x, g.y))
    hub_step = 0.006 * _rise(HUB - r, 0.010)
    groove = -0.004 * _rise(0.008 - np.abs(r - 0.365), 0.006)
    height_bare = 0.5 * CHAMFER * _rise(OUTER - r, CHAMFER) + hub_step + groove
    height_bare -= 0.5 * CHAMFER * _rise(BORE + CHAMFER - r, CHAMFER)
    outside = _inside(g.size, OUTER - r) * (1 - _bore(size))
    holes = f32(np.min([np.hypot(g.x - x, g.y - y) for x, y in _hole_middles()], 0))
    height = height_bare - 0.8 * SINK * _rise(HOLE + SINK - holes, SINK)
    region = (r < OUTER - 0.03) & (r > BORE + 0.03) & (holes > HOLE + SINK)
    return _Plan(
        metal=outside * (1 - _inside(g.size, HOLE - holes)),
        metal_bare=outside,
        height=f32(height),
        height_bare=f32(height_bare),
        ring=np.minimum(r / OUTER * RINGS, RINGS - 1).astype(np.intp),
        theta=f32(np.arctan2(g.y, g.x)),
        ground=_belt(size, r),
        region=region,
    )


def _rise(inside: Layer, width: float) -> Layer:
    """0 outside, 1 once ``width`` inside, straight between: a chamfer."""
    return f32(np.clip(inside / width, 0, 1))


def _inside(size: int, distance: Layer) -> Layer:
    """Coverage of the pixels where ``distance`` (widths) is positive, edges antialiased."""
    return f32(np.clip(distance * size + 0.5, 0, 1))


def _bore(size: int) -> Layer:
    g = grid(size)
    keyway = [rounded(0, -BORE, 0.05, 0.07, 0.004)]
    return np.maximum(_inside(size, f32(BORE - np.hypot(g.x, g.y))), coverage(g, keyway))


def _belt(size: int, r: Layer) -> Layer:
    """The dark belt below, ``(S, S, 3)``, with the shadow the disc throws to the lower right."""
    g = grid(size)
    grain = smooth_noise(np.random.default_rng(11), g, 180) * 0.10
    away = np.hypot(g.x - 0.016, g.y - 0.016)
    shadow = 1 - 0.75 * np.clip((OUTER + 0.02 - away) / 0.04, 0, 1)
    shadow[r < OUTER - 0.02] = 0.35
    tint = np.array([0.034, 0.040, 0.046], np.float32)
    return f32((shadow * (1 + grain))[..., None] * tint)


def _turned(plan: _Plan, size: int, rng: np.random.Generator) -> Layer:
    """The brightness of turned metal: every groove mirrors the lamp across it (a bow tie)."""
    pixel = RINGS / OUTER / size  # in rings; finer grooves would alias
    fine = cv2.GaussianBlur(rng.standard_normal((1, RINGS), np.float32), (0, 0), 0.6 * pixel)
    coarse = cv2.resize(rng.standard_normal((1, 40), np.float32), (RINGS, 1)).ravel()
    tilt = 0.05 * coarse + 0.14 * fine.ravel()
    gain = 1 + 0.045 * coarse + 0.13 * fine.ravel()
    lamp = np.deg2rad(LAMP_DEG + rng.uniform(-2, 2))
    off = np.sin(plan.theta - np.float32(lamp) + f32(tilt)[plan.ring])
    bow = np.exp(off * off * np.float32(-1 / 0.20))
    second = np.exp((1 - off * off) * np.float32(-1 / 0.10))  # a window, across the lamp
    metal: Layer = (0.14 + 0.46 * bow + 0.08 * second) * f32(gain)[plan.ring]
    return metal


def make(size: int, rng: np.random.Generator) -> Part:
    """One disc: its own turning marks, brightness and patch of belt."""
    plan = _plan(size)
    metal = (_turned(plan, size, rng) * np.float32(rng.uniform(0.96, 1.04)))[..., None] * STEEL
    ground = plan.ground * np.float32(rng.uniform(0.9, 1.1))

    def build(covered: Layer, height: Layer) -> Surface:
        albedo = blend(ground, metal, covered)
        return Surface(albedo, height, np.zeros_like(height))

    return Part(
        grid(size),
        build(plan.metal, plan.height),
        lambda: build(plan.metal_bare, plan.height_bare),
        FEATURES,
        plan.region,
        plan.metal,
    )


def extra_hole(part: Part, rng: np.random.Generator, severity: float) -> Damage:
    """A hole drilled where none belongs."""
    x, y = blemishes.somewhere(part, rng)
    radius = float(rng.uniform(0.017, 0.026)) * min(severity, 1.4)
    away = blemishes.oval(part.grid, (x, y))
    spoilt = part.surface
    dark = _inside(part.grid.size, radius - away)
    albedo = blend(spoilt.albedo, (0.008, 0.009, 0.010), dark)
    height = spoilt.height - 0.8 * 0.006 * _rise(radius + 0.006 - away, 0.006)
    return Damage(Surface(albedo, f32(height), spoilt.gloss), "an extra hole")


FAMILY = Family(
    make,
    {
        "scratch": blemishes.scratch,
        "dent": blemishes.dent,
        "crack": blemishes.crack,
        "stain": blemishes.stain,
        "missing": blemishes.missing,
        "extra": extra_hole,
        "particle": blemishes.particle,
    },
)
