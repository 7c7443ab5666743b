"""Pictures to calibrate eight bits with, read from folders."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from engine.manifest import Manifest
from engine.pictures import list_pictures, read_picture
from engine.precision import Shown
from engine.preprocess import resize
from engine.types import InputError

MOST = 32
"""Pictures of a product that are looked at, evenly from among all."""


GOODS = Path("train", "good")
"""Where good parts lie in MVTec AD's layout, beside defects and masks that nobody asked for."""


def shown_below(folder: Path, said: Manifest, codes: Sequence[int] | None) -> Shown:
    """``folder/<product>`` of each of a bundle's products (None: all), at the model's size, whose
    codes become 0, 1, … :class:`InputError` where one is missing."""
    images, positions = [], []
    known = range(len(said.products)) if codes is None else codes
    for position, code in enumerate(known):
        home = folder / said.products[code]
        if not home.is_dir():
            raise InputError(f"There is no folder {home} of pictures to calibrate with.")
        goods = home / GOODS
        found = list_pictures(goods if goods.is_dir() else home)
        for path in found[:: -(-len(found) // MOST)]:
            images.append(resize(read_picture(path), said.input.height, said.input.width))
            positions.append(position)
    return Shown(np.stack(images), np.array(positions, np.int64))
