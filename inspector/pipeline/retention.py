"""Which pictures may go, in which order, and their going: files only, never rows.

By age: each tier after its days. For room: the oldest day's OK pictures, day by day, then those
of NG and FAULT. Never today's, and never anything from the future: a clock that was set back makes
today's pictures look like that. A clock that was set forward makes all of them look old; so a day
has aged only once :data:`WITNESSES` later days have pictures of their own.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Final, NoReturn, TypeAlias

from engine.types import InputError
from inspector.pipeline.kept import KeptFile, Tier, kept_days, kept_files
from inspector.pipeline.retired import note_retired, read_retired
from inspector.settings import PictureSettings

WITNESSES: Final = 3
"""A wrong date is noticed within so many days, before it costs a picture."""

BATCH: Final = 250
"""Files held at a time: a day of ten parts a second has a million."""

Pause: TypeAlias = Callable[[], object]
Skip: TypeAlias = Callable[[InputError], object]


def _no_pause() -> None:
    """For whoever has nothing else to do."""


def _refuse(error: InputError) -> NoReturn:
    """For whoever wants all of it, or nothing."""
    raise error


@dataclass(frozen=True, slots=True)
class Batch:
    """Some files of one day and tier that may go, :data:`BATCH` at most."""

    day: date
    tier: Tier
    files: tuple[KeptFile, ...]

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files)


@dataclass(frozen=True, slots=True)
class Gone:
    """What went: how many files, their bytes; ``stuck`` are those the disk did not let go."""

    files: int = 0
    bytes: int = 0
    stuck: int = 0

    def __add__(self, other: "Gone") -> "Gone":
        return Gone(self.files + other.files, self.bytes + other.bytes, self.stuck + other.stuck)


def keep_days(settings: PictureSettings) -> Mapping[Tier, int]:
    return {Tier.OK: settings.keep_ok_days, Tier.NG: settings.keep_ng_days}


def aged(
    folder: Path,
    keep: Mapping[Tier, int],
    now: datetime,
    pause: Pause = _no_pause,
    skip: Skip = _refuse,
) -> Iterator[Batch]:
    """What is older than its tier's days, oldest first; ``now`` is UTC.

    A day comes in as many batches as it has files for; ``pause`` is called now and then. A day
    whose folder cannot be read is told to ``skip``, and the others come all the same.
    """
    days_up_to_now = [(day, path) for day, path in kept_days(folder) if day <= now.date()]
    witnessed = days_up_to_now[: max(len(days_up_to_now) - WITNESSES, 0)]
    for tier, days in keep.items():
        for day, path in witnessed:
            if day < now.date() - timedelta(days=days):
                yield from _batches(day, kept_files(path, tier, now, pause), tier, skip)


def oldest(
    folder: Path, now: datetime, pause: Pause = _no_pause, skip: Skip = _refuse
) -> Iterator[Batch]:
    """What goes for room, in its order: all days of OK, then all days of NG and FAULT; the rest is
    as with :func:`aged`."""
    for tier in (Tier.OK, Tier.NG):
        for day, path in kept_days(folder):
            if day < now.date():
                yield from _batches(day, kept_files(path, tier, now, pause), tier, skip)


def retire(
    folder: Path,
    batch: Batch,
    why: str,
    now: datetime,
    go_on: Callable[[], bool] = lambda: True,
) -> Gone:
    """Delete a batch, announced in the note first; ``go_on`` is asked before each file.

    :class:`InputError` where the note cannot be written; then nothing was deleted.
    """
    if (batch.day, batch.tier) not in read_retired(folder):
        note_retired(folder, batch.day, batch.tier, why, now)
    gone = Gone()
    for file in batch.files:
        if not go_on():
            return gone
        gone += _delete(file)
    _remove_if_empty(batch.files[0].path.parent)
    return gone


def _batches(day: date, files: Iterator[KeptFile], tier: Tier, skip: Skip) -> Iterator[Batch]:
    try:
        while some := tuple(islice(files, BATCH)):
            yield Batch(day, tier, some)
    except InputError as error:  # of this day's folder alone
        skip(error)


def _delete(file: KeptFile) -> Gone:
    try:
        file.path.unlink()
    except FileNotFoundError:  # somebody else's retention was faster
        return Gone()
    except OSError:  # open on Windows, read-only folder: the next round tries again
        return Gone(stuck=1)
    return Gone(1, file.bytes)


def _remove_if_empty(day: Path) -> None:
    try:
        day.rmdir()
    except OSError:  # not empty: the other tier's, or somebody else's files
        return
