"""Golden vectors for every pixel format: a wrong channel order is a wrong verdict."""

import numpy as np
import pytest
from harvesters.util.pfnc import Dictionary

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
    plain = np.arange(bytes_needed(name, 8, 4), dtype=np.uint8)
    padded = np.pad(plain.reshape(4, -1), ((0, 0), (0, 3)), constant_values=255).ravel()
    assert padded.size == bytes_needed(name, 8, 4, padding=3)
    assert np.array_equal(to_rgb(padded, name, 8, 4, padding=3), to_rgb(plain, name, 8, 4))


def test_another_format_is_refused_with_what_the_camera_could_send() -> None:
    check_format("Mono8", "7")
    with pytest.raises(InputError, match=r"camera 7 sends Mono14p.*to Mono8, BGR8\.$"):
        check_format("Mono14p", "7", offered=["Mono14p", "Mono8", "BGR8"])
    with pytest.raises(InputError, match=r"to one of Mono8, Mono10.*BayerBG8.*RGB8.*Packed\.$"):
        check_format("Mono14p", "7", offered=["Mono14p"])


def bits_in_a_row(values: list[int], bits: int) -> np.ndarray:
    """The PFNC's ``p``: one long number, the first pixel its lowest bits, little end first."""
    whole = sum(value << (i * bits) for i, value in enumerate(values))
    return np.frombuffer(whole.to_bytes(-(-len(values) * bits // 8), "little"), np.uint8)


TEN, TWELVE = [0x3FF, 0x001, 0x200, 0x155], [0xABC, 0x123, 0xFFF, 0x00F]
UPPER_TEN, UPPER_TWELVE = [0xFF, 0x00, 0x80, 0x55], [0xAB, 0x12, 0xFF, 0x00]
DEEP = {
    "Mono10": (np.array(TEN, "<u2").view(np.uint8), UPPER_TEN),
    "Mono12": (np.array(TWELVE, "<u2").view(np.uint8), UPPER_TWELVE),
    "Mono16": (np.array([0xFFFF, 0x1234, 0x00FF, 0x8000], "<u2").view(np.uint8), [255, 18, 0, 128]),
    "Mono10p": (bits_in_a_row(TEN, 10), UPPER_TEN),
    "Mono12p": (bits_in_a_row(TWELVE, 12), UPPER_TWELVE),
    # as Basler's and Smartek's manuals draw it: upper bits, both lower ends, upper bits
    "Mono10Packed": (np.array([0xFF, 0x13, 0x00, 0x80, 0x10, 0x55], np.uint8), UPPER_TEN),
    "Mono12Packed": (np.array([0xAB, 0x3C, 0x12, 0xFF, 0xFF, 0x00], np.uint8), UPPER_TWELVE),
}


@pytest.mark.parametrize("name", DEEP)
def test_of_more_than_eight_bits_the_upper_ones_are_kept(name: str) -> None:
    data, upper = DEEP[name]
    assert data.size == bytes_needed(name, 4, 1)
    assert to_rgb(data, name, 4, 1)[0, :, 0].tolist() == upper
    assert to_rgb(data, name, 2, 2)[..., 1].ravel().tolist() == upper
    cut = to_rgb(data[: bytes_needed(name, 3, 1)], name, 3, 1)  # a group that is not full
    assert cut[0, :, 2].tolist() == upper[:3]


@pytest.mark.parametrize("name", DEEP)
def test_harvesters_reads_the_same_numbers(name: str) -> None:
    data, upper = DEEP[name]
    bits = int(name[4:6])
    theirs = Dictionary.get_proxy(symbolic=name).expand(data)
    assert (theirs >> (bits - 8)).tolist() == upper


@pytest.mark.parametrize("depth", ["10", "12", "16", "10p", "12p", "10Packed", "12Packed"])
@pytest.mark.parametrize("pattern", ["RGGB", "GRBG", "GBRG", "BGGR"])
def test_deep_mosaics_give_back_the_colour_of_the_surface(pattern: str, depth: str) -> None:
    eight = mosaic(pattern, 8, 6).astype(int)
    bits = int(depth[:2])
    values = [(int(v) << (bits - 8)) | 1 for v in eight]
    if depth.endswith("Packed"):
        pairs = zip(values[::2], values[1::2], strict=True)
        low = bits - 8
        rows = [(a >> low, (a & 3) | (b & 3) << 4, b >> low) for a, b in pairs]
        data = np.array(rows, np.uint8).ravel()
    elif depth.endswith("p"):
        data = bits_in_a_row(values, bits)
    else:
        data = np.array(values, "<u2").view(np.uint8)
    picture = to_rgb(data, f"Bayer{pattern[:2]}{depth}", width=8, height=6)
    assert np.all(picture == RGB)


YUV = (124, 86, 182)
"""RGB as JPEG turns it into Y, Cb and Cr."""


@pytest.mark.parametrize(
    ("name", "order"),
    [
        ("YUV422_8", "YUYV"),
        ("YCbCr422_8", "YUYV"),
        ("YUV422_YUYV_Packed", "YUYV"),
        ("YUV422_8_UYVY", "UYVY"),
        ("YCbCr422_8_CbYCrY", "UYVY"),
        ("YUV422Packed", "UYVY"),
    ],
)
def test_shared_colour_has_the_whole_range(name: str, order: str) -> None:
    value = dict(zip("YUV", YUV, strict=True))
    data = np.tile([value[letter] for letter in order], 6).astype(np.uint8)
    picture = to_rgb(data, name, width=4, height=3)
    np.testing.assert_allclose(picture, np.broadcast_to(RGB, picture.shape), atol=2)
    white = np.array([{"Y": 255}.get(letter, 128) for letter in order], np.uint8)
    assert (to_rgb(white, name, 2, 1) == 255).all()
    two = np.array([{"Y": 10}.get(letter, 128) for letter in order], np.uint8)
    two[order.rindex("Y")] = 90
    assert to_rgb(two, name, 2, 1)[0, :, 0].tolist() == [10, 90]


def test_pairs_of_pixels_want_an_even_width() -> None:
    with pytest.raises(InputError, match="even width, not 3"):
        to_rgb(np.zeros(12, np.uint8), "YUV422_8", 3, 2)
