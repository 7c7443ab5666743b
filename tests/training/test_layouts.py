"""Data sets in every layout: what they hold, what is refused, and freezing one."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from unicodedata import normalize

import numpy as np
import pytest

from engine.types import InputError, UnknownProductError
from tests.training.micro import write_goods
from tests.training.photographs import (
    SIDE,
    as_btad,
    as_manifest,
    as_visa,
    call,
    findings,
    photograph,
    write,
    write_parts,
)
from training.datasets.dataset import Dataset, read_dataset, snapshot_sha256
from training.datasets.sample import Sample, load_mask


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


def test_defects_alone_can_be_tested_on_and_not_trained_on(tmp_path: Path) -> None:
    write_parts(tmp_path, train=4, test=2)
    for path in (tmp_path / "plate/test/good").iterdir():
        path.unlink()
    dataset = read_dataset(tmp_path)
    assert dataset.chosen([], "test") == ["plate"]
    for path in (tmp_path / "plate/train/good").iterdir():
        path.unlink()
    with pytest.raises(InputError, match="no product with good pictures"):
        read_dataset(tmp_path).chosen([])


def test_a_name_is_the_same_however_its_accents_are_stored(tmp_path: Path) -> None:
    stored, typed = (normalize(form, "Tür") for form in ("NFD", "NFC"))
    dataset = read_dataset(write_goods(tmp_path, stored))
    assert dataset.chosen([typed]) == dataset.chosen([stored]) == [stored]
    both = Dataset(tmp_path, "", tuple(Sample(tmp_path, x, "train") for x in (stored, typed)))
    assert both.chosen([]) == sorted([stored, typed])
    assert [both.chosen([x]) for x in (stored, typed)] == [[stored], [typed]]


@pytest.mark.skipif(sys.platform == "win32", reason="its names are Unicode")
def test_a_name_that_is_no_text_is_told(tmp_path: Path) -> None:
    home = write_goods(tmp_path, "Tuer") / "Tuer"
    home.rename(tmp_path / os.fsdecode(b"T\xfcr"))
    with pytest.raises(InputError, match=r"T\\udcfcr .* is no name in UTF-8: rename"):
        read_dataset(tmp_path)


def test_a_mask_of_another_size_is_refused(tmp_path: Path) -> None:
    write_parts(tmp_path, train=4, test=1)
    write(tmp_path / "plate/ground_truth/white spot/000_mask.png", np.full((10, 12), 255, np.uint8))
    sample = next(s for s in read_dataset(tmp_path).test("plate") if s.is_defective)
    with pytest.raises(InputError, match="is 12×10, its picture 96×96"):
        load_mask(sample, SIDE)


@pytest.mark.parametrize(
    ("values", "seen"),
    [
        (np.array([0, 255, 0], np.uint8), True),  # green, in any order of the channels
        (np.array([255, 0, 0, 0], np.uint8), True),  # blue and transparent
        (np.array([0, 0, 0, 255], np.uint8), False),
        (np.array(3, np.uint16), True),  # a label of few, in 16 bits
    ],
)
def test_a_mask_is_whatever_is_not_black(tmp_path: Path, values: np.ndarray, seen: bool) -> None:
    write_parts(tmp_path, train=4, test=1)
    mask = np.zeros((SIDE, SIDE, *values.shape), values.dtype)
    mask[10:20, 10:20] = values
    write(tmp_path / "plate/ground_truth/white spot/000_mask.png", mask)
    sample = next(s for s in read_dataset(tmp_path).test("plate") if s.is_defective)
    found = load_mask(sample, SIDE)
    assert found is not None
    assert found.sum() == 100 * seen


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


def test_a_table_that_excel_saved_is_told(tmp_path: Path) -> None:
    row = "path,product,split,label,mask\na.png,Tür,train,good,\n"
    (tmp_path / "manifest.csv").write_text(row, encoding="latin-1")
    with pytest.raises(InputError, match=r"manifest\.csv is not UTF-8 .*: save it as CSV UTF-8"):
        read_dataset(tmp_path)


def test_a_line_of_visas_table_that_is_cut_is_told(tmp_path: Path) -> None:
    as_visa(write_parts(tmp_path, train=4, test=1))
    with (tmp_path / "split_csv" / "1cls.csv").open("a", encoding="utf-8") as table:
        table.write("plate,train,normal")
    with pytest.raises(InputError, match=r"1cls\.csv, line 8, says nothing of image"):
        read_dataset(tmp_path)


def test_a_frozen_set_keeps_its_hash_and_notices_a_changed_picture(tmp_path: Path) -> None:
    write_parts(tmp_path, train=5, test=1)
    before = _hash(read_dataset(tmp_path))
    table = tmp_path / "elsewhere" / "manifest.csv"
    table.parent.mkdir()
    said = call("snapshot", tmp_path, "--out", table)
    assert said.exit_code == 0
    there = _hash(read_dataset(table.parent))  # pictures have other names as seen from there
    assert f"trained on all of them, from {table.parent}, names {there}." in said.stdout
    frozen = read_dataset(table.parent)
    assert len(frozen.samples) == 7
    assert all(len(s.sha256) == 64 for s in frozen.samples)
    as_manifest(tmp_path)
    assert _hash(read_dataset(tmp_path)) == before
    write(tmp_path / "plate/train/good/002.png", photograph(77))
    with pytest.raises(InputError, match=r"002\.png is not the file that manifest\.csv froze"):
        _hash(frozen)

    # Freezing again takes pictures as they are, and tells of those that the table leaves out.
    write(tmp_path / "plate/train/good/009.png", photograph(78))
    said = call("snapshot", tmp_path)
    assert said.exit_code == 0, said.output
    assert "1 of them are other files than were frozen before." in said.stdout
    assert "1 pictures in the folders are not in" in said.stdout
    assert _hash(read_dataset(tmp_path)) != before
    assert any("1 pictures are not in the manifest" in f.words for f in findings(tmp_path))
    (tmp_path / "manifest.csv").unlink()
    assert "8 pictures" in call("snapshot", tmp_path).stdout


def _hash(dataset: Dataset) -> str:
    return snapshot_sha256(dataset.train_goods(["plate"]), dataset.root)
