"""What a person says of a part later: a row of its own, and an entry of the audit trail.

The station's verdict stays as it was. The picture of an OK part that a person doubts is the one
that somebody will want to see: it gets the name of an NG part's, and so its days.
"""

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

from sqlalchemy import Connection, func, insert, select, update

from engine.files import sync_names, whole_file
from engine.types import InputError
from inspector.db.audit import Action, Change
from inspector.db.chain import Entry
from inspector.db.changes import Changes
from inspector.db.errors import explained
from inspector.db.reading import reading
from inspector.db.side_tables import ReviewRow
from inspector.db.tables import InspectionRow
from inspector.people.roles import Permission
from inspector.people.session import Session
from inspector.pipeline.ids import uuid7_ids
from inspector.pipeline.kept import Tier, kept_as_ng, tier_of
from inspector.texts import storable


class Opinion(StrEnum):
    """What a person may say of a part."""

    OK = "OK"
    NG = "NG"
    UNSURE = "UNSURE"


@dataclass(frozen=True, slots=True)
class Word:
    """What counts for a part by now, who said it, and its picture as its row has it."""

    verdict: str
    who: str
    picture: str | None

    def __str__(self) -> str:
        return f"{self.verdict} by {self.who}"


def last_word(path: Path, inspection_id: str) -> Word:
    """The last review of a part, or what the station said of it; :class:`InputError` where the
    database at ``path`` has no such part."""
    with reading(path) as engine, explained(path), engine.begin() as connection:
        return _last_word(connection, path, inspection_id)


def review_part(
    changes: Changes, session: Session, inspection_id: str, opinion: Opinion, note: str
) -> Entry:
    """Write a review by the person of ``session``; the database's folder holds the pictures.

    :class:`engine.types.AccessError` where the person may not, :class:`InputError` for a part that
    there is not, a ``note`` that the trail does not take, or a picture that cannot be kept. In each
    case nothing is written.
    """
    session.require(Permission.REVIEW)
    moved: tuple[str, str] | None = None
    if opinion is not Opinion.OK:
        moved = _kept_longer(changes.path.parent, last_word(changes.path, inspection_id).picture)

    def perform(connection: Connection) -> Change:
        before = _last_word(connection, changes.path, inspection_id)
        after = Word(opinion, session.person.name, None)
        _insert(connection, changes, inspection_id, after, note)
        if moved is not None:
            _rename(connection, inspection_id, *moved)
        about = f"inspection {inspection_id}"
        return Change(Action.PART_REVIEWED, about, str(before), str(after), note or None)

    entry = changes.make(session, Permission.REVIEW, perform)
    if moved is not None:
        with suppress(OSError):  # open elsewhere: it goes with the days of OK parts
            (changes.path.parent / moved[0]).unlink()
    return entry


def _last_word(connection: Connection, path: Path, inspection_id: str) -> Word:
    part, said = InspectionRow, ReviewRow
    wanted = select(part.verdict, part.picture).where(part.id == storable(inspection_id))
    found = connection.execute(wanted).first()
    if found is None:
        raise InputError(f"The database {path} has no inspection {inspection_id!r}.")
    reviews = select(said.verdict, said.who).where(said.inspection_id == inspection_id)
    newest = connection.execute(reviews.order_by(said.at.desc(), said.id.desc()).limit(1)).first()
    verdict, who = (found.verdict, "the station") if newest is None else newest
    return Word(verdict, who, found.picture)


def _insert(
    connection: Connection, changes: Changes, inspection_id: str, word: Word, note: str
) -> None:
    at = _moment(connection, inspection_id, changes.clock())
    row = {"id": uuid7_ids()(), "inspection_id": inspection_id, "at": at}
    said = {"who": word.who, "verdict": word.verdict, "comment": note}
    connection.execute(insert(ReviewRow).values(**row, **said))


def _moment(connection: Connection, inspection_id: str, now: datetime) -> datetime:
    """Now, or just after the last word on a part: a clock that was ahead at that one, and has been
    set right, is not to keep all later words from being the last."""
    before = select(func.max(ReviewRow.at)).where(ReviewRow.inspection_id == inspection_id)
    last = connection.scalar(before)
    return now if last is None else max(now, last + timedelta(microseconds=1))


def _kept_longer(folder: Path, picture: str | None) -> tuple[str, str] | None:
    """A copy of an OK part's picture that is kept like an NG part's: the old name and the new one.

    None where there is none to keep. A copy that no row comes to name goes with its days.
    """
    old = None if picture is None else Path(picture)
    if old is None or tier_of(old.name) is not Tier.OK or not (folder / old).is_file():
        return None
    new = old.with_name(kept_as_ng(old.name))
    with whole_file(folder / new) as part:
        shutil.copyfile(folder / old, part)
        with part.open("rb+") as file:
            os.fsync(file.fileno())  # on the disk itself: a row is about to name it
    sync_names((folder / new).parent)
    return old.as_posix(), new.as_posix()


def _rename(connection: Connection, inspection_id: str, old: str, new: str) -> None:
    row = InspectionRow
    named = update(row).where(row.id == inspection_id, row.picture == old)
    connection.execute(named.values(picture=new))
