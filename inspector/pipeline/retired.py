"""The note of what retention took: ``pictures/retired.jsonl``, one line a day and tier.

Rows stay for ever and go on naming their pictures. A file that is missing is explained where the
note has its day and tier, and is damage where it has not. The line is on disk before the first
file goes: whoever is killed in the middle has announced more than was done, never less.
"""

import errno
import json
import os
from collections.abc import Set
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path, PurePath
from typing import Final, TypeAlias

from engine.files import sync_names, unwritable, whole_file
from engine.types import InputError
from inspector.pipeline.kept import PICTURES, Tier, day_of, tier_of

NOTE: Final = "retired.jsonl"
RESERVE: Final = "retired.reserve"
RESERVE_BYTES: Final = 2**16
_NO_ROOM: Final = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))  # not all have quotas
Retired: TypeAlias = Set[tuple[date, Tier]]


def read_retired(folder: Path) -> Retired:
    """Every day and tier that retention began to take from below the database's ``folder``.

    A line cut short by a power loss is no line: its files were not touched yet.
    """
    note = folder / PICTURES / NOTE
    try:
        lines = note.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return frozenset()
    except OSError as error:
        raise InputError(f"{note} cannot be read: {error.strerror}.") from error
    return frozenset(said for line in lines if (said := _said(line)) is not None)


def was_retired(picture: PurePath, retired: Retired) -> bool:
    """Whether a row's picture, as the row names it, is one that retention announced to take."""
    day, tier = day_of(picture.parent), tier_of(picture.name)
    return day is not None and tier is not None and (day, tier) in retired


def note_retired(folder: Path, day: date, tier: Tier, why: str, at: datetime) -> None:
    """Announce that a day's pictures of a tier go; durable on return.

    A full disk gets the room that :func:`keep_reserve` has put by. :class:`InputError` where it
    cannot be written: then nothing may be deleted.
    """
    note = folder / PICTURES / NOTE
    line = json.dumps({"day": day.isoformat(), "tier": tier, "why": why, "at": at.isoformat()})
    try:
        try:
            _append(note, line)
        except OSError as error:
            if error.errno not in _NO_ROOM or not _give_up(note.with_name(RESERVE)):
                raise
            _append(note, line)
    except OSError as error:
        raise unwritable(note, error) from error
    sync_names(note.parent)  # it may be new


def keep_reserve(folder: Path) -> None:
    """Put a little room by: else no line fits on a full disk, and nothing could be deleted there.

    Where there are no pictures there is none, and where the disk is full already.
    """
    reserve = folder / PICTURES / RESERVE
    with suppress(InputError, OSError):
        if reserve.parent.is_dir() and not reserve.exists():
            with whole_file(reserve) as part:
                part.write_bytes(bytes(RESERVE_BYTES))


def _append(note: Path, line: str) -> None:
    with note.open("ab+") as file:
        file.write(_cut_short(file.seek(0, os.SEEK_END), note) + line.encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _give_up(reserve: Path) -> bool:
    """Whether there was one."""
    try:
        reserve.unlink()
    except FileNotFoundError:
        return False
    return True


def _cut_short(length: int, note: Path) -> bytes:
    """A line end, where the last writer was stopped before its own."""
    with note.open("rb") as file:
        file.seek(max(length - 1, 0))
        return b"\n" if file.read(1) not in (b"", b"\n") else b""


def _said(line: str) -> tuple[date, Tier] | None:
    try:
        said = json.loads(line)
        return date.fromisoformat(said["day"]), Tier(said["tier"])
    except (ValueError, KeyError, TypeError):
        return None
