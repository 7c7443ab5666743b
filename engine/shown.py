"""Pictures to calibrate eight bits with, read from folders."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from engine.bundle import read_bundle
from engine.pictures import list_pictures, read_picture
from engine.precision import Shown
from engine.preprocess import resize
from engine.types import InputError

MOST = 32
"""Pictures of a product that are looked at, evenly from among all."""


def shown_below(folder: Path, bundle: Path, products: Sequence[str]) -> Shown:
    """``folder/<product>`` of each of the products (none: all of the bundle's), at the model's
    size; codes are those of a plan for these products. :class:`InputError` where one is missing."""
    said = read_bundle(bundle).manifest
    images, codes = [], []
    for position, code in enumerate(said.codes(products)):
        home = folder / said.products[code]
        if not home.is_dir():
            raise InputError(f"There is no folder {home} of pictures to calibrate with.")
        found = list_pictures(home)
        for path in found[:: -(-len(found) // MOST)]:
            images.append(resize(read_picture(path), said.input.height, said.input.width))
            codes.append(position)
    return Shown(np.stack(images), np.array(codes, np.int64))
