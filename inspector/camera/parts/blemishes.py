"""Damage that happens to any material: scratch, dent, crack, stain, particle, missing feature.

Each maker draws its chances from ``rng`` in widths, so that a seed gives the same damage at every
size, and takes a severity: 1.0 is the mildest a person should see, more is worse.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from inspector.camera.parts.layers import blend, blurred, f32, grey, moved, smooth_noise
from inspector.camera.parts.shapes import coverage, polar, ribbon, rounded
from inspector.camera.parts.surface import Damage, Feature, Grid, Layer, Part, Points, Surface

HAIRLINE_PX = 1.3  # thinner strokes would drown in the lens's blur
POINTS = 28  # along a stroke
EDGE = 0.0015  # softness of a groove's edge, in widths
BROWN, GREY, MILKY = (0.34, 0.24, 0.12), (0.20, 0.19, 0.18), (0.42, 0.41, 0.36)
DARK_BITS = ((0.03, 0.035, 0.05), (0.26, 0.03, 0.02))
BRIGHT_BITS = ((0.75, 0.7, 0.6), (0.6, 0.14, 0.1))


def somewhere(part: Part, rng: np.random.Generator) -> tuple[float, float]:
    """A point, in widths, inside the part's region."""
    while True:
        x, y = rng.uniform(-0.44, 0.44, 2)
        column, row = np.rint(part.grid.to_px(np.array([x, y]))).astype(int)
        if part.region[row, column]:
            return float(x), float(y)


def scratch(part: Part, rng: np.random.Generator, severity: float) -> Damage:
    """A tool or a handling mark: a slightly bent, tapering groove that catches the light."""
    path = bent_line(somewhere(part, rng), rng, rng.uniform(0.13, 0.34), bend=0.12)
    width = _stroke(part.grid, rng.uniform(0.0062, 0.0085), severity)
    taper = np.sin(np.linspace(0.12, np.pi - 0.12, POINTS)) ** 0.5
    groove = coverage(part.grid, [ribbon(path, width * taper)]) * part.solid
    groove *= np.clip(0.8 + 0.3 * smooth_noise(rng, part.grid, 20), 0.35, 1)  # it skips
    tone = _contrasting(part, groove, dark=0.42, bright=0.72, middle=0.26)
    cut = _engraved(part, groove, 0.5 * width)
    return Damage(replace(cut, albedo=_worn(part, tone, groove, 0.8 * severity)), "a scratch")


def dent(part: Part, rng: np.random.Generator, severity: float) -> Damage:
    """A blow: an oval hollow with a raised rim. Only its shading gives it away."""
    middle = somewhere(part, rng)
    radius, squash = rng.uniform(0.026, 0.046), rng.uniform(0.75, 1.0)
    away = oval(part.grid, middle, rng.uniform(0, np.pi), squash) / np.float32(radius)
    hollow = np.exp(-2.2 * away * away) - 0.22 * np.exp(-3.0 * (away - 1.25) ** 2)
    depth = np.float32(0.62 * radius * severity)
    height = part.surface.height - depth * hollow * part.solid
    return Damage(replace(part.surface, height=height), "a dent")


def crack(part: Part, rng: np.random.Generator, severity: float) -> Damage:
    """A jagged, branching gap, dark inside, one lip lit."""
    width = _stroke(part.grid, 0.0075, severity)
    trunk = _jagged_line(somewhere(part, rng), rng.uniform(0.14, 0.28), rng)
    outlines = [ribbon(trunk, np.linspace(width, width / 3, len(trunk)))]
    for _ in range(rng.integers(1, 3)):
        fork = trunk[rng.integers(len(trunk) // 4, 3 * len(trunk) // 4)]
        branch = _jagged_line(fork.tolist(), rng.uniform(0.04, 0.08), rng)
        outlines.append(ribbon(branch, np.linspace(0.8 * width, width / 4, len(branch))))
    gap = coverage(part.grid, outlines) * part.solid
    floor = _contrasting(part, gap, dark=0.015, bright=0.40, middle=0.05)
    cut = _engraved(part, gap, 0.8 * width)
    return Damage(replace(cut, albedo=_worn(part, floor, gap, 0.9 * severity)), "a crack")


def stain(part: Part, rng: np.random.Generator, severity: float) -> Damage:
    """Something dried: darker on bright ground, milky on dark ground, with a rim."""
    away = _uneven_distance(part.grid, somewhere(part, rng), rng.uniform(0.035, 0.075), rng)
    inner = np.clip((1 - away) / 0.18, 0, 1) * part.solid
    rim = np.exp(-(((away - 0.9) / 0.10) ** 2)) * inner
    alpha = np.clip((0.62 * inner + 0.25 * rim) * np.float32(severity), 0, 0.92)
    albedo = part.surface.albedo
    if ground(part, part.solid) > 0.15:
        spoilt = albedo * (1 - alpha[..., None] * (1 - f32((BROWN, GREY)[rng.integers(2)])))
    else:
        spoilt = blend(albedo, MILKY, 0.6 * alpha)
    return Damage(Surface(spoilt, part.surface.height, part.surface.gloss * (1 - alpha)), "a stain")


def particle(part: Part, rng: np.random.Generator, severity: float) -> Damage:
    """A foreign fibre or chip that lies on the part and throws a shadow."""
    if rng.random() < 0.5:
        thick, words = _stroke(part.grid, 0.0065, severity), "a foreign fibre"
        path = bent_line(somewhere(part, rng), rng, rng.uniform(0.10, 0.20), bend=1.1)
        outline = ribbon(path, np.full(len(path), thick))
    else:
        thick, words = 0.014, "a foreign particle"
        angles = (np.arange(7) + rng.uniform(0, 0.8, 7)) * (2 * np.pi / 7)
        radii = rng.uniform(0.6, 1.0, 7) * rng.uniform(0.020, 0.030) * min(severity, 1.5)
        outline = polar(angles, radii, somewhere(part, rng))
    body = coverage(part.grid, [outline])
    bits = DARK_BITS if ground(part, body) > 0.16 else BRIGHT_BITS
    return Damage(_laid_on(part, body, thick, bits[rng.integers(2)]), words)


def missing(part: Part, rng: np.random.Generator, severity: float) -> Damage:
    """A feature is not there: the surface below shows instead, whatever the severity."""
    feature = part.features[rng.integers(len(part.features))]
    gone = paste(part.surface, part.bare(), box(part.grid, feature))
    return Damage(gone, f"a missing {feature.words}")


def box(g: Grid, feature: Feature) -> Layer:
    """Coverage ``(S, S)`` of the feature's box."""
    return coverage(g, [rounded(feature.x, feature.y, feature.width, feature.height)])


def paste(under: Surface, over: Surface, alpha: Layer) -> Surface:
    """``under`` with ``over`` on it as far as ``alpha`` (S, S) says."""
    return Surface(
        blend(under.albedo, over.albedo, alpha),
        blend(under.height, over.height, alpha),
        blend(under.gloss, over.gloss, alpha),
    )


def oval(g: Grid, middle: Sequence[float], turn: float = 0, squash: float = 1) -> Layer:
    """Distance (S, S) from ``middle`` in widths; across the ``turn`` it grows faster."""
    dx, dy = g.x - np.float32(middle[0]), g.y - np.float32(middle[1])
    c, s = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    return f32(np.hypot(c * dx + s * dy, (c * dy - s * dx) / np.float32(squash)))


def ground(part: Part, where: Layer) -> float:
    """Mean albedo of the part under ``where`` (S, S)."""
    bright = (grey(part.surface.albedo) * where).sum()
    return float(bright / max(float(where.sum()), 1e-6))


def _stroke(g: Grid, width: float, severity: float) -> float:
    return float(max(width * severity**0.5, HAIRLINE_PX / g.size))


def _worn(part: Part, tone: float, where: Layer, alpha: float) -> Layer:
    return blend(part.surface.albedo, tone, where * np.float32(min(alpha, 1)))


def _engraved(part: Part, where: Layer, depth: float) -> Surface:
    """The surface lowered, and dull, under ``where``."""
    height = part.surface.height - np.float32(depth) * blurred(where, part.grid, EDGE)
    return replace(part.surface, height=height, gloss=part.surface.gloss * (1 - where))


def _laid_on(part: Part, body: Layer, thick: float, colour: Sequence[float]) -> Surface:
    """A loose body on the surface, ``thick`` widths high, with its shadow to the lower right."""
    surface, g = part.surface, part.grid
    shadow = moved(blurred(body, g, 0.003), g, 0.6 * thick, 0.75 * thick)
    shaded = surface.albedo * (1 - 0.55 * shadow * (1 - body))[..., None]
    height = blend(surface.height, surface.height.mean(), body)
    height += np.float32(0.5 * thick) * blurred(body, g, 0.003)
    return Surface(blend(shaded, colour, body), height, surface.gloss * (1 - body))


def bent_line(
    middle: Sequence[float], rng: np.random.Generator, length: float, bend: float
) -> Points:
    """A line through ``middle`` whose direction wanders smoothly by about ``bend`` radians."""
    turns = np.interp(np.linspace(0, 3, POINTS), range(4), rng.normal(0, bend, 4))
    angle = rng.uniform(0, 2 * np.pi) + np.cumsum(turns) / 6
    path = np.cumsum(polar(angle, length / POINTS, (0, 0)), 0)
    return np.asarray(path - path.mean(0) + np.asarray(middle))


def _jagged_line(start: Sequence[float], length: float, rng: np.random.Generator) -> Points:
    steps = max(int(length / 0.014), 4)
    angles = rng.uniform(0, 2 * np.pi) + rng.normal(0, 0.55, steps)
    moves = np.cumsum(polar(angles, length / steps, (0, 0)), 0)
    return np.concatenate([[[0.0, 0.0]], moves]) + np.asarray(start, np.float64)


def _uneven_distance(
    g: Grid, middle: Sequence[float], radius: float, rng: np.random.Generator
) -> Layer:
    """Distance from ``middle`` in radii, its outline made uneven by low harmonics."""
    angle = np.arctan2(g.y - np.float32(middle[1]), g.x - np.float32(middle[0]))
    wobble = np.zeros_like(angle)
    for k in range(2, 6):
        phase = np.float32(rng.uniform(0, 2 * np.pi))
        wobble += np.float32(rng.normal(0, 0.4 / k)) * np.cos(k * angle + phase)
    return f32(oval(g, middle) / np.float32(radius) / (1 + np.clip(wobble, -0.5, 0.5)))


def _contrasting(part: Part, where: Layer, dark: float, bright: float, middle: float) -> float:
    """``bright`` on ground darker than ``middle``, else ``dark`` times the ground."""
    here = ground(part, where)
    return bright if here < middle else dark * here
