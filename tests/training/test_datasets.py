"""Data sets in every layout, what is wrong with them, and freezing one."""

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from engine.types import Image, InputError, UnknownProductError
from inspector.cli import app
from tests.training.micro import write_goods
from training.datasets.copies import fingerprint, near_copies
from training.datasets.dataset import Dataset, read_dataset, snapshot_sha256
from training.datasets.sample import load_mask
from training.datasets.textures import read_textures
from training.datasets.validate import Finding, validate
from training.spec import Given

SIDE = 96


def silent(what: str, share: float, note: str) -> None:
    """Progress nobody looks at."""


def photograph(seed: int) -> Image:
    """One part: the same print each time, a little moved, on grain that is never the same."""
    rng = np.random.default_rng(seed)
    part = np.full((SIDE, SIDE, 3), 150, np.uint8)
    cv2.rectangle(part, (20, 25), (70, 60), (40, 60, 90), -1)
    cv2.circle(part, (60, 70), 12, (220, 210, 200), -1)
    pose = np.array([[1, 0, rng.uniform(-2, 2)], [0, 1, rng.uniform(-2, 2)]])
    moved = cv2.warpAffine(part, pose, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
    return np.clip(moved + rng.normal(0, 8, moved.shape), 0, 255).astype(np.uint8)


def write(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)


def write_parts(data: Path, product: str = "plate", train: int = 60, test: int = 6) -> Path:
    """A data set in which nothing is wrong; its defects are white squares with masks."""
    home = data / product
    for i in range(train):
        write(home / "train" / "good" / f"{i:03}.png", photograph(i))
    for i in range(test):
        write(home / "test" / "good" / f"{i:03}.png", photograph(1000 + i))
        spoilt, mask = photograph(2000 + i), np.zeros((SIDE, SIDE), np.uint8)
        spoilt[10 : 30 + i, 10:40] = 255
        mask[10 : 30 + i, 10:40] = 255
        write(home / "test" / "white spot" / f"{i:03}.png", spoilt)
        write(home / "ground_truth" / "white spot" / f"{i:03}_mask.png", mask)
    return data


def findings(data: Path) -> list[Finding]:
    return validate(read_dataset(data), silent)


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["dataset", *map(str, arguments)])


def as_btad(data: Path) -> None:
    """The same parts, called as BTAD calls them."""
    home = data / "plate"
    (home / "train" / "good").rename(home / "train" / "ok")
    (home / "test" / "good").rename(home / "test" / "ok")
    (home / "test" / "white spot").rename(home / "test" / "ko")
    masks = (home / "ground_truth" / "white spot").rename(home / "ground_truth" / "ko")
    for mask in masks.iterdir():
        mask.rename(masks / mask.name.replace("_mask", ""))


def as_visa(data: Path) -> None:
    """The same parts, with VisA's table."""
    dataset = read_dataset(data)
    rows = [["object", "split", "label", "image", "mask"]]
    for s in dataset.samples:
        paths = [p.relative_to(data).as_posix() if p else "" for p in (s.path, s.mask_path)]
        rows.append([s.product, s.split, "anomaly" if s.is_defective else "normal", *paths])
    table = data / "split_csv" / "1cls.csv"
    table.parent.mkdir()
    with table.open("w", newline="") as file:
        csv.writer(file).writerows(rows)


def as_manifest(data: Path) -> None:
    assert call("snapshot", data).exit_code == 0


@pytest.mark.parametrize(
    ("rearrange", "layout", "defect"),
    [
        (lambda data: None, "MVTec-AD", "white spot"),
        (as_btad, "BTAD", "ko"),
        (as_visa, "VisA", "anomaly"),
        (as_manifest, "manifest", "white spot"),
    ],
)
def test_a_layout_is_known_by_what_lies_there(
    tmp_path: Path, rearrange: Callable[[Path], None], layout: str, defect: str
) -> None:
    rearrange(write_parts(tmp_path, train=9, test=3))
    dataset = read_dataset(tmp_path)
    assert dataset.layout == layout
    assert dataset.products() == dataset.products("test") == ["plate"]
    assert len(dataset.train_goods(["plate"])) == 9
    test = dataset.test("plate")
    assert [s.label for s in test if s.is_defective] == 3 * [defect]
    assert [s.is_defective for s in test].count(False) == 3
    masks = [load_mask(s, SIDE) for s in test if s.is_defective]
    assert [m is not None and int(m.sum()) for m in masks] == [30 * 20, 30 * 21, 30 * 22]


def test_products_are_chosen_by_name(tmp_path: Path) -> None:
    write_goods(tmp_path, "strip", defects=1)
    dataset = read_dataset(write_goods(tmp_path, "gear wheel"))
    assert dataset.chosen([]) == ["gear wheel", "strip"]
    assert dataset.chosen(["strip", "strip"]) == ["strip"]
    with pytest.raises(UnknownProductError):
        dataset.chosen(["bolt"])
    with pytest.raises(InputError, match="holds no product with good pictures to train on"):
        read_dataset(tmp_path / "strip").chosen([])
    with pytest.raises(InputError, match="no data folder"):
        read_dataset(tmp_path / "nowhere")
    with pytest.raises(InputError, match="no test pictures of bolt"):
        dataset.test("bolt")


def test_a_mask_of_another_size_is_refused(tmp_path: Path) -> None:
    write_parts(tmp_path, train=4, test=1)
    write(tmp_path / "plate/ground_truth/white spot/000_mask.png", np.full((10, 12), 255, np.uint8))
    sample = next(s for s in read_dataset(tmp_path).test("plate") if s.is_defective)
    with pytest.raises(InputError, match="is 12×10, its picture 96×96"):
        load_mask(sample, SIDE)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a.png,plate,sometimes,good,,,", r"line 3, split: .*'train' or 'test'"),
        (",plate,train,good,,,", r"line 3, path: "),
        ("a.png,plate,train,good,,beef,", r"line 3, sha256: "),
        ("a.png,plate,train,good,,,,extra", r"line 3, more: "),
    ],
)
def test_a_manifest_that_is_wrong_names_the_line(tmp_path: Path, line: str, words: str) -> None:
    head = "path,product,split,label,mask,sha256,source\nb.png,plate,train,good,,,\n"
    (tmp_path / "manifest.csv").write_text(head + line + "\n", encoding="utf-8-sig")
    with pytest.raises(InputError, match=words):
        read_dataset(tmp_path)


def test_a_frozen_set_keeps_its_hash_and_notices_a_changed_picture(tmp_path: Path) -> None:
    write_parts(tmp_path, train=5, test=1)
    before = _hash(read_dataset(tmp_path))
    table = tmp_path / "elsewhere" / "manifest.csv"
    table.parent.mkdir()
    assert call("snapshot", tmp_path, "--out", table).exit_code == 0
    frozen = read_dataset(table.parent)
    assert len(frozen.samples) == 7
    assert all(len(s.sha256) == 64 for s in frozen.samples)
    as_manifest(tmp_path)
    assert _hash(read_dataset(tmp_path)) == before
    write(tmp_path / "plate/train/good/002.png", photograph(77))
    with pytest.raises(InputError, match=r"002\.png is not the file that manifest\.csv froze"):
        _hash(frozen)


def _hash(dataset: Dataset) -> str:
    return snapshot_sha256(dataset.train_goods(["plate"]), dataset.root)


def test_a_clean_set_has_no_findings(tmp_path: Path) -> None:
    assert findings(write_parts(tmp_path)) == []
    said = call("validate", tmp_path)
    assert said.exit_code == 0
    assert "72 pictures: 0 errors, 0 warnings" in said.output


def _truncate(home: Path) -> None:
    path = home / "train/good/003.png"
    path.write_bytes(path.read_bytes()[:100])


def _turn_grey(home: Path) -> None:
    path = home / "train/good/004.png"
    grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    write(path, grey)


def _copy_into_test(home: Path) -> None:
    (home / "test/good/copy.png").write_bytes((home / "train/good/007.png").read_bytes())


def _resave_into_test(home: Path) -> None:
    """Brighter, mirrored, and as a JPEG: still the same photograph."""
    image = cv2.imread(str(home / "train/good/007.png"))
    bright = cv2.convertScaleAbs(image, alpha=1.05, beta=6)
    write(home / "test/good/copy.jpg", cv2.flip(bright, 1))


@pytest.mark.parametrize(
    ("spoil", "severity", "words"),
    [
        (_truncate, "error", r"003\.png is no picture, or a truncated one"),
        (
            lambda home: write(home / "train/good/001.png", np.full((SIDE, SIDE, 3), 9, np.uint8)),
            "error",
            r"Blank pictures, which show nothing: .*001\.png",
        ),
        (
            lambda home: write(home / "train/good/002.png", photograph(2)[:80]),
            "warning",
            "Pictures of 2 sizes, from 96×80 to 96×96",
        ),
        (_turn_grey, "warning", r"Most pictures are in colour, others grey: .*004\.png"),
        (
            lambda home: (home / "ground_truth/white spot/002_mask.png").unlink(),
            "error",
            r"1 of 6 defects have no mask",
        ),
        (
            lambda home: write(
                home / "ground_truth/white spot/002_mask.png", np.zeros((SIDE, SIDE), np.uint8)
            ),
            "error",
            "marks nothing",
        ),
        (
            lambda home: write(
                home / "ground_truth/white spot/002_mask.png", np.full((9, 9), 255, np.uint8)
            ),
            "error",
            "is 9×9, its picture 96×96",
        ),
        (_copy_into_test, "error", r"1 test pictures are copies .*copy\.png is plate.*007\.png"),
        (_resave_into_test, "error", r"copy\.jpg is nearly plate.*007\.png"),
        (
            lambda home: (home / "train/good/new.png").write_bytes(
                (home / "train/good/007.png").read_bytes()
            ),
            "warning",
            r"copies within their split.*new\.png is plate.*007\.png",
        ),
    ],
)
def test_a_fault_is_found_and_named(
    tmp_path: Path, spoil: Callable[[Path], None], severity: str, words: str
) -> None:
    spoil(write_parts(tmp_path) / "plate")
    (found,) = findings(tmp_path)
    assert found.severity == severity
    assert re.search(words, found.words), found.words
    said = call("validate", tmp_path, "--json")
    assert said.exit_code == (1 if severity == "error" else 0)
    assert json.loads(said.stdout)["findings"][0]["product"] == "plate"


@pytest.mark.parametrize(("count", "severity"), [(3, "error"), (20, "warning")])
def test_few_goods_are_told(tmp_path: Path, count: int, severity: str) -> None:
    found = findings(write_parts(tmp_path, train=count, test=2))
    (told,) = found
    assert told.severity == severity
    assert told.words.startswith(f"{count} good pictures to train on")


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

    options = ["--images", data, "--product", "plate", "--out", tmp_path / "again"]
    said = call("from-coco", tmp_path / "all.json", *options)
    assert said.exit_code == 0, said.output
    again = read_dataset(tmp_path / "again")
    assert again.layout == "manifest"
    assert {s.label for s in again.samples} == {"good", "white spot"}
    defects = [s for s in again.test("plate") if s.is_defective]
    np.testing.assert_array_equal(load_mask(defects[1], SIDE), mask > 0)
    assert findings(tmp_path / "again")[0].words.startswith("0 good pictures")


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


def test_a_copy_of_a_training_picture_is_told_though_a_test_picture_is_as_near(
    tmp_path: Path,
) -> None:
    home = write_parts(tmp_path) / "plate"
    _resave_into_test(home)
    again = home / "test/good/copy again.jpg"  # nearer to its twin than to where both come from
    again.write_bytes((home / "test/good/copy.jpg").read_bytes())
    (found,) = findings(tmp_path)
    assert found.words.startswith("2 test pictures are copies of training pictures")
    assert found.paths == ("plate/test/good/copy again.jpg", "plate/test/good/copy.jpg")


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
    assert [p.name for p in (tmp_path / "out" / "masks").iterdir()] == ["1_a_mask.png"]

    content["images"] = [entry, entry | {"id": 2, "file_name": "gone.png"}]
    (tmp_path / "c.json").write_text(json.dumps(content))
    options[-1] = tmp_path / "other"
    assert call("from-coco", tmp_path / "c.json", *options).exit_code == 2
    assert not (tmp_path / "other").exists()


def test_photographs_of_one_part_are_no_copies(tmp_path: Path) -> None:
    prints = [fingerprint(photograph(i)) for i in range(200)]
    assert list(near_copies(prints, range(100))) == []


def test_a_preview_is_drawn(tmp_path: Path) -> None:
    write_parts(tmp_path / "data", "plate", train=5, test=0)
    write_parts(tmp_path / "data", "Tür 3", train=5, test=0)
    out = tmp_path / "sheet.png"
    assert call("preview", tmp_path / "data", "--out", out).exit_code == 0
    picture = cv2.imread(str(out))
    assert picture.shape[1] > 1000
    assert picture.std() > 20


def test_textures_lend_what_the_goods_do_not_have(tmp_path: Path) -> None:
    write_parts(tmp_path / "data", "plate", train=5, test=0)
    write(tmp_path / "dtd" / "banded" / "red.png", np.full((40, 60, 3), (0, 0, 250), np.uint8))
    (texture,) = read_textures(tmp_path / "dtd", 64)
    assert (texture == (250, 0, 0)).all()
    assert texture.shape == (64, 64, 3)

    sheets = []
    for name, options in (("own.png", ()), ("lent.png", ("--textures", tmp_path / "dtd"))):
        done = call("preview", tmp_path / "data", "--out", tmp_path / name, *options)
        assert done.exit_code == 0, done.output
        sheets.append(cv2.imread(str(tmp_path / name)))
    assert (sheets[0] != sheets[1]).any()
    with pytest.raises(InputError, match="There is no folder"):
        read_textures(tmp_path / "none", 64)


def test_other_textures_make_another_run(tmp_path: Path) -> None:
    write(tmp_path / "a" / "1.png", photograph(1))
    before = Given.folder(tmp_path / "a")
    assert Given.folder(tmp_path / "a") == before
    write(tmp_path / "a" / "1.png", photograph(2))
    assert Given.folder(tmp_path / "a") != before
    assert Given.folder(None) is None
