"""Files that lie in a data set and that nothing reads: a table has not heard of them, or no picture
goes by their name.
"""

from collections.abc import Sequence
from pathlib import Path

from engine.pictures import pictures_below
from training.datasets.dataset import LAYOUTS, Dataset
from training.datasets.folders import MASKS
from training.datasets.sample import Sample


def unnamed(dataset: Dataset) -> Sequence[Sample]:
    """What the folders hold, where there are any, and the manifest does not name."""
    if dataset.layout != "manifest":
        return []
    others = [both for name, both in LAYOUTS.items() if name != dataset.layout]
    read = next((read for recognises, read in others if recognises(dataset.root)), None)
    named = {s.path.resolve() for s in dataset.samples}
    return [s for s in read(dataset.root) if s.path.resolve() not in named] if read else []


def without_picture(dataset: Dataset, product: str) -> Sequence[Path]:
    """A product's masks that mark no picture."""
    if dataset.layout not in ("MVTec-AD", "BTAD"):
        return []
    used = {s.mask_path for s in dataset.samples if s.product == product}
    return [m for m in pictures_below(dataset.root / product / MASKS) if m not in used]
