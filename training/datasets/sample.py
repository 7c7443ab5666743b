"""One picture of a data set, and how it is read for the model."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.pictures import read_picture
from engine.preprocess import resize
from engine.types import Image, InputError, Mask

Split: TypeAlias = Literal["train", "test"]
GOOD = "good"
FEWEST_GOODS = 4  # of a product, to train on


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture, what it shows, and what it is for. ``label`` is "good", or names the defect.

    A manifest may say what its file's ``sha256`` was, and from which ``source`` it came.
    """

    path: Path
    product: str
    split: Split
    label: str = GOOD
    mask_path: Path | None = None
    sha256: str = ""
    source: str = ""

    @property
    def is_defective(self) -> bool:
        return self.label != GOOD

    @property
    def marked_though_good(self) -> str:
        """What to say where a mask marks something on a picture that counts as good."""
        return (
            f"{self.path} counts as good, and its mask {self.mask_path} marks a defect: name the "
            "defect, or take the mask away."
        )


def name_below(path: Path, root: Path) -> str:
    """Relative where it lies below the root, so that a moved data set keeps its names."""
    inside = path.is_relative_to(root)
    return (path.relative_to(root) if inside else path).as_posix()


def load(sample: Sample, side: int) -> Image:
    """The picture at ``(side, side, 3)``, resized exactly as a station does."""
    return resize(read_picture(sample.path), side, side)


def load_taken(sample: Sample, side: int) -> tuple[Image, int]:
    """The picture as :func:`load` reads it, and the side of a square of as many pixels as its
    file's: what it had before it was resized."""
    picture = read_picture(sample.path)
    return resize(picture, side, side), round(math.sqrt(picture.shape[0] * picture.shape[1]))


def load_mask(sample: Sample, side: int) -> Mask | None:
    """The mask at ``(side, side)``: nearest, then > 0. None where a defect has no mask.

    A mask of another size than its picture is an :class:`InputError`.
    """
    if not sample.is_defective:
        return np.zeros((side, side), bool)
    if sample.mask_path is None:
        return None
    mask = read_mask(sample.mask_path)
    picture = read_picture(sample.path)
    if mask.shape != picture.shape[:2]:
        raise InputError(
            f"The mask {sample.mask_path} is {mask.shape[1]}×{mask.shape[0]}, its picture "
            f"{picture.shape[1]}×{picture.shape[0]}: make them the same size."
        )
    near = cv2.resize(mask.astype(np.uint8), (side, side), interpolation=cv2.INTER_NEAREST)
    return near > 0


def read_mask(path: Path) -> Mask:
    """``(H, W)``: whatever is not black, in any channel and any number of bits."""
    read_picture(path)  # which says what is wrong with a file
    return np.asarray(stored(path, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH).any(-1), bool)


def stored(path: Path, flags: int = cv2.IMREAD_UNCHANGED) -> NDArray[np.generic]:
    """The values in the file of a picture that can be read."""
    values = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), flags)
    assert values is not None
    return values
