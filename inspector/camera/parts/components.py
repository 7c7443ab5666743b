"""How the components of a circuit board look from above, and the pads they stand on."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from inspector.camera.parts.draw import Colour, Ink, Sheet
from inspector.camera.parts.lettering import strokes
from inspector.camera.parts.shapes import closed, polar, rounded
from inspector.camera.parts.surface import Points

BOARD = 0.012  # the height of the board's upper side
PAD = Ink((176, 176, 172), BOARD + 0.0014, 0.30)
JOINT = Ink((150, 152, 154), BOARD + 0.007, 0.55)
LEG = Ink((190, 192, 194), BOARD + 0.006, 0.45)
SILK = Ink((206, 212, 204))
MARKING = Ink((176, 178, 176))

NAMES = {
    "quad": "controller",
    "dual": "circuit",
    "can": "capacitor",
    "crystal": "crystal",
    "plug": "connector",
    "resistor": "resistor",
    "capacitor": "capacitor",
    "diode": "diode",
    "led": "LED",
}

EXTENT = {
    "quad": (0.235, 0.235),
    "dual": (0.145, 0.125),
    "can": (0.130, 0.130),
    "crystal": (0.165, 0.075),
    "plug": (0.285, 0.085),
    "resistor": (0.088, 0.048),
    "capacitor": (0.082, 0.048),
    "diode": (0.100, 0.055),
    "led": (0.088, 0.056),
}
"""Width and height, in widths, of what a component and its joints cover before it is turned."""


@dataclass(frozen=True, slots=True)
class Placed:
    """One component: kind, reference, middle (widths), turn (0 or 90°), marking."""

    kind: str
    name: str
    x: float
    y: float
    turn_deg: int
    marking: str = ""


def extent(part: Placed) -> tuple[float, float]:
    """Width and height of the component as it is turned."""
    width, height = EXTENT[part.kind]
    return (height, width) if part.turn_deg else (width, height)


class _Turned:
    """Draws around a component's middle, turned with it."""

    def __init__(self, sheet: Sheet, part: Placed) -> None:
        self._sheet, self._part = sheet, part

    def rectangle(self, x: float, y: float, w: float, h: float, ink: Ink, r: float = 0) -> None:
        self.polygon(rounded(x, y, w, h, r), ink)

    def polygon(self, points: Points, ink: Ink) -> None:
        self._sheet.polygon(self._at(points), ink)

    def circle(self, x: float, y: float, radius: float, ink: Ink) -> None:
        self.rectangle(x, y, 2 * radius, 2 * radius, ink, radius)

    def outline(self, x: float, y: float, w: float, h: float, ink: Ink) -> None:
        self._sheet.line(self._at(closed(rounded(x, y, w, h))), 0.0035, ink)

    def text(self, words: str, tall: float, ink: Ink = MARKING, x: float = 0, y: float = 0) -> None:
        for stroke in strokes(words):
            self._sheet.line(self._at(stroke * tall + np.array([x, y])), 0.15 * tall, ink)

    def _at(self, points: Points) -> Points:
        if self._part.turn_deg:
            points = np.stack([-points[:, 1], points[:, 0]], 1)
        placed: Points = points + np.array([self._part.x, self._part.y])
        return placed


def footprint(sheet: Sheet, part: Placed) -> None:
    """Bare pads and the printed reference."""
    pen = _Turned(sheet, part)
    for x, y, w, h in _pads(part.kind):
        pen.rectangle(x, y, w + 0.008, h + 0.008, Ink((10, 58, 36), BOARD))
    for x, y, w, h in _pads(part.kind):
        pen.rectangle(x, y, w, h, PAD, 0.002)
    if part.kind in ("quad", "dual"):
        pen.outline(0, 0, *EXTENT[part.kind], SILK)
    width, height = extent(part)
    sheet.text(part.name, part.x - width / 2 + 0.02, part.y - height / 2 - 0.012, 0.016, SILK)


def draw_part(sheet: Sheet, part: Placed) -> None:
    """The component, soldered."""
    pen = _Turned(sheet, part)
    for x, y, w, h in _pads(part.kind):
        pen.rectangle(x, y, w, h, JOINT, min(w, h) / 2.2)
    BODIES[part.kind](pen, part)


def _pads(kind: str) -> list[tuple[float, float, float, float]]:
    if kind == "quad":
        steps = np.linspace(-0.075, 0.075, 8)
        upright = [(float(s), side * 0.102, 0.012, 0.026) for s in steps for side in (-1, 1)]
        return upright + [(y, x, h, w) for x, y, w, h in upright]
    if kind == "dual":
        steps = np.linspace(-0.042, 0.042, 4)
        return [(side * 0.060, float(s), 0.024, 0.014) for s in steps for side in (-1, 1)]
    if kind == "plug":
        return [(float(s), 0, 0.022, 0.034) for s in np.linspace(-0.105, 0.105, 6)]
    reach = {"can": 0.050, "crystal": 0.066, "diode": 0.036}.get(kind, 0.030)
    size = {"can": (0.022, 0.030), "crystal": (0.024, 0.030), "led": (0.022, 0.038)}
    w, h = size.get(kind, (0.020, 0.034))
    return [(-reach, 0, w, h), (reach, 0, w, h)]


def _body(colour: Colour, tall: float, gloss: float = 0.02) -> Ink:
    return Ink(colour, BOARD + tall, gloss)


def _legs(pen: _Turned, part: Placed) -> None:
    for x, y, w, h in _pads(part.kind):
        pen.rectangle(0.93 * x, 0.93 * y, 0.75 * w + 0.006, 0.75 * h, LEG)


def _quad(pen: _Turned, part: Placed) -> None:
    _legs(pen, part)
    pen.rectangle(0, 0, 0.180, 0.180, _body((36, 36, 38), 0.014), 0.006)
    pen.rectangle(0, 0, 0.166, 0.166, _body((44, 44, 46), 0.017), 0.004)
    pen.circle(-0.066, -0.066, 0.008, _body((30, 30, 31), 0.015))
    pen.text(part.marking, 0.026, y=-0.020)
    pen.text("2125 A7", 0.019, y=0.020)


def _dual(pen: _Turned, part: Placed) -> None:
    _legs(pen, part)
    pen.rectangle(0, 0, 0.092, 0.116, _body((36, 36, 38), 0.013), 0.004)
    pen.rectangle(0, 0, 0.080, 0.108, _body((45, 45, 47), 0.016), 0.003)
    pen.circle(-0.028, -0.042, 0.006, _body((30, 30, 31), 0.014))
    pen.text(part.marking, 0.017)


def _can(pen: _Turned, part: Placed) -> None:
    pen.rectangle(0, 0, 0.122, 0.122, _body((30, 30, 32), 0.008), 0.012)
    for radius, tall, shade in ((0.056, 0.030, 168), (0.052, 0.034, 188), (0.046, 0.0335, 182)):
        pen.circle(0, 0, radius, _body((shade, shade, shade + 3), tall, 0.12))
    turns = np.linspace(np.pi / 2, 3 * np.pi / 2, 15)
    pen.polygon(polar(turns, 1.0, (0, 0)) * (0.046, 0.040) - (0.012, 0), Ink((34, 34, 40)))


def _crystal(pen: _Turned, part: Placed) -> None:
    pen.rectangle(0, 0, 0.138, 0.064, _body((150, 150, 148), 0.010, 0.15), 0.032)
    pen.rectangle(0, 0, 0.122, 0.050, _body((186, 186, 182), 0.020, 0.12), 0.025)
    pen.text(part.marking, 0.019, Ink((74, 74, 74)))


def _plug(pen: _Turned, part: Placed) -> None:
    pen.rectangle(0, 0, 0.272, 0.074, _body((196, 190, 172), 0.026), 0.004)
    pen.rectangle(0, 0.002, 0.252, 0.052, _body((128, 122, 106), 0.014), 0.002)
    for x, _, _, _ in _pads("plug"):
        pen.rectangle(x, 0.002, 0.014, 0.014, _body((208, 180, 110), 0.024, 0.4))


def _resistor(pen: _Turned, part: Placed) -> None:
    pen.rectangle(0, 0, 0.064, 0.034, _body((196, 196, 194), 0.0085, 0.40), 0.002)
    pen.rectangle(0, 0, 0.044, 0.034, _body((34, 33, 36), 0.0095))
    pen.text(part.marking, 0.017, Ink((214, 214, 208)))


def _capacitor(pen: _Turned, part: Placed) -> None:
    pen.rectangle(0, 0, 0.060, 0.036, _body((196, 196, 194), 0.0125, 0.40), 0.003)
    pen.rectangle(0, 0, 0.036, 0.036, _body((160, 126, 92), 0.0140, 0.06))


def _diode(pen: _Turned, part: Placed) -> None:
    pen.rectangle(0, 0, 0.074, 0.030, _body((176, 60, 34), 0.012, 0.25), 0.013)
    pen.rectangle(-0.020, 0, 0.009, 0.030, _body((32, 30, 32), 0.0122, 0.10))


def _led(pen: _Turned, part: Placed) -> None:
    pen.rectangle(0, 0, 0.062, 0.040, _body((226, 224, 214), 0.011), 0.003)
    pen.circle(0, 0, 0.015, _body((226, 204, 96), 0.013, 0.25))


BODIES: dict[str, Callable[[_Turned, Placed], None]] = {
    "quad": _quad,
    "dual": _dual,
    "can": _can,
    "crystal": _crystal,
    "plug": _plug,
    "resistor": _resistor,
    "capacitor": _capacitor,
    "diode": _diode,
    "led": _led,
}
