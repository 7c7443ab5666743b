"""Data sets laid out as folders: MVTec-AD, BTAD and VisA.

MVTec-AD: Bergmann et al., IJCV 2021. BTAD: Mishra et al., ISIE 2021. VisA: Zou et al., ECCV 2022,
whose split is a table beside the pictures.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from engine.pictures import pictures_below
from engine.types import InputError
from training.datasets.manifest import table_of
from training.datasets.sample import GOOD, Sample, Split

VISA_SPLIT = PurePosixPath("split_csv/1cls.csv")
MASKS = "ground_truth"  # the folder of a product's masks, in the layouts by folder
VISA_COLUMNS = ("object", "split", "label", "image", "mask")


@dataclass(frozen=True, slots=True)
class _Names:
    """What the two layouts by folder call things."""

    good: str
    mask: str  # the stem of a picture's mask


MVTEC = _Names(good="good", mask="{stem}_mask")
BTAD = _Names(good="ok", mask="{stem}")


def read_mvtec(root: Path) -> Iterator[Sample]:
    """``<product>/train/good``, ``<product>/test/<defect>``, ``ground_truth/<defect>``."""
    return _read(root, MVTEC)


def read_btad(root: Path) -> Iterator[Sample]:
    """``<product>/train/ok``, ``<product>/test/{ok,ko}``, ``ground_truth/ko``."""
    return _read(root, BTAD)


def read_visa(root: Path) -> Iterator[Sample]:
    """``split_csv/1cls.csv`` names pictures and masks; a defect's label is "anomaly"."""
    for number, row in table_of(root / VISA_SPLIT):
        if missing := [name for name in VISA_COLUMNS if not row.get(name) and name != "mask"]:
            where = f"{root / VISA_SPLIT}, line {number}"
            raise InputError(f"{where}, says nothing of {', '.join(missing)}. Mend the table.")
        split: Split = "train" if row["split"] == "train" else "test"
        mask = root / row["mask"] if row.get("mask") else None
        label = GOOD if row["label"] == "normal" else row["label"]
        yield Sample(root / row["image"], row["object"], split, label, mask)


def _read(root: Path, names: _Names) -> Iterator[Sample]:
    for home in _folders(root):
        for path in pictures_below(home / "train" / names.good):
            yield Sample(path, home.name, "train")
        for folder in _folders(home / "test"):
            yield from _test_folder(home, folder, names)


def _test_folder(home: Path, folder: Path, names: _Names) -> Iterator[Sample]:
    if folder.name == names.good:
        yield from (Sample(path, home.name, "test") for path in pictures_below(folder))
        return
    masks = {path.stem: path for path in pictures_below(home / MASKS / folder.name)}
    for path in pictures_below(folder):
        mask = masks.get(names.mask.format(stem=path.stem))
        yield Sample(path, home.name, "test", folder.name, mask)


def _folders(parent: Path) -> list[Path]:
    return sorted(d for d in parent.iterdir() if d.is_dir()) if parent.is_dir() else []
