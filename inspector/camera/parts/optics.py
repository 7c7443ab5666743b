"""The camera between part and picture: pose, lens, exposure, noise, eight bits."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from engine.types import Image
from inspector.camera.parts.layers import f32
from inspector.camera.parts.surface import Layer, grid

FALL_OFF = 0.34  # light lost at a radius of one width; the corner has 0.71
UNEVEN = 0.06  # the lamp stands at the upper left, so that side gets more
DISTORTION = 0.018  # barrel, as a short lens has it
FULL_WELL = 11_000.0  # electrons at full scale: the shot noise
READ_NOISE = 9.0  # electrons
TOE = 0.002  # keeps the tone curve's slope finite, and thus the noise of black small
DRIFT_PERIOD = 900  # frames in one swing of the lamp's drift
DRIFT = 0.05
LEAST_BLUR_PX = 0.45  # a pixel is an area, not a point


@dataclass(frozen=True, slots=True)
class View:
    """How one part lies before the lens. Angles in degrees, shifts and blur in widths."""

    turn_deg: float
    shift: tuple[float, float]
    zoom: float
    blur: float
    gain: float


def draw_view(rng: np.random.Generator) -> View:
    """The pose a guide rail and a trigger leave to chance."""
    return View(
        turn_deg=float(rng.uniform(-1.5, 1.5)),
        shift=(float(rng.uniform(-0.008, 0.008)), float(rng.uniform(-0.008, 0.008))),
        zoom=float(rng.uniform(0.993, 1.007)),
        blur=float(rng.uniform(0.0014, 0.0022)),
        gain=float(rng.uniform(0.97, 1.03)),
    )


def drift(index: int) -> float:
    """The lamp's brightness at frame ``index``: a slow swing around 1."""
    return 1 + DRIFT * float(np.sin(2 * np.pi * index / DRIFT_PERIOD))


def project(radiance: Layer, size: int, view: View, flow: Layer | None, exposure: float) -> Layer:
    """Canvas radiance → light on the sensor ``(size, size, 3)``, linear, full scale at 1.

    ``flow`` (n, n, 2) pulls the part out of shape, in widths; None for stiff parts.
    """
    at = _pose(size, view, flow)
    light = cv2.remap(radiance, at[..., 0], at[..., 1], cv2.INTER_LINEAR)
    light = f32(cv2.GaussianBlur(light, (0, 0), max(view.blur * size, LEAST_BLUR_PX)))
    light *= _fall_off(size) * np.float32(view.gain * exposure)
    return light


def _pose(size: int, view: View, flow: Layer | None) -> Layer:
    """For each picture pixel the canvas pixel it shows, ``(size, size, 2)``."""
    x, y = _lens(size)
    angle = np.deg2rad(view.turn_deg)
    c, s = np.float32(np.cos(angle) / view.zoom), np.float32(np.sin(angle) / view.zoom)
    at = np.stack([c * x - s * y - view.shift[0], s * x + c * y - view.shift[1]], -1)
    if flow is not None:
        at += cv2.resize(flow, (size, size), interpolation=cv2.INTER_CUBIC)
    at *= size
    at += (grid(size).side - 1) / 2
    return f32(at)


@lru_cache(maxsize=4)
def _lens(size: int) -> tuple[Layer, Layer]:
    """Where each picture pixel looks, in widths, with the lens's barrel distortion."""
    line = ((np.arange(size) - (size - 1) / 2) / size).astype(np.float32)
    x, y = np.meshgrid(line, line)
    stretch = 1 + DISTORTION * (x * x + y * y)
    return f32(x * stretch), f32(y * stretch)


@lru_cache(maxsize=4)
def _fall_off(size: int) -> Layer:
    x, y = _lens(size)
    light = (1 - FALL_OFF * (x * x + y * y)) * (1 - UNEVEN * (x + y))
    return f32(light[..., None])


def develop(light: Layer) -> Image:
    """Linear light → 8 bits through a camera's gamma of about a half."""
    clipped = np.clip(light, 0, 1)
    low, high = TOE**0.5, (1 + TOE) ** 0.5
    levels = (np.sqrt(clipped + np.float32(TOE)) - low) * np.float32(255 / (high - low))
    return np.asarray(np.rint(levels), np.uint8)


def add_noise(light: Layer, rng: np.random.Generator) -> Layer:
    """Shot and read noise of a sensor that holds FULL_WELL electrons."""
    electrons = np.maximum(light, 0) * np.float32(FULL_WELL)
    sigma = np.sqrt(electrons + np.float32(READ_NOISE**2))
    return f32(light + rng.standard_normal(light.shape, np.float32) * sigma / FULL_WELL)


def dark_frame(size: int, seed: int) -> Image:
    """What the sensor gives when the lamp is off: its read noise."""
    dark = np.zeros((size, size, 3), np.float32)
    return develop(add_noise(dark, np.random.default_rng(seed)))
