"""Foreign textures for synthetic anomalies: a folder such as DTD, where the user has one.

Cimpoi et al., Describing Textures in the Wild, CVPR 2014; used for anomalies by DRAEM.
"""

from pathlib import Path

from engine.pictures import list_pictures, read_picture
from engine.preprocess import resize
from engine.types import Image

MOST = 2000  # are held in memory, evenly from first to last


def read_textures(folder: Path, side: int) -> list[Image]:
    """Pictures at ``(side, side, 3)``; :class:`InputError` where one cannot be read."""
    paths = list_pictures(folder)
    count = min(MOST, len(paths))
    chosen = [paths[i * len(paths) // count] for i in range(count)]
    return [resize(read_picture(path), side, side) for path in chosen]
