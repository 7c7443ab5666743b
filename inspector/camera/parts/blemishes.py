"""Damage that happens to any material: scratch, dent, crack, stain, particle, missing feature.

Each maker draws its chances from ``rng`` in widths, so that a seed gives the same damage at every
size, and takes a severity: 1.0 is the mildest a person should see, more is worse.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from inspector.camera.parts import draw
from inspector.camera.parts.surface import Damage, Feature, Grid, Layer, Part, Surface

HAIRLINE_PX = 1.3  # thinner strokes would drown in the lens's blur
POINTS = 28  # along a stroke


def somewhere(part: Part, rng: np.random.Generator) -> tuple[float, float]:
    """A point, in widths, inside the part's region."""
    g = part.grid
    while True:
        x, y = rng.uniform(-0.44, 0.44, 2)
        column, row = np.rint(g.to_px(np.array([[x, y]]))[0]).astype(int)
        if part.region[row, column]:
            return float(x), float(y)


def scratch(part: Part, rng: np.random.Generator, severity: float) -> Damage:
    """A tool or a handling mark: a slightly bent, tapering groove that catches the light."""
    path = _bent_line(somewhere(part, rng), rng, rng.uniform(0.13, 0.34), bend=0.12)
    width = max(rng.uniform(0.0062, 0.0085) * severity**0.5, HAIRLINE_PX / part.grid.size)
    taper = np.sin(np.linspace(0.12, np.pi - 0.12, POINTS)) ** 0.5
    groove = draw.coverage(part.grid, [draw.ribbon(path, width * taper)]) * part.solid
    groove *= np.clip(0.8 + 0.3 * draw.smooth_noise(rng, part.grid, 20), 0.35, 1)  # it skips
    tone = _contrasting(part, groove, dark=0.42, bright=0.72)
    albedo = draw.blend(part.surface.albedo, tone, groove * min(0.8 * severity, 1))
    height = part.surface.height - np.float32(0.5 * width) * _soft(groove, part.grid, 0.0015)
    return Damage(Surface(albedo, height, part.surface.gloss * (1 - groove)), "a scratch")


def dent(part: Part, rng: np.random.Generator, severity: float) -> Damage:
    """A blow: an oval hollow with a raised rim. Only its shading gives it away."""
    x, y = somewhere(part, rng)
    radius, squash = rng.uniform(0.026, 0.046), rng.uniform(0.75, 1.0)
    turn = rng.uniform(0, np.pi)
    dx, dy = part.grid.x - np.float32(x), part.grid.y - np.float32(y)
    u = np.cos(turn) * dx + np.sin(turn) * dy
    v = (np.cos(turn) * dy - np.sin(turn) * dx) / squash
    away = (u * u + v * v) / radius**2
    hollow = np.exp(-2.2 * away) - 0.22 * np.exp(-3.0 * (np.sqrt(away) - 1.25) ** 2)
    depth = np.float32(0.62 * radius * severity)
    height = (part.surface.height - depth * hollow * part.solid).astype(np.float32)
    return Damage(Surface(part.surface.albedo, height, part.surface.gloss), "a dent")


def crack(part: Part, rng: np.random.Generator, severity: float) -> Damage:
    """A jagged, branching gap, dark inside, one lip lit."""
    start = somewhere(part, rng)
    trunk = _jagged_line(start, rng.uniform(0, 2 * np.pi), rng.uniform(0.14, 0.28), rng)
    width = max(0.0075 * severity**0.5, HAIRLINE_PX / part.grid.size)
    outlines = [draw.ribbon(trunk, np.linspace(width, width / 3, len(trunk)))]
    for _ in range(rng.integers(1, 3)):
        at = trunk[rng.integers(len(trunk) // 4, 3 * len(trunk) // 4)]
        branch = _jagged_line(tuple(at), rng.uniform(0, 2 * np.pi), rng.uniform(0.04, 0.08), rng)
        outlines.append(draw.ribbon(branch, np.linspace(0.8 * width, width / 4, len(branch))))
    gap = draw.coverage(part.grid, outlines) * part.solid
    floor = _contrasting(part, gap, dark=0.015, bright=0.40, middle=0.05)
    albedo = draw.blend(part.surface.albedo, floor, gap * min(0.9 * severity, 1))
    height = part.surface.height - np.float32(0.8 * width) * _soft(gap, part.grid, 0.0015)
    return Damage(Surface(albedo, height, part.surface.gloss * (1 - gap)), "a crack")


def stain(part: Part, rng: np.random.Generator, severity: float) -> Damage:
    """Something dried: darker on bright ground, milky on dark ground, with a rim."""
    x, y = somewhere(part, rng)
    away = _uneven_distance(part.grid, x, y, rng.uniform(0.035, 0.075), rng)
    inner = np.clip((1.0 - away) / 0.18, 0, 1) * part.solid
    rim = np.exp(-(((away - 0.9) / 0.10) ** 2)) * inner
    alpha = np.clip((0.62 * inner + 0.25 * rim) * severity, 0, 0.92)
    albedo, bright = part.surface.albedo, local_albedo(part.surface.albedo, inner) > 0.12
    if bright:
        tint = np.array([[0.34, 0.24, 0.12], [0.20, 0.19, 0.18]][rng.integers(2)], np.float32)
        spoilt = albedo * (1 - alpha[..., None] * (1 - tint))
    else:
        spoilt = draw.blend(albedo, (0.42, 0.41, 0.36), 0.6 * alpha)
    gloss = part.surface.gloss * (1 - alpha)
    return Damage(Surface(spoilt, part.surface.height, gloss), "a stain")


def particle(part: Part, rng: np.random.Generator, severity: float) -> Damage:
    """A foreign fibre or chip that lies on the part and throws a shadow."""
    if rng.random() < 0.5:
        path = _bent_line(somewhere(part, rng), rng, rng.uniform(0.10, 0.20), bend=1.1)
        width = max(0.0065 * severity**0.5, HAIRLINE_PX / part.grid.size)
        outline, words = draw.ribbon(path, np.full(len(path), width)), "a foreign fibre"
    else:
        outline, words = _chip(somewhere(part, rng), rng, severity), "a foreign particle"
        width = 0.014
    body = draw.coverage(part.grid, [outline])
    drop = np.float32([[1, 0, 0.6 * width * part.grid.size], [0, 1, 0.75 * width * part.grid.size]])
    shadow = cv2.warpAffine(_soft(body, part.grid, 0.003), drop, body.shape[::-1])
    dark = local_albedo(part.surface.albedo, body) > 0.16
    colour = (
        [(0.03, 0.035, 0.05), (0.04, 0.05, 0.16)] if dark else [(0.75, 0.7, 0.6), (0.6, 0.14, 0.1)]
    )
    albedo = part.surface.albedo * (1 - 0.55 * shadow * (1 - body))[..., None]
    albedo = draw.blend(albedo, colour[rng.integers(2)], body)
    height = draw.blend(part.surface.height, part.surface.height.mean(), body)
    height += np.float32(0.5 * width) * _soft(body, part.grid, 0.003)
    return Damage(Surface(albedo, height, part.surface.gloss * (1 - body)), words)


def missing(part: Part, rng: np.random.Generator, severity: float) -> Damage:
    """A feature is not there: the surface below shows instead. Severity cannot make it worse."""
    feature = part.features[rng.integers(len(part.features))]
    return Damage(without(part, feature), f"a missing {feature.words}")


def without(part: Part, feature: Feature) -> Surface:
    """The part's surface with one feature's box as it is without features."""
    bare = part.bare()
    return paste(part.surface, bare, box(part.grid, feature))


def box(g: Grid, feature: Feature) -> Layer:
    """Coverage ``(S, S)`` of the feature's box."""
    corners = draw.rounded(feature.x, feature.y, feature.width, feature.height, 0)
    return draw.coverage(g, [corners])


def paste(under: Surface, over: Surface, alpha: Layer) -> Surface:
    """``under`` with ``over`` on it as far as ``alpha`` (S, S) says."""
    return Surface(
        draw.blend(under.albedo, over.albedo, alpha),
        draw.blend(under.height, over.height, alpha),
        draw.blend(under.gloss, over.gloss, alpha),
    )


def _bent_line(
    middle: tuple[float, float], rng: np.random.Generator, length: float, bend: float
) -> NDArray[np.float64]:
    """A line through ``middle`` whose direction wanders smoothly by about ``bend`` radians."""
    nodes = np.interp(np.linspace(0, 3, POINTS), range(4), rng.normal(0, bend, 4))
    angle = rng.uniform(0, 2 * np.pi) + np.cumsum(nodes) / 6
    path = np.cumsum(np.stack([np.cos(angle), np.sin(angle)], 1), 0) * (length / POINTS)
    shifted: NDArray[np.float64] = path - path.mean(0) + middle
    return shifted


def _jagged_line(
    start: tuple[float, ...], angle: float, length: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    steps = max(int(length / 0.014), 4)
    angles = angle + rng.normal(0, 0.55, steps)
    moves = np.stack([np.cos(angles), np.sin(angles)], 1) * (length / steps)
    return np.concatenate([[start], start + np.cumsum(moves, 0)])


def _chip(
    middle: tuple[float, float], rng: np.random.Generator, severity: float
) -> NDArray[np.float64]:
    angles = np.sort(rng.uniform(0, 2 * np.pi, 7))
    radii = rng.uniform(0.6, 1.0, 7) * rng.uniform(0.020, 0.030) * min(severity, 1.5)
    corners: NDArray[np.float64] = np.stack([np.cos(angles), np.sin(angles)], 1) * radii[:, None]
    return corners + middle


def _uneven_distance(g: Grid, x: float, y: float, radius: float, rng: np.random.Generator) -> Layer:
    """Distance from (x, y) in radii, its outline made uneven by low harmonics."""
    dx, dy = g.x - np.float32(x), g.y - np.float32(y)
    angle = np.arctan2(dy, dx)
    wobble = sum(
        np.float32(rng.normal(0, 0.40 / k)) * np.cos(k * angle + np.float32(rng.uniform(0, 6.28)))
        for k in range(2, 6)
    )
    away: Layer = np.hypot(dx, dy) / np.float32(radius) / (1 + np.clip(wobble, -0.5, 0.5))
    return away


def _soft(layer: Layer, g: Grid, sigma: float) -> Layer:
    return np.asarray(cv2.GaussianBlur(layer, (0, 0), max(sigma * g.size, 0.4)), np.float32)


def local_albedo(albedo: Layer, where: Layer) -> float:
    """Mean albedo under ``where``."""
    return float((albedo.mean(2) * where).sum() / max(float(where.sum()), 1e-6))


def _contrasting(
    part: Part, where: Layer, dark: float, bright: float, middle: float = 0.26
) -> float:
    """``bright`` on dark ground, ``dark`` times the ground on bright ground."""
    ground = local_albedo(part.surface.albedo, where)
    return bright if ground < middle else dark * ground
