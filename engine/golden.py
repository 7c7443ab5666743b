"""Golden pictures: what a model said about a few, while torch still ran it.

``golden.npz`` in a bundle holds good and spoilt parts at the model's size, beside the maps and
scores that training's own network gave them. A plan carries the same pictures, with what it has to
answer after its own number of steps, so that it can be asked again wherever it goes
(:mod:`engine.parity`). No pickle: arrays alone.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Self
from zipfile import ZIP_LZMA, ZipFile

import numpy as np
from numpy.typing import NDArray

from engine.manifest import Size
from engine.runtimes.base import Answers, Codes, Images
from engine.sealed import content_of

GOLDEN = "golden.npz"
MOST_BYTES = 2**30  # unpacked: a file that claims more is no set of golden pictures


@dataclass(frozen=True, eq=False)
class Golden:
    """``G`` pictures and the answers expected: ``image (G, H, W, 3)`` uint8 RGB at the model's
    size, ``product (G,)`` codes, ``defective (G,)`` bool, ``map (G, h, w)`` and ``score (G,)``
    float32, raw."""

    image: Images
    product: Codes
    defective: NDArray[np.bool_]
    map: NDArray[np.float32]
    score: NDArray[np.float32]

    @property
    def answers(self) -> Answers:
        return self.map, self.score

    def __len__(self) -> int:
        return len(self.image)

    def of(self, codes: Collection[int]) -> Self:
        """Those pictures that show one of these products."""
        shown = np.isin(self.product, list(codes))
        return replace(self, **{f.name: getattr(self, f.name)[shown] for f in fields(self)})

    def narrowed(self, codes: Sequence[int]) -> Self:
        """Those of these products, whose codes become 0, 1, …"""
        found = self.of(codes)
        code = np.array([codes.index(int(c)) for c in found.product], np.int64)
        return replace(found, product=code)

    def checked(self, image: Size, maps: Size, products: int) -> Self:
        """Itself; ValueError where its arrays are not those of such a model, or not finite."""
        if not len(self):
            raise ValueError("it holds no picture")
        shapes = {
            "image": (np.uint8, (len(self), image.height, image.width, 3)),
            "product": (np.int64, (len(self),)),
            "defective": (np.bool_, (len(self),)),
            "map": (np.float32, (len(self), maps.height, maps.width)),
            "score": (np.float32, (len(self),)),
        }
        for name, (dtype, shape) in shapes.items():
            array = getattr(self, name)
            if array.dtype != dtype or array.shape != shape:
                raise ValueError(f"{name} is {array.dtype} {array.shape}, not {dtype} {shape}")
        if not all(np.isfinite(answer).all() for answer in self.answers):
            raise ValueError("an expected answer is not finite")
        if not ((self.product >= 0) & (self.product < products)).all():
            raise ValueError("a picture shows a product that the model does not know")
        return self


def write_golden(golden: Golden, folder: Path) -> None:
    """Into a folder that is being made.

    A spoilt part is a good one but for its damage, which a compressor with a long memory sees.
    """
    with ZipFile(folder / GOLDEN, "w", ZIP_LZMA) as packed:
        for field in fields(golden):
            with packed.open(f"{field.name}.npy", "w") as member:
                np.lib.format.write_array(member, getattr(golden, field.name), allow_pickle=False)


def read_golden(folder: Path, image: Size, maps: Size, products: int) -> Golden | None:
    """Of a verified bundle or plan; None where it is older than this file.

    :class:`BundleError` where the file is not what :func:`write_golden` writes for such a model.
    """
    path = folder / GOLDEN
    if not path.is_file():
        return None
    with content_of(path, f"make {folder} again"):
        with ZipFile(path) as packed:
            if sum(part.file_size for part in packed.infolist()) > MOST_BYTES:
                raise ValueError("it unpacks to more than a gigabyte")
        with np.load(path, allow_pickle=False) as archive:
            parts = dict(archive)
        if not all(isinstance(part, np.ndarray) for part in parts.values()):
            raise ValueError("a part of it is no array")
        return Golden(**parts).checked(image, maps, products)
