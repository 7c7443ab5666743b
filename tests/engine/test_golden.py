"""Golden pictures that were made to be wrong are refused in one sentence, whatever numpy says."""

from pathlib import Path
from zipfile import ZIP_LZMA, ZIP_STORED, ZipFile

import numpy as np
import pytest

from engine.golden import GOLDEN, Golden, read_golden, write_golden
from engine.manifest import Size
from engine.types import BundleError

SIZE = Size(height=8, width=8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    maps, none = np.zeros((2, 8, 8), np.float32), np.zeros(2)
    images = np.zeros((2, 8, 8, 3), np.uint8)
    golden = Golden(images, none.astype(np.int64), none > 0, maps, none.astype(np.float32))
    write_golden(golden, tmp_path)
    return tmp_path


def _rewrite(folder: Path, image: bytes | None = None, compression: int = ZIP_STORED) -> None:
    with ZipFile(folder / GOLDEN) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    with ZipFile(folder / GOLDEN, "w", compression) as new:
        for name, content in parts.items():
            new.writestr(name, image if image is not None and name == "image.npy" else content)


def test_they_come_back(folder: Path) -> None:
    _rewrite(folder, compression=ZIP_LZMA)
    golden = read_golden(folder, SIZE, SIZE, 1)
    assert golden is not None
    assert len(golden) == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "a part of it is no array"),
        (b"hello", "a part of it is no array"),
        (b"\x93NUMPY\x01\x00", ".+"),
    ],
)
def test_a_part_that_is_no_array_is_told(folder: Path, content: bytes, words: str) -> None:
    _rewrite(folder, content)
    said = rf"golden\.npz is not usable \({words}\): make .* again\.$"
    with pytest.raises(BundleError, match=said):
        read_golden(folder, SIZE, SIZE, 1)


def test_junk_in_a_compression_is_told(folder: Path) -> None:
    _rewrite(folder, compression=ZIP_LZMA)
    content = bytearray((folder / GOLDEN).read_bytes())
    at = content.find(b"image.npy") + len(b"image.npy") + 4 + 5  # the sizes and properties of LZMA
    content[at : at + 40] = b"\xff" * 40
    (folder / GOLDEN).write_bytes(content)
    with pytest.raises(BundleError, match=r"golden\.npz is not usable \(.+\): make .* again\.$"):
        read_golden(folder, SIZE, SIZE, 1)
