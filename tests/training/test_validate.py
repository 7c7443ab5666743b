"""What is wrong with a data set, said in words."""

import json
import re
from collections.abc import Callable
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
from training.datasets.copies import Pair, exact_copies, fingerprint, near_copies


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
    _copy_again(home / "train/good/007.png", home / "test/good/copy.png")


def _resave_into_test(home: Path) -> None:
    """Brighter, mirrored, and as a JPEG: still the same photograph."""
    image = cv2.imread(str(home / "train/good/007.png"))
    bright = cv2.convertScaleAbs(image, alpha=1.05, beta=6)
    write(home / "test/good/copy.jpg", cv2.flip(bright, 1))


def _keep_sixteen_bits(home: Path) -> None:
    write(home / "train/good/005.png", photograph(5).astype(np.uint16) * 257)


def _make_transparent(home: Path) -> None:
    solid = np.full((SIDE, SIDE), 255, np.uint8)
    write(home / "train/good/006.png", np.dstack([photograph(6), solid]))


@pytest.mark.parametrize(
    ("spoil", "severity", "words"),
    [
        (_keep_sixteen_bits, "warning", r"Most pictures have 8 bits, 1 have 16 bits: .*005\.png"),
        (_make_transparent, "warning", r"8 bits, 1 have 8 bits and transparency: .*006\.png"),
        (
            lambda home: write(
                home / "ground_truth/white spot/002.png", np.full((SIDE, SIDE), 255, np.uint8)
            ),
            "error",
            r"1 masks are named after no picture: .*002\.png",
        ),
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


def test_photographs_of_one_part_are_no_copies(tmp_path: Path) -> None:
    prints = [fingerprint(photograph(i)) for i in range(200)]
    assert list(near_copies(prints, range(100))) == []


def test_pictures_that_are_an_earlier_one_again() -> None:
    assert list(exact_copies(["a", "b", "a", "c", "a"])) == [Pair(0, 2), Pair(0, 4)]


def test_an_exact_copy_is_found_among_goods_too_few_for_statistics(tmp_path: Path) -> None:
    home = write_parts(tmp_path, train=7, test=2) / "plate"
    _copy_again(home / "train/good/003.png", home / "test/good/copy.png")
    found = findings(tmp_path)
    assert [f.severity for f in found] == ["error", "warning"]
    assert found[0].words.endswith(": plate/test/good/copy.png is plate/train/good/003.png.")
    assert found[1].words.startswith("7 good pictures to train on are few")


@pytest.mark.parametrize(
    ("put", "kind"), [(_copy_into_test, "is"), (_resave_into_test, "is nearly")]
)
def test_copies_are_found_where_every_good_is_there_twice(
    tmp_path: Path, put: Callable[[Path], None], kind: str
) -> None:
    home = write_parts(tmp_path, train=30) / "plate"
    for path in sorted(home.glob("train/good/*.png")):
        _copy_again(path, path.with_stem(f"{path.stem}-again"))
    put(home)
    error, warning = findings(tmp_path)
    assert error.words.startswith("1 test pictures are copies of training pictures")
    assert re.search(rf"copy\.\w+ {kind} plate/train/good/007(-again)?\.png", error.words)
    assert warning.words.startswith("30 pictures are copies within their split")


def test_a_defect_that_is_a_training_good_again_is_a_copy_whatever_it_is_called(
    tmp_path: Path,
) -> None:
    home = write_parts(tmp_path) / "plate"
    _copy_again(home / "train/good/007.png", home / "test/white spot/000.png")
    (found,) = findings(tmp_path)
    assert found.words.endswith(": plate/test/white spot/000.png is plate/train/good/007.png.")


def test_an_exact_copy_within_a_split_is_told_beside_a_near_one_of_another_label(
    tmp_path: Path,
) -> None:
    """A part before and after it was spoilt is no copy; the spoilt one twice is."""
    home = write_parts(tmp_path) / "plate"
    spoilt = cv2.imread(str(home / "test/good/000.png"))
    mask = np.zeros((SIDE, SIDE), np.uint8)
    spoilt[10:12, 10:12] = mask[10:12, 10:12] = 255
    for name in ("006", "007"):
        write(home / f"test/white spot/{name}.png", spoilt)
        write(home / f"ground_truth/white spot/{name}_mask.png", mask)
    (found,) = findings(tmp_path)
    assert found.words.startswith("1 pictures are copies within their split")
    assert found.words.endswith(": plate/test/white spot/007.png is plate/test/white spot/006.png.")


def test_flat_pictures_of_other_sizes_are_not_the_same(tmp_path: Path) -> None:
    home = write_parts(tmp_path, train=6, test=2) / "plate"
    write(home / "train/good/flat.png", np.full((40, 60, 3), 9, np.uint8))
    write(home / "test/good/flat.png", np.full((60, 40, 3), 9, np.uint8))
    assert not [f for f in findings(tmp_path) if "copies" in f.words]


def _copy_again(path: Path, to: Path) -> None:
    to.write_bytes(path.read_bytes())


def test_copies_between_products_are_told(tmp_path: Path) -> None:
    write_parts(tmp_path, "cup", train=50, test=3)
    write_parts(tmp_path, "plate", train=0, test=3)
    for i in range(50):
        write(tmp_path / f"plate/train/good/{i:03}.png", photograph(5000 + i))
    told = [f for f in findings(tmp_path) if "another product's" in f.words]
    assert [(f.product, len(f.paths)) for f in told] == [("plate", 6)]
