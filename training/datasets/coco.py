"""COCO annotations in and out: what labelling tools speak. Masks by pycocotools.

COCO knows neither products nor good parts. Coming in, a picture without annotations is a good one,
and the first category on it names the defect. Going out, every region is an annotation of its own,
run-length encoded, since polygons would lose holes and single pixels; ``product`` and ``split`` go
along as fields that other tools pass over. A defect without a mask has no region, so that its
picture carries its name in a field, too: :data:`LABEL`, ours alone, since others have labels of
their own. It is read where nothing is annotated.
"""

from collections.abc import Iterator
from pathlib import Path
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


class _Category(_Lenient):
    id: int
    name: str


class _Annotation(_Lenient):
    image_id: int
    category_id: int
    segmentation: list[list[float]] | dict[str, Any]


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
    coco: Coco, images: Path, product: str, split: Split, out: Path, report: Report
) -> list[Row]:
    """Rows of a manifest in ``out`` for pictures below ``images``; masks are drawn into ``out``.

    Nothing is written before everything is read. A mask is called by its picture's number: file
    names may be absolute, lead elsewhere, or differ in their folder only.
    """
    names = {c.id: c.name for c in coco.categories}
    rows, masks = [], {}
    for i, picture in enumerate(coco.images):
        report("drawing masks", (i + 1) / len(coco.images), picture.file_name)
        path = (images / picture.file_name).resolve()
        if not path.is_file():
            raise InputError(f"There is no picture {path}: name the folder that holds it.")
        own = [a for a in coco.annotations if a.image_id == picture.id]
        label, mask = picture.label, ""
        if own:
            label = names.get(own[0].category_id, "defect")
            mask = f"masks/{picture.id}_{path.stem}_mask.png"
            masks[out / mask] = _png(np.logical_or.reduce([_mask(a, picture) for a in own]))
        rows.append(Row(path=path.as_posix(), product=product, split=split, label=label, mask=mask))
    for target, content in masks.items():
        with whole_file(target) as part:
            part.write_bytes(content)  # cv2.imwrite opens ASCII paths only
    return rows


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
        return np.asarray(rle.decode(_runs(annotation.segmentation, size)), bool)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"The annotation of {picture.file_name} is neither polygons nor run lengths: {error}."
        ) from error


def _runs(segmentation: list[list[float]] | dict[str, Any], size: tuple[int, int]) -> Any:
    """Polygons, run lengths as a list, or compressed: as pycocotools wants them."""
    if isinstance(segmentation, list):
        return rle.merge(rle.frPyObjects(segmentation, *size))
    if isinstance(segmentation["counts"], list):
        return rle.frPyObjects(segmentation, *size)
    return segmentation


def _png(mask: Mask) -> bytes:
    return cv2.imencode(".png", mask.astype(np.uint8) * 255)[1].tobytes()
