"""Hears which folders' names were put on the disk itself, and which names they then had."""

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

Syncs: TypeAlias = list[tuple[str, list[str]]]
needs_sync = pytest.mark.skipif(os.name != "posix", reason="Windows syncs no folder")


def record_syncs(patch: pytest.MonkeyPatch, below: Path) -> Syncs:
    """The folders in ``below`` that are synced from now on, by their path from there."""
    seen: Syncs = []

    def record(folder: Path) -> None:
        name = folder.relative_to(below).as_posix()
        seen.append((name, sorted(path.name for path in folder.iterdir())))

    _on_each_sync(patch, below, record)
    return seen


def refuse_syncs(patch: pytest.MonkeyPatch, below: Path) -> None:
    """From now on the disk fails where a folder in ``below`` is to be synced."""

    def refuse(folder: Path) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(folder))

    _on_each_sync(patch, below, refuse)


def _on_each_sync(patch: pytest.MonkeyPatch, below: Path, do: Callable[[Path], None]) -> None:
    sync = os.fsync

    def synced(descriptor: int) -> None:
        sync(descriptor)
        seen = os.fstat(descriptor)
        if stat.S_ISDIR(seen.st_mode):
            folders = [below, *(path for path in below.rglob("*") if path.is_dir())]
            do(next(path for path in folders if path.stat().st_ino == seen.st_ino))

    patch.setattr(os, "fsync", synced)
