"""Golden vectors for every pixel format: a wrong channel order is a wrong verdict."""

import numpy as np
import pytest

from engine.types import InputError
from inspector.camera.pixels import LAYOUTS, bytes_needed, check_format, to_rgb

RGB = (200, 100, 50)


def mosaic(pattern: str, width: int, height: int) -> np.ndarray:
    """A surface of colour RGB as a sensor with this 2 × 2 `pattern` sees it."""
    value = dict(zip("RGB", RGB, strict=True))
    tile = np.array([value[letter] for letter in pattern], np.uint8).reshape(2, 2)
    return np.tile(tile, (height // 2, width // 2)).ravel()


GOLDEN = {
    "Mono8": (np.array([7, 8, 9, 10, 11, 12], np.uint8), [(7,) * 3, (12,) * 3]),
    "RGB8": (np.arange(18, dtype=np.uint8), [(0, 1, 2), (15, 16, 17)]),
    "BGR8": (np.arange(18, dtype=np.uint8), [(2, 1, 0), (17, 16, 15)]),
    "RGBa8": (np.arange(24, dtype=np.uint8), [(0, 1, 2), (20, 21, 22)]),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_vectors(name: str) -> None:
    data, (first, last) = GOLDEN[name]
    picture = to_rgb(data, name, width=3, height=2)
    assert picture.shape == (2, 3, 3)
    assert tuple(picture[0, 0]) == first
    assert tuple(picture[1, 2]) == last


@pytest.mark.parametrize("pattern", ["RGGB", "GRBG", "GBRG", "BGGR"])
def test_bayer_gives_back_the_colour_of_the_surface(pattern: str) -> None:
    picture = to_rgb(mosaic(pattern, 8, 6), f"Bayer{pattern[:2]}8", width=8, height=6)
    assert picture.shape == (6, 8, 3)
    assert np.all(picture == RGB)


@pytest.mark.parametrize("name", LAYOUTS)
def test_pictures_own_their_pixels_and_the_buffer_is_left_alone(name: str) -> None:
    buffer = np.arange(bytes_needed(name, 6, 4) + 5, dtype=np.uint8)
    buffer.flags.writeable = False
    picture = to_rgb(buffer, name, width=6, height=4)
    assert picture.dtype == np.uint8
    assert picture.flags.c_contiguous
    assert not np.shares_memory(picture, buffer)


@pytest.mark.parametrize("name", LAYOUTS)
def test_line_padding_is_no_picture(name: str) -> None:
    plain = np.arange(bytes_needed(name, 6, 4), dtype=np.uint8)
    padded = np.pad(plain.reshape(4, -1), ((0, 0), (0, 3)), constant_values=255).ravel()
    assert padded.size == bytes_needed(name, 6, 4, padding=3)
    assert np.array_equal(to_rgb(padded, name, 6, 4, padding=3), to_rgb(plain, name, 6, 4))


def test_another_format_is_refused_with_what_the_camera_could_send() -> None:
    check_format("Mono8", "7")
    with pytest.raises(InputError, match=r"camera 7 sends Mono12p.*to Mono8, BGR8\.$"):
        check_format("Mono12p", "7", offered=["Mono12p", "Mono8", "BGR8"])
    with pytest.raises(InputError, match=r"to one of Mono8, RGB8.*BayerBG8\.$"):
        check_format("Mono12p", "7", offered=["Mono12p"])
