"""Retention while the station runs: on a thread of its own, so that no verdict waits for it.

It deletes a few files, then rests, so that the disk is the station's; it stops between two files.
"""

import shutil
from collections.abc import Callable, Iterator, Set
from datetime import datetime
from enum import IntEnum
from itertools import takewhile
from pathlib import Path
from threading import Event
from typing import Final, Protocol

from engine.types import KnownError
from inspector.beside import Beside
from inspector.clock import utc_now
from inspector.pipeline.events import EventCode, StationEvent
from inspector.pipeline.kept import LEAST_FREE_BYTES, picture_disk
from inspector.pipeline.retention import Batch, Gone, Skip, aged, keep_days, oldest, retire
from inspector.pipeline.retired import keep_reserve
from inspector.settings import PictureSettings

EVERY_S: Final = 600.0
FILES_A_REST: Final = 5
REST_S: Final = 0.005  # after so many files, or names looked at: the thread is mostly at rest
LOW_FOR_RECORDS_BYTES: Final = 2 * 2**30
"""Eighteen hours of rows at ten parts a second, a quarter of them defective (3.2 KB each)."""
PATIENCE_S: Final = 10.0  # for the file that is being deleted when the station stops


class DiskSpace(Protocol):
    """What :func:`shutil.disk_usage` gives, in bytes."""

    @property
    def total(self) -> int: ...

    @property
    def free(self) -> int: ...


class _Room(IntEnum):
    """How much room the disk has, after the old pictures went."""

    ENOUGH = 0
    SCARCE = 1
    NONE = 2


class Retention(Beside):
    """Deletes what is too old below ``folder``, and the oldest where their disk is nearly full.

    ``say`` is called on its thread, with PICTURES_RETIRED after each round that deleted something,
    DISK_LOW when room became less, for pictures or, where these have a disk of their own, for
    records, and ERROR_RAISED for a folder that cannot be read or written, or where nothing is
    deleted any more. A day that cannot be read keeps no other from going. The rules are those of
    ``settings``; ``usage`` gives the space of the disk on which a folder lies.
    """

    def __init__(
        self,
        folder: Path,
        settings: PictureSettings,
        say: Callable[[StationEvent], None],
        *,
        clock: Callable[[], datetime] = utc_now,
        usage: Callable[[Path], DiskSpace] = shutil.disk_usage,
        every_s: float = EVERY_S,
        rest_s: float = REST_S,
        least_bytes: int = LEAST_FREE_BYTES,
    ) -> None:
        super().__init__("retention", self._keep_tidy, self._fell, PATIENCE_S)
        self._folder, self._settings, self._say = folder, settings, say
        self._clock, self._usage = clock, usage
        self._every_s, self._rest_s = every_s, rest_s
        self._least_bytes = least_bytes
        self._files = 0
        self._room = _Room.ENOUGH
        self._records_are_low = False
        self._complaints: Set[str] = frozenset()

    def tidy(self) -> Gone:
        """One round, on the caller's thread: by age, then for room; says what happened."""
        now, gone, wrong = self._clock(), Gone(), set[str]()
        try:
            for batch, why in self._due(now, lambda error: wrong.add(str(error))):
                if self._over.is_set():
                    break
                gone += retire(self._folder, batch, why, now, self._go_on)
            if not self._over.is_set():  # else it does not know what is left to delete
                self._note_room(now)
                self._note_room_of_records(now)
                keep_reserve(self._folder)
        except (KnownError, OSError) as error:  # the disk's; the next round tries again
            wrong.add(str(error))
        self._complain(wrong, now)
        if gone.files:
            self._say_gone(gone, now)
        return gone

    def _keep_tidy(self, over: Event) -> None:
        while not over.is_set():
            self.tidy()
            over.wait(self._every_s)

    def _fell(self, error: BaseException) -> None:
        text = f"Old pictures are deleted no more: {type(error).__name__}: {error}"
        self._complain({text}, self._clock())

    def _due(self, now: datetime, skip: Skip) -> Iterator[tuple[Batch, str]]:
        """What goes, and why: the aged, then the oldest as long as too much of the disk is used,
        which is asked before each batch."""
        for batch in aged(self._folder, keep_days(self._settings), now, self._rest, skip):
            yield batch, "age"
        batches = oldest(self._folder, now, self._rest, skip)
        for batch in takewhile(lambda _: self._is_full(), batches):
            yield batch, "room"

    def _go_on(self) -> bool:
        self._files += 1
        if self._files % FILES_A_REST == 0:
            self._rest()
        return not self._over.is_set()

    def _rest(self) -> None:
        self._over.wait(self._rest_s)

    def _is_full(self) -> bool:
        space = self._space()
        return space.total - space.free > self._settings.most_used * space.total

    def _space(self) -> DiskSpace:
        return self._usage(picture_disk(self._folder))

    def _note_room(self, now: datetime) -> None:
        """Say it once a run when room becomes less; more room is said by nobody."""
        space = self._space()
        room = _Room.SCARCE if self._is_full() else _Room.ENOUGH
        if space.free < max(self._least_bytes, self._settings.least_free * space.total):
            room = _Room.NONE
        if room > self._room:
            self._say(_disk_low(picture_disk(self._folder), room, space, now))
        self._room = room

    def _note_room_of_records(self, now: datetime) -> None:
        """Where the pictures' disk is another, nothing said of that one warns of this."""
        free = self._usage(self._folder).free
        apart = self._folder.stat().st_dev != picture_disk(self._folder).stat().st_dev
        low = apart and free < LOW_FOR_RECORDS_BYTES
        if low and not self._records_are_low:
            left = f"The disk of {self._folder} has {free / 2**30:.1f} GB left for records"
            text = f"{left}: free some space."
            self._say(StationEvent(EventCode.DISK_LOW, now, text, {"free_bytes": free}))
        self._records_are_low = low

    def _complain(self, wrong: Set[str], now: datetime) -> None:
        """What the round before has not said already."""
        for text in sorted(wrong - self._complaints):
            self._say(StationEvent(EventCode.ERROR_RAISED, now, text))
        self._complaints = wrong

    def _say_gone(self, gone: Gone, now: datetime) -> None:
        text = f"{gone.files} old pictures were deleted, {gone.bytes / 2**20:.0f} MB."
        details = {"files": gone.files, "bytes": gone.bytes, "stuck": gone.stuck}
        self._say(StationEvent(EventCode.PICTURES_RETIRED, now, text, details))


def _disk_low(folder: Path, room: _Room, space: DiskSpace, now: datetime) -> StationEvent:
    left = f"The disk of {folder} has {space.free / 2**30:.1f} GB left"
    text = {
        _Room.SCARCE: f"{left}, and no older pictures to delete: free some space.",
        _Room.NONE: f"{left}: pictures are no longer saved, records are. Free some space.",
    }[room]
    return StationEvent(EventCode.DISK_LOW, now, text, {"free_bytes": space.free})
