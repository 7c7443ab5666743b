"""A data set, whichever way it is laid out: which products, which good parts, what to test on."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from unicodedata import normalize

from engine.files import sha256_of
from engine.types import InputError, UnknownProductError
from training.datasets.folders import VISA_SPLIT, read_btad, read_mvtec, read_visa
from training.datasets.manifest import NAME as MANIFEST
from training.datasets.manifest import read_manifest
from training.datasets.sample import Sample, Split, name_below


@dataclass(frozen=True, slots=True)
class Dataset:
    """Every picture below ``root`` that the layout knows, in the order of its names."""

    root: Path
    layout: str
    samples: tuple[Sample, ...]

    def products(self, split: Split = "train") -> list[str]:
        """Those to train on, which takes good parts, or to test on, sorted."""
        own = [s for s in self.samples if s.split == split]
        return sorted({s.product for s in own if split == "test" or not s.is_defective})

    def chosen(self, wanted: Sequence[str], split: Split = "train") -> list[str]:
        """``wanted`` in the order given, or all there are; unknown ones are refused by name.

        A name is the same however its accents are stored: a folder keeps its own way.
        """
        every = self.products(split)
        if not every:
            raise InputError(
                f"{self.root} holds no product with good pictures to {split} on: expected "
                f"{self.root / '<product>' / split / 'good'}, or a {MANIFEST}."
            )
        known = {normalize("NFC", name): name for name in every} | {name: name for name in every}
        for name in wanted:
            if name not in known and normalize("NFC", name) not in known:
                raise UnknownProductError(name, every)
        asked = (known.get(name) or known[normalize("NFC", name)] for name in wanted)
        return list(dict.fromkeys(asked)) or every

    def train_goods(self, products: Sequence[str]) -> list[Sample]:
        """Good training pictures, product after product."""
        return [
            s
            for product in products
            for s in self.samples
            if s.product == product and s.split == "train" and not s.is_defective
        ]

    def test(self, product: str) -> list[Sample]:
        """Goods and defects to measure on, masks where there are any."""
        found = [s for s in self.samples if s.product == product and s.split == "test"]
        if not found:
            raise InputError(f"{self.root} holds no test pictures of {product} to evaluate on.")
        return found


def read_dataset(root: Path) -> Dataset:
    """The data set below ``root``; :class:`InputError` where there is none."""
    if not root.is_dir():
        raise InputError(f"There is no data folder {root}: give one in MVTec-AD layout, say.")
    for layout, (recognises, read) in LAYOUTS.items():
        if recognises(root):
            return Dataset(root, layout, tuple(map(partial(_named, root), read(root))))
    return Dataset(root, "MVTec-AD", ())


def _named(root: Path, sample: Sample) -> Sample:
    """With names that can be written down: an archive from elsewhere may unpack into others."""
    name = f"{sample.product} {name_below(sample.path, root)}"
    try:
        name.encode()
    except UnicodeEncodeError as error:
        shown = name.encode(errors="backslashreplace").decode()
        raise InputError(f"{shown} is no name in UTF-8: rename the folder or the file.") from error
    return sample


def _holds(pattern: str) -> Callable[[Path], bool]:
    return lambda root: any(d.is_dir() for d in root.glob(pattern))


LAYOUTS: dict[str, tuple[Callable[[Path], bool], Callable[[Path], Iterator[Sample]]]] = {
    "manifest": (lambda root: (root / MANIFEST).is_file(), read_manifest),
    "VisA": (lambda root: (root / VISA_SPLIT).is_file(), read_visa),
    "BTAD": (_holds("*/train/ok"), read_btad),
    "MVTec-AD": (lambda root: any(map(_holds_good, root.iterdir())), read_mvtec),
}
"""What a layout is known by, and how it is read; the first that fits is taken."""


def _holds_good(home: Path) -> bool:
    return any((home / split / "good").is_dir() for split in ("train", "test"))


def snapshot_sha256(samples: Sequence[Sample], root: Path) -> str:
    """One hash over name and content of every training picture: what a bundle was trained on."""
    total = hashlib.sha256()
    for sample in samples:
        content = content_sha256(sample)
        total.update(f"{content}  {name_below(sample.path, root)}\n".encode())
    return total.hexdigest()


def content_sha256(sample: Sample) -> str:
    """Of the picture's file; :class:`InputError` where a manifest says it was another."""
    content = sha256_of(sample.path)
    if sample.sha256 not in ("", content):
        raise InputError(
            f"{sample.path} is not the file that {MANIFEST} froze: put that one back, or freeze "
            "the data set anew with 'inspector dataset snapshot'."
        )
    return content
