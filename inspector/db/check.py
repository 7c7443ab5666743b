"""What `inspector db check` looks for: damage, gaps, and pictures that rows name and nobody has."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, and_, func, or_, select, true

from inspector.db.errors import explained, one_line
from inspector.db.reading import reading
from inspector.db.tables import InspectionRow, RecipeVersionRow
from inspector.pipeline.retired import read_retired, was_retired

MOST_DAMAGE: Final = 20
"""How many of SQLite's own complaints are worth reading."""

Look = Callable[[Connection], Iterator[str]]


@dataclass(frozen=True, slots=True)
class Findings:
    """What is wrong, a sentence each; ``missing`` are picture files, relative to the database."""

    sentences: Sequence[str]
    missing: Sequence[Path]

    def __bool__(self) -> bool:
        return bool(self.sentences or self.missing)


def check(path: Path, pictures_since: datetime | None = None) -> Findings:
    """Read a whole database; :class:`engine.types.DatabaseError` where it cannot be opened at all,
    or is not of this program's schema.

    Pictures that retention has taken, as its note says, are not missing. From ``pictures_since``
    on: those of older rows are not looked for.
    """
    looks: tuple[Look, ...] = (_damage, _broken_keys, _gaps, _changed_recipes)
    with reading(path) as engine, explained(path), engine.begin() as connection:
        sentences = [sentence for look in looks for sentence in look(connection)]
        missing = list(_missing_pictures(connection, path.parent, pictures_since))
    return Findings(sentences, missing)


def _damage(connection: Connection) -> Iterator[str]:
    """SQLite's whole integrity_check: pages, indexes against their tables, CHECKs."""
    for (said,) in connection.exec_driver_sql(f"PRAGMA integrity_check({MOST_DAMAGE})"):
        if said != "ok":
            yield f"SQLite finds damage: {one_line(said)}"


def _broken_keys(connection: Connection) -> Iterator[str]:
    for table, row, target, _ in connection.exec_driver_sql("PRAGMA foreign_key_check"):
        yield f"Row {row} of {table} names a row of {target} that is not there."


def _gaps(connection: Connection) -> Iterator[str]:
    """The counters reconcile: each run's parts are numbered 1, 2, … without gap."""
    row = InspectionRow
    count, first, last = func.count(), func.min(row.sequence), func.max(row.sequence)
    query = select(row.run_id, count, first, last).group_by(row.run_id)
    uneven = query.having(or_(first != 1, last != count)).order_by(row.run_id)
    for run_id, found, begins, ends in connection.execute(uneven):
        yield f"Run {run_id} has {found} parts, numbered {begins} to {ends}."


def _changed_recipes(connection: Connection) -> Iterator[str]:
    kept = select(RecipeVersionRow.sha256, RecipeVersionRow.recipe)
    for name, recipe in connection.execute(kept):
        if recipe is not None and sha256(str(recipe).encode()).hexdigest() != name:
            yield f"The text of recipe version {name} is not the one that has this hash."


def _missing_pictures(
    connection: Connection, folder: Path, since: datetime | None
) -> Iterator[Path]:
    row = InspectionRow
    columns = (row.overlay, row.crop, row.picture)
    recent = true() if since is None else row.inspected_at >= since
    named = or_(*(column.is_not(None) for column in columns))
    retired = read_retired(folder)
    for paths in connection.execute(select(*columns).where(and_(named, recent))):
        gone = (Path(str(each)) for each in paths if each and not _is_there(folder, each))
        yield from (each for each in gone if not was_retired(each, retired))


def _is_there(folder: Path, picture: object) -> bool:
    """A row may have been edited to name anything: also what no disk has, or takes for a name."""
    try:
        return (folder / str(picture)).is_file()
    except OSError:
        return False
