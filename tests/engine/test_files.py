"""Whole or not at all, and one sentence whatever the disk does."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.files import sync_names, whole_file
from engine.types import InputError


def _fill(target: Path, text: str = "new") -> None:
    with whole_file(target) as part, part.open("w", encoding="utf-8") as file:
        file.write(text)


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    target = tmp_path / "folder" / "file.txt"
    _fill(target, "old")
    _fill(target)
    assert [path.name for path in target.parent.iterdir()] == ["file.txt"]
    assert target.read_text() == "new"


def test_an_error_half_way_leaves_the_old_file_and_no_part(tmp_path: Path) -> None:
    target = tmp_path / "file.txt"
    _fill(target, "old")
    with pytest.raises(UnicodeEncodeError):
        _fill(target, "half \ud800")
    assert [path.name for path in tmp_path.iterdir()] == ["file.txt"]
    assert target.read_text() == "old"


def test_a_parent_that_is_a_file_is_told_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"):
        _fill(tmp_path / "file" / "below")


@pytest.mark.parametrize("name", [".", "/"])
def test_what_names_no_file_is_told(name: str) -> None:
    with pytest.raises(InputError, match="names no file"):
        _fill(Path(name))


def test_a_clean_up_that_fails_does_not_hide_why_it_was_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refuse)
    (tmp_path / "file" / "in the way").mkdir(parents=True)
    with pytest.raises(InputError, match="cannot be written"):
        _fill(tmp_path / "file")


def _fails(number: int) -> Callable[[int], None]:
    def fsync(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    return fsync


@pytest.mark.skipif(os.name != "posix", reason="Windows syncs no folder")
def test_names_that_the_disk_does_not_take_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync_names(tmp_path)
    monkeypatch.setattr(os, "fsync", _fails(errno.EIO))
    with pytest.raises(InputError, match="cannot be written"):
        sync_names(tmp_path)
    with pytest.raises(InputError, match="cannot be written"):
        sync_names(tmp_path / "gone")


@pytest.mark.skipif(os.name != "posix", reason="Windows syncs no folder")
def test_a_file_system_that_syncs_no_folder_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", _fails(errno.EINVAL))
    sync_names(tmp_path)
