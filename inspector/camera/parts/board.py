"""A populated circuit board: what stands where is data, how it is drawn is in components."""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from inspector.camera.parts import blemishes, components
from inspector.camera.parts.components import Placed
from inspector.camera.parts.draw import Ink, Sheet
from inspector.camera.parts.layers import blend, blurred, moved, smooth_noise
from inspector.camera.parts.shapes import coverage, rounded
from inspector.camera.parts.surface import (
    Damage,
    Family,
    Feature,
    Grid,
    Layer,
    Part,
    Surface,
    grid,
)

WIDTH, TALL = 0.94, 0.86
MASK, POUR, TRACE, SILK = (10, 58, 36), (18, 80, 50), (32, 108, 68), (206, 212, 204)
TIN, GOLD, DRILL = (168, 170, 172), (196, 164, 92), (14, 14, 14)

PARTS = (
    Placed("quad", "U1", -0.07, -0.03, 0, "PM-32F4"),
    Placed("dual", "U2", 0.27, 0.10, 0, "LM358"),
    Placed("dual", "U3", 0.27, -0.13, 0, "24C64"),
    Placed("can", "C1", -0.35, -0.275, 0),
    Placed("can", "C2", -0.35, -0.125, 0),
    Placed("crystal", "Y1", -0.07, -0.27, 0, "16.000"),
    Placed("plug", "J1", 0.14, 0.345, 0),
    Placed("resistor", "R1", -0.33, 0.04, 90, "103"),
    Placed("resistor", "R2", -0.27, 0.04, 90, "472"),
    Placed("resistor", "R3", -0.10, 0.21, 0, "101"),
    Placed("resistor", "R4", 0.02, 0.21, 0, "220"),
    Placed("resistor", "R5", 0.40, 0.10, 90, "103"),
    Placed("capacitor", "C3", 0.40, -0.13, 90),
    Placed("capacitor", "C4", 0.10, -0.27, 0),
    Placed("capacitor", "C5", -0.22, 0.21, 0),
    Placed("capacitor", "C6", 0.22, -0.27, 0),
    Placed("capacitor", "C7", 0.115, 0.10, 90),
    Placed("diode", "D1", -0.30, 0.17, 90),
    Placed("led", "D2", -0.30, 0.33, 0),
    Placed("resistor", "R6", -0.19, 0.33, 0, "331"),
)

TRACES = (
    [(-0.16, -0.10), (-0.24, -0.10), (-0.30, -0.14)],
    [(-0.16, -0.075), (-0.25, -0.075), (-0.27, -0.05), (-0.27, 0.01)],
    [(-0.16, -0.05), (-0.225, -0.05), (-0.225, 0.10), (-0.30, 0.12)],
    [(-0.16, 0.02), (-0.20, 0.02), (-0.20, 0.16), (-0.22, 0.21)],
    [(-0.10, 0.06), (-0.10, 0.15), (-0.12, 0.21)],
    [(-0.05, 0.06), (-0.05, 0.14), (0.0, 0.21)],
    [(0.02, -0.02), (0.08, -0.02), (0.115, 0.07)],
    [(0.02, -0.05), (0.12, -0.05), (0.18, -0.10), (0.22, -0.10)],
    [(0.02, -0.075), (0.10, -0.075), (0.17, -0.145), (0.22, -0.145)],
    [(0.02, 0.02), (0.06, 0.02), (0.16, 0.12), (0.22, 0.12)],
    [(-0.10, -0.12), (-0.10, -0.24)],
    [(-0.04, -0.12), (-0.04, -0.24)],
    [(0.13, -0.27), (0.19, -0.27)],
    [(0.25, -0.27), (0.34, -0.27), (0.40, -0.17)],
    [(0.32, 0.12), (0.36, 0.12), (0.40, 0.13)],
    [(0.40, 0.06), (0.40, -0.08)],
    [(0.05, 0.21), (0.10, 0.21), (0.10, 0.32)],
    [(0.115, 0.13), (0.115, 0.22), (0.16, 0.27), (0.16, 0.32)],
    [(-0.15, 0.33), (0.0, 0.33), (0.04, 0.345)],
    [(0.32, 0.075), (0.36, 0.075), (0.36, 0.24), (0.23, 0.24), (0.23, 0.32)],
    [(-0.35, 0.33), (-0.40, 0.33), (-0.40, -0.02), (-0.33, -0.02)],
    [(-0.30, -0.30), (-0.20, -0.30), (-0.16, -0.33), (0.36, -0.33), (0.42, -0.28)],
)
VIAS = ((-0.225, 0.10), (0.36, 0.24), (0.06, 0.02), (0.34, -0.27), (-0.20, -0.30), (0.12, -0.05),
        (-0.40, 0.10), (0.10, 0.27), (-0.10, 0.15), (0.42, -0.28), (0.0, 0.33))  # fmt: skip
CORNERS = ((-0.43, -0.39), (0.43, -0.39), (-0.43, 0.39), (0.43, 0.39))

FEATURES = tuple(
    Feature(f"{components.NAMES[p.kind]} {p.name}", p.x, p.y, *components.extent(p)) for p in PARTS
)


def _blank(size: int) -> Sheet:
    """The board before anything is soldered to it."""
    sheet = Sheet(grid(size), Ink((40, 42, 46)))
    sheet.rectangle(0, 0, WIDTH, TALL, Ink(MASK, 0.012, 0.05), 0.012)
    sheet.rectangle(0, 0, WIDTH - 0.03, TALL - 0.03, Ink(POUR, 0.0126, 0.05), 0.02)
    for path in TRACES:
        sheet.line(path, 0.019, Ink(MASK, 0.012))  # etched free of the pour of copper around it
    for path in TRACES:
        sheet.line(path, 0.0085, Ink(TRACE, 0.0132))
    for x, y in VIAS:
        sheet.circle(x, y, 0.0175, Ink(MASK, 0.012))
        sheet.circle(x, y, 0.0125, Ink(TIN, 0.0132, 0.35))
        sheet.circle(x, y, 0.0055, Ink(DRILL, 0.010, 0))
    for x, y in CORNERS:
        sheet.circle(x, y, 0.030, Ink(GOLD, 0.0132, 0.35))
        sheet.circle(x, y, 0.0185, Ink(DRILL, 0, 0))
    sheet.text("PROMPTMAD 07", -0.22, 0.394, 0.024, Ink(SILK), 1.1)
    for part in PARTS:
        components.footprint(sheet, part)
    return sheet


@dataclass(frozen=True, slots=True)
class _Layers:
    """The board populated and blank, which part each pixel shows (0: none), solid, region."""

    populated: Surface
    blank: Surface
    bodies: NDArray[np.uint8]
    solid: Layer
    region: NDArray[np.bool_]


@lru_cache(maxsize=2)
def _layers(size: int) -> _Layers:
    g = grid(size)
    blank, populated = _blank(size), _blank(size)
    bodies = np.zeros((g.side, g.side), np.uint8)
    for number, (part, feature) in enumerate(zip(PARTS, FEATURES, strict=True), 1):
        components.draw_part(populated, part)
        bodies[blemishes.box(g, feature) > 0.5] = number
    return _Layers(
        _in_shade(populated.surface(), g),
        _in_shade(blank.surface(), g),
        bodies,
        solid=coverage(g, [rounded(0, 0, WIDTH, TALL, 0.012)]),
        region=(np.abs(g.x) < WIDTH / 2 - 0.05) & (np.abs(g.y) < TALL / 2 - 0.05),
    )


def _in_shade(surface: Surface, g: Grid) -> Surface:
    """What stands higher to the upper left takes light away, softly."""
    light = np.ones_like(surface.height)
    for reach in (0.0175, 0.035):
        caster = moved(surface.height, g, 0.62 * reach, 0.78 * reach)
        hidden = np.clip((caster - surface.height - np.float32(0.7 * reach)) / 0.010, 0, 1)
        light *= 1 - 0.32 * blurred(hidden, g, 0.004)
    return replace(surface, albedo=surface.albedo * light[..., None])


def make(size: int, rng: np.random.Generator) -> Part:
    """One board: solder mask, components and joints each a little different."""
    g, layers = grid(size), _layers(size)
    tint = 1 + 0.035 * rng.standard_normal(len(PARTS) + 1, np.float32)
    shades = tint[layers.bodies] * (1 + np.float32(0.02) * smooth_noise(rng, g, 8))
    joints = np.float32(rng.uniform(0.97, 1.03))

    def build(surface: Surface) -> Surface:
        return Surface(surface.albedo * shades[..., None], surface.height * joints, surface.gloss)

    populated = build(layers.populated)
    return Part(g, populated, lambda: build(layers.blank), FEATURES, layers.region, layers.solid)


def solder_bridge(part: Part, rng: np.random.Generator, severity: float) -> Damage:
    """A drop of solder where none belongs."""
    x, y = blemishes.somewhere(part, rng)
    radius = rng.uniform(0.020, 0.028) * min(severity, 1.5)
    turn, squash = rng.uniform(0, np.pi), rng.uniform(0.55, 0.95)
    away = blemishes.oval(part.grid, (x, y), turn, squash) / np.float32(radius)
    body = np.clip((1 - away) * np.float32(radius * part.grid.size) + np.float32(0.5), 0, 1)
    dome = np.sqrt(np.clip(1 - away * away, 0, 1)) * np.float32(0.7 * radius)
    surface = part.surface
    drop = Surface(
        blend(surface.albedo, (0.30, 0.31, 0.33), body),
        blend(surface.height, surface.height.mean() + dome, body),
        blend(surface.gloss, 0.6, body),
    )
    return Damage(drop, "extra solder")


FAMILY = Family(
    make,
    {
        "scratch": blemishes.scratch,
        "crack": blemishes.crack,
        "stain": blemishes.stain,
        "missing": blemishes.missing,
        "extra": solder_bridge,
        "particle": blemishes.particle,
    },
)
