"""How a kept picture is named, and which of the files below a folder are ours.

``pictures/2026-11-21/<id>-picture.png``: one folder a day (UTC), the inspection's UUID, what it
shows. The picture of an OK part ends in ``-ok``, so that how long a file is kept stands in its
name and no database is asked. Whatever is named otherwise is nobody's to delete.
"""

import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path, PurePath, PurePosixPath
from typing import Final

from engine.types import InputError

PICTURES: Final = "pictures"
LEAST_FREE_BYTES: Final = 256 * 2**20
"""Below this no picture is saved, however small the disk: what is left belongs to the records."""
ENTRIES_A_PAUSE: Final = 50
_OURS: Final = re.compile(
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-(overlay|crop|picture|picture-ok)"
    r"\.(png|jpg)(\.part)?"
)


def room_needed(total: int, share: float, least: int = LEAST_FREE_BYTES) -> float:
    """The free bytes below which no picture is saved on a disk of ``total`` bytes."""
    return max(least, share * total)


def picture_disk(folder: Path) -> Path:
    """Where to ask for the room that pictures have: ``pictures`` may be a disk of its own.

    The database's folder, as long as no picture was ever kept.
    """
    pictures = folder / PICTURES
    return pictures if pictures.is_dir() else folder


class Tier(StrEnum):
    """How long a file is kept: what an OK part left, or what an NG or a FAULT did."""

    OK = "ok"
    NG = "ng"


@dataclass(frozen=True, slots=True)
class KeptFile:
    """One file of ours, and its size."""

    path: Path
    bytes: int


def picture_path(inspection_id: str, at: datetime, name: str, *, ok: bool, suffix: str) -> Path:
    """Where a picture lies, relative to the database's folder."""
    file = f"{inspection_id}-{name}{'-ok' if ok else ''}{suffix}"
    return Path(PurePosixPath(PICTURES, f"{at:%Y-%m-%d}", file))


def tier_of(name: str) -> Tier | None:
    """The tier of a file's name; None where the file is not ours."""
    found = _OURS.fullmatch(name)
    if found is None:
        return None
    return Tier.OK if found[2] == "picture-ok" else Tier.NG


def kept_as_ng(name: str) -> str:
    """The name that the picture of an OK part has where it is to be kept like an NG part's."""
    return name.replace("-picture-ok.", "-picture.")


def day_of(path: PurePath) -> date | None:
    """The day in the name of a picture's folder; None where that is no day."""
    try:
        day = date.fromisoformat(path.name)
    except ValueError:
        return None
    return day if path.name == day.isoformat() else None  # "20261121" is not how we write it


def kept_days(folder: Path) -> list[tuple[date, Path]]:
    """The day folders below the database's folder, oldest first; links are not followed.

    Empty where no picture was ever kept. :class:`InputError` where ``pictures`` is a link or
    cannot be read.
    """
    pictures = folder / PICTURES
    try:
        if pictures.is_symlink():
            raise InputError(f"{pictures} is a link: mount the other disk there instead.")
        with os.scandir(pictures) as entries:
            folders = [Path(one) for one in entries if one.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InputError(f"{pictures} cannot be read: {error.strerror}.") from error
    return sorted((day, path) for path in folders if (day := day_of(path)) is not None)


def kept_files(
    day: Path, tier: Tier, now: datetime, pause: Callable[[], object] = lambda: None
) -> Iterator[KeptFile]:
    """The files of one tier in a day's folder that ``now`` (UTC) does not precede.

    Plain files with a name of ours alone: a link, or what somebody laid beside them, stays. A
    folder may have a million: they are not held, and ``pause`` is called now and then. A file
    that is deleted meanwhile does no harm.
    """
    try:
        with os.scandir(day) as entries:
            for number, entry in enumerate(entries, 1):
                if number % ENTRIES_A_PAUSE == 0:
                    pause()
                if tier_of(entry.name) is not tier:
                    continue
                found = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(found.st_mode) and found.st_mtime <= now.timestamp():
                    yield KeptFile(Path(entry), found.st_size)
    except FileNotFoundError:  # taken away meanwhile
        return
    except OSError as error:
        raise InputError(f"{day} cannot be read: {error.strerror}.") from error
