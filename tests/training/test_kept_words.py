from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from engine.types import InputError
from training.kept_words import KeptEncoder
from training.prompts import HashEncoder, build_table

MADE: list[str] = []


@pytest.fixture(autouse=True)
def _none_made() -> None:
    MADE.clear()


def _kept(folder: Path, source: str = "a1") -> KeptEncoder:
    def make() -> HashEncoder:
        MADE.append(source)
        return HashEncoder(16)

    return KeptEncoder(make, "clip", "a note", source, folder)


def _said(encoder: KeptEncoder, *sentences: str) -> np.ndarray:
    rows: Sequence[str] = sentences
    return encoder(rows)


def test_a_model_is_made_once_for_the_same_words(tmp_path: Path) -> None:
    first = build_table(["gear"], _kept(tmp_path))
    assert MADE == ["a1"]
    again = build_table(["gear"], _kept(tmp_path))
    assert MADE == ["a1"]
    np.testing.assert_array_equal(again.embeddings, first.embeddings)
    assert (again.encoder, again.note) == ("clip", "a note")


def test_other_words_or_other_weights_are_embedded_anew(tmp_path: Path) -> None:
    one = _said(_kept(tmp_path), "a gear")
    assert not np.array_equal(_said(_kept(tmp_path), "a nut"), one)
    _said(_kept(tmp_path, "b2"), "a gear")
    assert MADE == ["a1", "a1", "b2"]


@pytest.mark.parametrize("damage", [b"", b"no array", b"\x93NUMPY\x01\x00"])
def test_a_damaged_answer_is_made_again(tmp_path: Path, damage: bytes) -> None:
    whole = _said(_kept(tmp_path), "a gear")
    (path,) = tmp_path.iterdir()
    path.write_bytes(damage)
    np.testing.assert_array_equal(_said(_kept(tmp_path), "a gear"), whole)
    np.testing.assert_array_equal(np.load(path), whole)


def test_where_no_folder_can_be_made_nothing_is_kept_and_words_are_embedded(
    tmp_path: Path,
) -> None:
    (tmp_path / "home").write_text("no folder")
    encoder = _kept(tmp_path / "home" / "words")
    whole = _said(_kept(tmp_path / "words"), "a gear")
    for _ in range(2):
        np.testing.assert_array_equal(_said(encoder, "a gear"), whole)
    assert MADE == ["a1", "a1"]
    assert (tmp_path / "home").read_text() == "no folder"


def test_an_answer_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    whole = _said(_kept(tmp_path), "a gear")
    (path,) = tmp_path.iterdir()
    path.unlink()
    path.mkdir()  # no file can take its place
    np.testing.assert_array_equal(_said(_kept(tmp_path), "a gear"), whole)
    assert list(tmp_path.iterdir()) == [path]


def test_an_encoder_that_fails_is_not_passed_over(tmp_path: Path) -> None:
    def make() -> HashEncoder:
        raise InputError("no such model")

    with pytest.raises(InputError, match="no such model"):
        _said(KeptEncoder(make, "clip", "a note", "a1", tmp_path), "a gear")
