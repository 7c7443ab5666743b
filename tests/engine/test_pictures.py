"""Whatever is on disk arrives as uint8 RGB, or is refused by its name."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from engine.pictures import list_pictures, read_picture
from engine.types import InputError

RGB = np.array([[[250, 10, 30], [10, 200, 60]], [[0, 0, 90], [255, 255, 255]]], np.uint8)
BGR = RGB[..., ::-1].copy()


def save(path: Path, pixels: NDArray[np.generic]) -> Path:
    """Encode as the suffix says; by way of bytes, for names outside ASCII."""
    _, encoded = cv2.imencode(path.suffix, np.asarray(pixels))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded.tobytes())
    return path


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "Größe 部品.png"])
def test_colours_are_in_rgb_order(tmp_path: Path, name: str) -> None:
    np.testing.assert_array_equal(read_picture(save(tmp_path / name, BGR)), RGB)


def test_grey_is_repeated(tmp_path: Path) -> None:
    picture = read_picture(save(tmp_path / "a.png", RGB[..., 0]))
    np.testing.assert_array_equal(picture, np.repeat(RGB[..., :1], 3, axis=2))


def test_transparency_is_dropped(tmp_path: Path) -> None:
    rgba = np.dstack([BGR, np.full((2, 2), 7, np.uint8)])
    np.testing.assert_array_equal(read_picture(save(tmp_path / "a.png", rgba)), RGB)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("pixels", [BGR, np.repeat(BGR[..., :1], 3, axis=2)[..., 0]])
def test_sixteen_bits_are_full_range(
    tmp_path: Path, suffix: str, pixels: NDArray[np.uint8]
) -> None:
    deep = read_picture(save(tmp_path / f"deep{suffix}", pixels.astype(np.uint16) * 257))
    plain = read_picture(save(tmp_path / "plain.png", pixels))
    np.testing.assert_array_equal(deep, plain)


def test_a_picture_is_turned_as_its_exif_says(tmp_path: Path) -> None:
    wide = np.zeros((8, 24, 3), np.uint8)
    path = save(tmp_path / "a.jpg", wide)
    jpeg = path.read_bytes()
    turned = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    path.write_bytes(
        jpeg[:2] + b"\xff\xe1" + (len(turned) + 2).to_bytes(2, "big") + turned + jpeg[2:]
    )
    assert read_picture(path).shape == (24, 8, 3)


@pytest.mark.parametrize("content", [b"", b"no picture at all", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "part.png").write_bytes(content)
    with pytest.raises(InputError, match=r"part\.png"):
        read_picture(tmp_path / "part.png")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp", ".bmp"])
def test_a_truncated_picture_is_named(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    path = save(tmp_path / f"part{suffix}", noise)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=f"part{suffix} is no picture, or a truncated one"):
        read_picture(path)


def test_a_missing_picture_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.png cannot be read: No such file"):
        read_picture(tmp_path / "gone.png")


def test_pictures_are_found_below_and_sorted(tmp_path: Path) -> None:
    for name in ("b.PNG", "sub/a.jpg", "a.png"):
        save(tmp_path / name, BGR)
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "folder.png").mkdir()
    names = [path.relative_to(tmp_path).as_posix() for path in list_pictures(tmp_path)]
    assert names == ["a.png", "b.PNG", "sub/a.jpg"]


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(InputError, match="holds no picture: put some there"):
        list_pictures(tmp_path)
    with pytest.raises(InputError, match="There is no folder"):
        list_pictures(tmp_path / "nowhere")
    with pytest.raises(InputError, match="name a folder"):
        list_pictures(tmp_path / ("n" * 300))
