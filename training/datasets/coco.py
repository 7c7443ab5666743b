"""COCO annotations in and out: what labelling tools speak. Masks by pycocotools.

COCO knows neither products nor good parts. Coming in, a picture without annotations is a good one,
and the first category on it names the defect. Going out, every region is an annotation of its own,
run-length encoded, since polygons would lose holes and single pixels; ``product`` and ``split`` go
along as fields that other tools pass over, and are read where nobody says otherwise. A defect
without a mask has no region, so that its picture carries its name in a field, too: :data:`LABEL`,
ours alone, since others have labels of their own. It is read where nothing is annotated.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path, PureWindowsPath
from typing import Annotated, Any

import cv2
import numpy as np
from pycocotools import mask as rle
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.files import whole_file
from engine.pictures import read_picture
from engine.types import InputError, Mask
from training.datasets.dataset import Dataset
from training.datasets.manifest import Row
from training.datasets.sample import GOOD, Sample, Split, name_below, read_mask
from training.report import Report

LABEL = "promptmad_label"
Size = Annotated[int, Field(ge=1)]


class _Lenient(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Picture(_Lenient):
    id: int
    file_name: str
    width: Size
    height: Size
    label: Annotated[str, Field(alias=LABEL, min_length=1)] = GOOD
    product: object = None  # of other tools it may be anything
    split: object = None


class _Category(_Lenient):
    id: int
    name: str


class _Annotation(_Lenient):
    image_id: int
    category_id: int
    segmentation: list[list[float]] | dict[str, Any] = []
    """Without any, as a box alone has none, it names the defect and marks nothing."""


class Coco(_Lenient):
    """As much of a COCO file as is needed here."""

    images: list[_Picture]
    categories: list[_Category] = []
    annotations: list[_Annotation] = []


def read_coco(path: Path) -> Coco:
    """:class:`InputError` where it is no such file."""
    try:
        return Coco.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"There are no annotations at {path}: {error.strerror}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise InputError(f"{path} is no COCO file: {where}: {first['msg']}.") from error


def from_coco(
    coco: Coco,
    images: Path,
    out: Path,
    report: Report,
    product: str = "",
    split: Split | None = None,
) -> list[Row]:
    """Rows of a manifest in ``out`` for pictures below ``images``; masks are drawn into ``out``.

    Without ``product`` or ``split`` a picture's own count, and without one of those it is for the
    test. Nothing is written before everything is read. A mask is called by its picture's number:
    file names may be absolute, lead elsewhere, or differ in their folder only.
    """
    names = {c.id: c.name for c in coco.categories}
    rows, masks = [], {}
    for i, picture in enumerate(coco.images):
        report("drawing masks", (i + 1) / len(coco.images), picture.file_name)
        path = (images / picture.file_name).resolve()
        if not path.is_file():
            raise InputError(f"There is no picture {path}: name the folder that holds it.")
        shows, goes = _product(picture, product), split or _split(picture)
        own = [a for a in coco.annotations if a.image_id == picture.id]
        regions = [_mask(a, picture) for a in own if a.segmentation]
        label, mask = names.get(own[0].category_id, "defect") if own else picture.label, ""
        if regions:
            mask = f"masks/{shows}/{goes}/{picture.id}_{path.stem}_mask.png"
            masks[out / mask] = _png(np.logical_or.reduce(regions))
        rows.append(Row(path=path.as_posix(), product=shows, split=goes, label=label, mask=mask))
    for target, content in masks.items():
        with whole_file(target) as part:
            part.write_bytes(content)  # cv2.imwrite opens ASCII paths only
    return rows


def _product(picture: _Picture, given: str) -> str:
    """What it shows; masks lie in a folder of that name, on either system."""
    found = given or picture.product
    if not isinstance(found, str) or not found:
        raise InputError(f"Nothing says what {picture.file_name} shows: give --product.")
    if PureWindowsPath(found).name != found or found in (".", ".."):
        raise InputError(f"No folder can be called {found!r}: give --product another name.")
    return found


def _split(picture: _Picture) -> Split:
    return "train" if picture.split == "train" else "test"


def to_coco(dataset: Dataset, report: Report) -> dict[str, Any]:
    """The whole data set as one COCO object; defects without a mask have a label only.

    :class:`InputError` where a good picture's mask marks something.
    """
    labels = sorted({s.label for s in dataset.samples if s.is_defective})
    number = {label: i for i, label in enumerate(labels, 1)}
    pictures: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for i, sample in enumerate(dataset.samples, 1):
        report("encoding masks", i / len(dataset.samples), f"{i} pictures")
        height, width = read_picture(sample.path).shape[:2]
        name = name_below(sample.path, dataset.root)
        place = {"id": i, "file_name": name, "width": width, "height": height}
        regions = list(_regions(sample))
        if regions and not sample.is_defective:
            raise InputError(sample.marked_though_good)
        bare = {LABEL: sample.label} if sample.is_defective and not regions else {}
        pictures.append(place | {"product": sample.product, "split": sample.split} | bare)
        for region in regions:
            known = {"id": len(annotations) + 1, "image_id": i, "iscrowd": 0}
            annotations.append(known | {"category_id": number[sample.label]} | region)
    categories = [{"id": i, "name": label} for label, i in number.items()]
    return {"images": pictures, "categories": categories, "annotations": annotations}


def _regions(sample: Sample) -> Iterator[dict[str, Any]]:
    """Every 8-connected region of the mask: its run lengths, area in px and box (x, y, w, h)."""
    if sample.mask_path is None:
        return
    mask = read_mask(sample.mask_path).astype(np.uint8)
    count, regions = cv2.connectedComponents(mask, connectivity=8)
    for i in range(1, count):
        runs = rle.encode(np.asfortranarray(regions == i).astype(np.uint8))
        box, area = rle.toBbox(runs), rle.area(runs)
        segmentation = {"size": runs["size"], "counts": runs["counts"].decode("ascii")}
        yield {"segmentation": segmentation, "area": int(area), "bbox": [float(v) for v in box]}


def _mask(annotation: _Annotation, picture: _Picture) -> Mask:
    size = (picture.height, picture.width)
    try:
        mask = np.asarray(rle.decode(_runs(annotation.segmentation, size)), bool)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"The annotation of {picture.file_name} is neither polygons nor run lengths: {error}."
        ) from error
    if mask.shape != size:
        raise InputError(
            f"The annotation of {picture.file_name} is of {mask.shape[1]}×{mask.shape[0]}, and the "
            f"picture is said to be {picture.width}×{picture.height}: make them agree."
        )
    return mask


def _runs(segmentation: list[list[float]] | dict[str, Any], size: tuple[int, int]) -> Any:
    """Polygons, run lengths as a list, or compressed: as pycocotools wants them."""
    if isinstance(segmentation, list):
        _are_polygons(segmentation)
        return rle.merge(rle.frPyObjects(segmentation, *size))
    runs = {"size": segmentation["size"], "counts": segmentation["counts"]}
    return rle.frPyObjects(runs, *size) if isinstance(runs["counts"], list) else runs


def _are_polygons(corners: Sequence[Sequence[float]]) -> None:
    """Of four numbers pycocotools makes a box, and of two a bare :class:`Exception`."""
    for polygon in corners:
        if len(polygon) < 6 or len(polygon) % 2:
            raise ValueError(f"a polygon of {len(polygon)} numbers has no three corners")


def _png(mask: Mask) -> bytes:
    return cv2.imencode(".png", mask.astype(np.uint8) * 255)[1].tobytes()
