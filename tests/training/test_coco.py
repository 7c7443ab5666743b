"""Masks to and from COCO."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.training.photographs import (
    SIDE,
    call,
    findings,
    photograph,
    write,
    write_parts,
)
from training.datasets.dataset import read_dataset
from training.datasets.sample import load_mask


def test_coco_goes_out_and_comes_in_again(tmp_path: Path) -> None:
    data = write_parts(tmp_path / "data", train=4, test=3)
    two = data / "plate/ground_truth/white spot/001_mask.png"
    mask = cv2.imread(str(two), cv2.IMREAD_GRAYSCALE)
    mask[80, 80] = 255  # a region of one pixel
    mask[15:18, 20:23] = 0  # and a hole
    write(two, mask)
    said = call("to-coco", data, "--out", tmp_path / "all.json")
    assert said.exit_code == 0, said.output
    out = json.loads((tmp_path / "all.json").read_text(encoding="utf-8"))
    assert len(out["images"]) == 10
    assert [a["area"] for a in out["annotations"]] == [30 * 20, 30 * 21 - 9, 1, 30 * 22]
    assert out["annotations"][0]["bbox"] == [10, 10, 30, 20]

    options = ["--images", data, "--out", tmp_path / "again"]
    said = call("from-coco", tmp_path / "all.json", *options)
    assert said.exit_code == 0, said.output
    again, before = (read_dataset(home) for home in (tmp_path / "again", data))
    assert again.layout == "manifest"
    known = [{(s.path, s.product, s.split, s.label) for s in x.samples} for x in (again, before)]
    assert known[0] == known[1]
    defects = [s for s in again.test("plate") if s.is_defective]
    np.testing.assert_array_equal(load_mask(defects[1], SIDE), mask > 0)

    # What an option says counts more than what the file says.
    options = [*options[:2], "--product", "cup", "--split", "test", "--out", tmp_path / "other"]
    assert call("from-coco", tmp_path / "all.json", *options).exit_code == 0
    assert findings(tmp_path / "other")[0].words.startswith("0 good pictures")


def test_what_was_imported_before_stays(tmp_path: Path) -> None:
    out = tmp_path / "out"
    for product in ("cup", "plate"):
        data = write_parts(tmp_path / product, product, train=4, test=2)
        assert call("to-coco", data, "--out", tmp_path / f"{product}.json").exit_code == 0
    for product in ("cup", "plate", "cup"):
        options = ["--images", tmp_path / product, "--out", out]
        said = call("from-coco", tmp_path / f"{product}.json", *options)
        assert said.exit_code == 0, said.output
    assert "8 pictures of cup, 16 in all" in said.output
    again = read_dataset(out)
    assert again.products() == ["cup", "plate"]
    for product in ("cup", "plate"):
        masks = [load_mask(s, SIDE) for s in again.test(product) if s.is_defective]
        assert [int(m.sum()) for m in masks if m is not None] == [30 * 20, 30 * 21]


def test_a_defect_without_a_mask_comes_in_again_as_what_it_is(tmp_path: Path) -> None:
    data = write_parts(tmp_path / "data", train=4, test=3)
    (data / "plate/ground_truth/white spot/001_mask.png").unlink()
    assert call("to-coco", data, "--out", tmp_path / "all.json").exit_code == 0
    out = json.loads((tmp_path / "all.json").read_text(encoding="utf-8"))
    labels = {x["file_name"]: x["promptmad_label"] for x in out["images"] if len(x) > 6}
    assert labels == {"plate/test/white spot/001.png": "white spot"}  # others tell by annotations

    options = ["--images", data, "--product", "plate", "--out", tmp_path / "again"]
    assert call("from-coco", tmp_path / "all.json", *options).exit_code == 0
    before = {s.path: s.label for s in read_dataset(data).samples}
    again = read_dataset(tmp_path / "again").samples
    assert {s.path: s.label for s in again} == before
    assert sum(s.mask_path is not None for s in again) == 2


def test_a_mask_on_a_good_picture_is_told(tmp_path: Path) -> None:
    data = write_parts(tmp_path, train=4, test=3) / "plate"
    columns, masks = "path,product,split,label,mask", "ground_truth/white spot"
    write(data / "empty.png", np.zeros((SIDE, SIDE), np.uint8))
    row = "test/good/000.png,plate,test,good"
    for mask, code in (("empty.png", 0), (f"{masks}/000_mask.png", 2)):
        (data / "manifest.csv").write_text(f"{columns}\n{row},{mask}\n", encoding="utf-8")
        said = call("to-coco", data, "--out", tmp_path / "all.json")
        assert said.exit_code == code, said.output
        told = any("counts as good, and its mask" in f.words for f in findings(data))
        assert told == (code == 2)
        assert not any("marks nothing" in f.words for f in findings(data))
    assert "name the defect, or take the mask away" in " ".join(said.output.split())


def test_what_is_drawn_later_counts_more_than_our_label(tmp_path: Path) -> None:
    write(tmp_path / "a.png", photograph(1))
    entry = {"id": 7, "file_name": "a.png", "width": SIDE, "height": SIDE}
    content = {
        "images": [entry | {"promptmad_label": "scratch"}],
        "categories": [{"id": 2, "name": "dent"}],
        "annotations": [{"image_id": 7, "category_id": 2, "segmentation": [[1, 1, 9, 1, 9, 9]]}],
    }
    (tmp_path / "c.json").write_text(json.dumps(content))
    options = ["--images", tmp_path, "--product", "plate", "--out", tmp_path / "out"]
    assert call("from-coco", tmp_path / "c.json", *options).exit_code == 0
    (sample,) = read_dataset(tmp_path / "out").samples
    assert sample.label == "dent"


@pytest.mark.parametrize("label", [3, ["a", "b"], "train", None])
def test_labels_of_other_tools_are_passed_over(tmp_path: Path, label: object) -> None:
    write(tmp_path / "a.png", photograph(1))
    entry = {"id": 7, "file_name": "a.png", "width": SIDE, "height": SIDE, "label": label}
    (tmp_path / "c.json").write_text(json.dumps({"images": [entry]}))
    options = ["--images", tmp_path, "--product", "plate", "--out", tmp_path / "out"]
    assert call("from-coco", tmp_path / "c.json", *options).exit_code == 0
    (sample,) = read_dataset(tmp_path / "out").samples
    assert sample.label == "good"


def test_coco_of_polygons(tmp_path: Path) -> None:
    write(tmp_path / "a.png", photograph(1))
    square = [10, 20, 30, 20, 30, 50, 10, 50]
    content = {
        "images": [{"id": 7, "file_name": "a.png", "width": SIDE, "height": SIDE}],
        "categories": [{"id": 2, "name": "dent"}],
        "annotations": [{"image_id": 7, "category_id": 2, "segmentation": [square]}],
    }
    (tmp_path / "c.json").write_text(json.dumps(content))
    options = ["--images", tmp_path, "--product", "plate", "--out", tmp_path / "out"]
    assert call("from-coco", tmp_path / "c.json", *options).exit_code == 0
    (sample,) = read_dataset(tmp_path / "out").samples
    assert (sample.label, sample.split) == ("dent", "test")
    drawn = load_mask(sample, SIDE)
    assert drawn is not None
    assert drawn[20:50, 10:30].all()
    assert drawn.sum() == 20 * 30


def test_a_box_alone_names_a_defect_that_has_no_mask(tmp_path: Path) -> None:
    write(tmp_path / "a.png", photograph(1))
    content = {
        "images": [{"id": 7, "file_name": "a.png", "width": SIDE, "height": SIDE}],
        "categories": [{"id": 2, "name": "dent"}],
        "annotations": [
            {"image_id": 7, "category_id": 2, "segmentation": [], "bbox": [1, 1, 5, 5]}
        ],
    }
    (tmp_path / "c.json").write_text(json.dumps(content))
    options = ["--images", tmp_path, "--product", "plate", "--out", tmp_path / "out"]
    assert call("from-coco", tmp_path / "c.json", *options).exit_code == 0
    (sample,) = read_dataset(tmp_path / "out").samples
    assert (sample.label, sample.mask_path) == ("dent", None)


@pytest.mark.parametrize(
    ("region", "words"),
    [
        ([[1, 1]], "a polygon of 2 numbers has no three corners"),
        ([[1, 1, 5, 5]], "a polygon of 4 numbers"),  # which pycocotools takes for a box
        ([[1, 1, 9, 1, 9]], "a polygon of 5 numbers"),
        ({"size": [4, 4], "counts": [4, 8, 4]}, "is of 4×4, and the picture is said to be 96×96"),
        ({"counts": [4, 8, 4]}, "neither polygons nor run lengths"),
    ],
)
def test_a_region_that_is_none_is_told(tmp_path: Path, region: object, words: str) -> None:
    write(tmp_path / "a.png", photograph(1))
    content = {
        "images": [{"id": 7, "file_name": "a.png", "width": SIDE, "height": SIDE}],
        "annotations": [{"image_id": 7, "category_id": 2, "segmentation": region}],
    }
    (tmp_path / "c.json").write_text(json.dumps(content))
    options = ["--images", tmp_path, "--product", "plate", "--out", tmp_path / "out"]
    said = call("from-coco", tmp_path / "c.json", *options)
    assert said.exit_code == 2
    assert words in " ".join(said.output.split())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("product", "words"),
    [((), "Nothing says what a.png shows"), (("--product", "../up"), "No folder can be called")],
)
def test_a_product_is_named_and_may_name_a_folder(
    tmp_path: Path, product: tuple[str, ...], words: str
) -> None:
    write(tmp_path / "a.png", photograph(1))
    entry = {"id": 7, "file_name": "a.png", "width": SIDE, "height": SIDE}
    (tmp_path / "c.json").write_text(json.dumps({"images": [entry]}))
    options = ["--images", tmp_path, *product, "--out", tmp_path / "out"]
    said = call("from-coco", tmp_path / "c.json", *options)
    assert said.exit_code == 2
    assert words in " ".join(said.output.split())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "is no COCO file"),
        ('{"images": [{"id": 1}]}', "images.0.file_name"),
        (
            '{"images": [{"id": 1, "file_name": "b.png", "width": 9, "height": 9}]}',
            "There is no picture",
        ),
    ],
)
def test_what_is_no_coco_is_told(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "c.json").write_text(content)
    options = ["--images", tmp_path, "--product", "plate", "--out", tmp_path / "out"]
    said = call("from-coco", tmp_path / "c.json", *options)
    assert said.exit_code == 2
    assert words in " ".join(said.output.split())
    assert not (tmp_path / "out").exists()


def test_coco_writes_nothing_outside_and_nothing_by_halves(tmp_path: Path) -> None:
    picture = tmp_path / "shop" / "a.png"
    write(picture, photograph(1))
    entry = {"id": 1, "file_name": str(picture), "width": SIDE, "height": SIDE}
    content = {
        "images": [entry],
        "categories": [{"id": 2, "name": "dent"}],
        "annotations": [{"image_id": 1, "category_id": 2, "segmentation": [[1, 1, 9, 1, 9, 9]]}],
    }
    (tmp_path / "c.json").write_text(json.dumps(content))
    options = ["--images", tmp_path, "--product", "plate", "--out", tmp_path / "out"]
    assert call("from-coco", tmp_path / "c.json", *options).exit_code == 0
    assert [p.name for p in picture.parent.iterdir()] == ["a.png"]
    (mask,) = (tmp_path / "out" / "masks").rglob("*.png")
    assert mask.relative_to(tmp_path / "out").as_posix() == "masks/plate/test/1_a_mask.png"

    content["images"] = [entry, entry | {"id": 2, "file_name": "gone.png"}]
    (tmp_path / "c.json").write_text(json.dumps(content))
    options[-1] = tmp_path / "other"
    assert call("from-coco", tmp_path / "c.json", *options).exit_code == 2
    assert not (tmp_path / "other").exists()


def test_a_broken_table_is_told_before_masks_lie_beside_it(tmp_path: Path) -> None:
    data = write_parts(tmp_path / "data", train=4, test=2)
    assert call("to-coco", data, "--out", tmp_path / "all.json").exit_code == 0
    table = tmp_path / "out" / "manifest.csv"
    table.parent.mkdir()
    table.write_text("path,product\na.png,\n")
    options = ["--images", data, "--out", table.parent]
    said = call("from-coco", tmp_path / "all.json", *options)
    assert said.exit_code == 2
    assert "line 2, product" in " ".join(said.output.split())
    assert list(table.parent.iterdir()) == [table]
