"""A printed label: frame, logo, text, rating table and bar code on slightly textured stock."""

from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from inspector.camera.parts import blemishes, printing
from inspector.camera.parts.draw import Ink, Sheet
from inspector.camera.parts.ean13 import modules
from inspector.camera.parts.layers import blend, blurred, f32, moved, smooth_noise
from inspector.camera.parts.shapes import closed, coverage, rounded
from inspector.camera.parts.surface import Damage, Family, Feature, Layer, Part, Surface, grid

WIDTH, TALL, CORNER = 0.88, 0.72, 0.03
PAPER, BLACK, BLUE, RED, WHITE = (
    (242, 240, 232),
    (28, 28, 32),
    (24, 74, 150),
    (200, 40, 36),
    (255, 255, 255),
)
HOUSING = np.array([0.0644, 0.0679, 0.0735], np.float32)  # linear albedo of grey plastic
ARTICLE = "4006381333931"

LINES = (
    ("SERVO DRIVE SD-210", -0.06, -0.165, 0.036, 1.5),
    ("ART. NO. 4711-0815", -0.133, -0.108, 0.026, 1.2),
)
TABLE = (("INPUT", "3 X 400 V"), ("OUTPUT", "0 - 2.1 KW"), ("CLASS", "IP 54"))

FEATURES = (
    Feature("logo", -0.335, -0.255, 0.125, 0.115),
    Feature("product name", -0.06, -0.165, 0.66, 0.050),
    Feature("article number", -0.133, -0.108, 0.51, 0.040),
    Feature("bar code", 0.17, 0.20, 0.47, 0.215),
    Feature("rating table", -0.02, -0.005, 0.76, 0.145),
    Feature("test mark", -0.27, 0.19, 0.17, 0.17),
)


@lru_cache(maxsize=2)
def _print(size: int) -> Layer:
    """What the printing lets through, ``(S, S, 3)``: 1 where there is no ink."""
    sheet = Sheet(grid(size), Ink(WHITE))
    _frame(sheet)
    _logo(sheet)
    for words, x, y, tall, bold in LINES:
        sheet.text(words, x, y, tall, Ink(BLACK), bold)
    _table(sheet)
    _bar_code(sheet, 0.17, 0.20)
    _test_mark(sheet, -0.27, 0.19)
    return sheet.surface().albedo


def _frame(sheet: Sheet) -> None:
    sheet.line(closed(rounded(0, 0, WIDTH - 0.035, TALL - 0.035, 0.022)), 0.007, Ink(BLACK))
    sheet.rectangle(0.075, -0.255, 0.64, 0.085, Ink(BLUE), 0.008)
    sheet.text("PROMPTMAD DRIVES", 0.075, -0.255, 0.039, Ink(WHITE), 1.6)


def _logo(sheet: Sheet) -> None:
    sheet.circle(-0.335, -0.255, 0.050, Ink(BLUE))
    sheet.polygon([(-0.37, -0.232), (-0.335, -0.292), (-0.30, -0.232)], Ink(WHITE))
    sheet.circle(-0.335, -0.246, 0.0115, Ink(RED))


def _table(sheet: Sheet) -> None:
    for row, (name, value) in enumerate(TABLE):
        y = -0.047 + 0.042 * row
        sheet.line([(-0.385, y + 0.021), (0.345, y + 0.021)], 0.004, Ink(BLACK))
        sheet.text(name, -0.30, y, 0.023, Ink(BLACK), 1.1)
        sheet.text(value, 0.10, y, 0.023, Ink(BLACK), 1.1)
    sheet.line([(-0.385, -0.068), (0.345, -0.068)], 0.004, Ink(BLACK))


def _bar_code(sheet: Sheet, x: float, y: float) -> None:
    bars = modules(ARTICLE)
    unit = 0.42 / len(bars)
    for place in np.flatnonzero(bars):
        left = x - 0.21 + unit * float(place)
        sheet.rectangle(left + unit / 2, y - 0.02, unit, 0.15, Ink(BLACK))
    sheet.text(ARTICLE, x, y + 0.085, 0.026, Ink(BLACK), 1.1)


def _test_mark(sheet: Sheet, x: float, y: float) -> None:
    sheet.circle(x, y, 0.075, Ink(BLACK))
    sheet.circle(x, y, 0.066, Ink(WHITE))
    sheet.text("QC", x, y - 0.010, 0.055, Ink(BLACK), 1.6)
    sheet.text("PASSED", x, y + 0.038, 0.017, Ink(BLACK), 1.2)


@dataclass(frozen=True, slots=True)
class _Stock:
    """The housing with the blank label on it: its surface, paper grain, paper, region."""

    surface: Surface
    grain: Layer
    paper: Layer
    region: NDArray[np.bool_]


@lru_cache(maxsize=2)
def _stock(size: int) -> _Stock:
    g = grid(size)
    grain = smooth_noise(np.random.default_rng(5), g, 230)
    paper = coverage(g, [rounded(0, 0, WIDTH, TALL, CORNER)])
    shadow = blurred(moved(paper, g, 0.005, 0.006), g, 0.004)
    housing = (1 - 0.5 * shadow)[..., None] * HOUSING
    height = (0.00036 - 0.00027 * paper) * grain + 0.0015 * blurred(paper, g, 0.002)
    albedo = blend(housing, 0.86 * (f32(PAPER) / 255) ** 2, paper)
    inner = cv2.erode(paper, np.ones((3, 3), np.uint8), iterations=max(int(0.02 * size), 1))
    surface = Surface(albedo, height, np.zeros_like(paper))
    return _Stock(surface, grain, paper, np.asarray(inner) > 0.5)


def make(size: int, rng: np.random.Generator) -> Part:
    """One label: its own print density and register, its own stock."""
    g, stock = grid(size), _stock(size)
    dx, dy = rng.uniform(-0.0025, 0.0025, 2)
    printed = moved(_print(size), g, dx, dy, border=1)
    density = np.float32(rng.uniform(0.95, 1.0))
    cloudy = smooth_noise(rng, g, 6) * np.float32(0.012) + np.float32(rng.uniform(0.98, 1.02))
    base = stock.surface.albedo * cloudy[..., None]
    rows, columns = (int(v * size) for v in rng.uniform(0, 1, 2))
    grain = np.roll(stock.grain, (rows, columns), (0, 1))
    height = stock.surface.height + np.float32(0.00005) * grain
    blank = Surface(base, height, stock.surface.gloss)
    surface = replace(blank, albedo=base * (1 - density * (1 - printed)))
    return Part(g, surface, lambda: blank, FEATURES, stock.region, stock.paper)


def tear(part: Part, rng: np.random.Generator, severity: float) -> Damage:
    """Torn paper: the crack of this material."""
    return Damage(blemishes.crack(part, rng, severity).surface, "a tear")


FAMILY = Family(
    make,
    {
        "scratch": blemishes.scratch,
        "crack": tear,
        "stain": blemishes.stain,
        "missing": blemishes.missing,
        "extra": printing.ink_splash,
        "particle": blemishes.particle,
        "misprint": printing.misprint,
    },
)
