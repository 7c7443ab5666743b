"""MVTec-AD folders: ``<product>/train/good``, ``<product>/test/<defect>``, ``ground_truth``."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from engine.pictures import list_pictures, read_picture
from engine.preprocess import resize
from engine.types import Image, InputError, Mask, UnknownProductError


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture of a data set. ``defect`` is "good" for unspoilt parts."""

    path: Path
    product: str
    defect: str
    mask_path: Path | None = None

    @property
    def is_defective(self) -> bool:
        return self.defect != "good"


def product_names(data: Path, split: str = "train") -> list[str]:
    """Products with a ``<split>/good`` folder below ``data``, sorted."""
    if not data.is_dir():
        raise InputError(f"There is no data folder {data}: give a folder in MVTec-AD layout.")
    names = sorted(d.name for d in data.iterdir() if (d / split / "good").is_dir())
    if not names:
        raise InputError(
            f"{data} holds no product: expected {data / '<product>' / split / 'good'}."
        )
    return names


def chosen_products(data: Path, wanted: Sequence[str], split: str = "train") -> list[str]:
    """``wanted`` in the order given, or all there are; unknown ones are refused by name."""
    known = product_names(data, split)
    for name in wanted:
        if name not in known:
            raise UnknownProductError(name, known)
    return list(dict.fromkeys(wanted)) or known


def train_goods(data: Path, product: str) -> list[Sample]:
    """The good training pictures of one product, in name order."""
    folder = data / product / "train" / "good"
    return [Sample(path, product, "good") for path in list_pictures(folder)]


def evaluation_samples(data: Path, product: str) -> list[Sample]:
    """The test pictures of one product: goods and defects, masks where there are any."""
    root = data / product / "test"
    if not root.is_dir():
        raise InputError(f"{data / product} has no test folder to evaluate on.")
    folders = sorted(d for d in root.iterdir() if d.is_dir())
    return [s for folder in folders for s in _test_folder(data / product, folder, product)]


def _test_folder(home: Path, folder: Path, product: str) -> Iterator[Sample]:
    for path in list_pictures(folder):
        mask = home / "ground_truth" / folder.name / f"{path.stem}_mask.png"
        has_mask = folder.name != "good" and mask.is_file()
        yield Sample(path, product, folder.name, mask if has_mask else None)


def load(sample: Sample, side: int) -> Image:
    """The picture at ``(side, side, 3)``, resized exactly as a station does."""
    return resize(read_picture(sample.path), side, side)


def load_mask(sample: Sample, side: int) -> Mask | None:
    """The mask at ``(side, side)``: nearest, then > 0. None where a defect has no mask.

    A mask of another size than its picture is an :class:`InputError`.
    """
    if not sample.is_defective:
        return np.zeros((side, side), bool)
    if sample.mask_path is None:
        return None
    mask = read_picture(sample.mask_path)[..., 0]
    picture = read_picture(sample.path)
    if mask.shape != picture.shape[:2]:
        raise InputError(
            f"The mask {sample.mask_path} is {mask.shape[1]}×{mask.shape[0]}, its picture "
            f"{picture.shape[1]}×{picture.shape[0]}: make them the same size."
        )
    return cv2.resize(mask, (side, side), interpolation=cv2.INTER_NEAREST) > 0


def snapshot_sha256(samples: Sequence[Sample], data: Path) -> str:
    """One hash over name and content of every training picture: what a bundle was trained on."""
    total = hashlib.sha256()
    for sample in samples:
        content = hashlib.sha256(sample.path.read_bytes()).hexdigest()
        total.update(f"{content}  {sample.path.relative_to(data).as_posix()}\n".encode())
    return total.hexdigest()
