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
from training.datasets.copies import fingerprint, near_copies


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
