"""What there is to know of a picture in a data set, without keeping its pixels."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import cv2

from engine.pictures import read_picture
from training.datasets.copies import Print, fingerprint
from training.datasets.sample import Sample, stored

BLANK = 1.0  # grey levels of standard deviation


@dataclass(frozen=True, slots=True)
class Look:
    """``pixels`` is a hash of them and their shape, ``print`` what near copies are told by."""

    sample: Sample
    width: int
    height: int
    is_grey: bool
    depth: str
    is_blank: bool
    pixels: str
    print: Print

    @property
    def is_training_good(self) -> bool:
        return self.sample.split == "train" and not self.sample.is_defective


def look_at(sample: Sample) -> Look:
    """:class:`engine.types.InputError` where the picture cannot be read."""
    image = read_picture(sample.path)
    return Look(
        sample,
        width=image.shape[1],
        height=image.shape[0],
        is_grey=bool((image == image[..., :1]).all()),
        depth=_depth(sample.path),
        is_blank=float(cv2.meanStdDev(image)[1].max()) < BLANK,
        pixels=hashlib.sha256(repr(image.shape).encode() + image.tobytes()).hexdigest(),
        print=fingerprint(image),
    )


def _depth(path: Path) -> str:
    """What a reader turns into three times eight bits, in words."""
    values = stored(path)
    transparent = values.ndim == 3 and values.shape[2] == 4
    return f"{8 * values.itemsize} bits" + transparent * " and transparency"
