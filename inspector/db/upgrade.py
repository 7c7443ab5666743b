"""Bring a database to this program's schema by hand, before a station does it by itself."""

from dataclasses import dataclass
from pathlib import Path

from engine.types import InputError
from inspector.db.errors import explained
from inspector.db.files import is_there
from inspector.db.migrate import before_migration, look, newest_revision
from inspector.db.writer import writing
from inspector.lock import alone_in


@dataclass(frozen=True, slots=True)
class Upgraded:
    """The revision found (None: it was empty), the one there is now, and the copy made before."""

    name: str
    found: str | None
    now: str
    copy: Path | None = None

    def __str__(self) -> str:
        if self.found == self.now:
            return f"{self.name}: schema {self.now}, up to date."
        kept = "" if self.copy is None else f"; what was there is {self.copy}"
        return f"{self.name}: schema {self.found or 'none'} → {self.now}{kept}."


def upgrade_file(path: Path) -> Upgraded:
    """Migrate a station's file; :class:`InputError` where there is none, which is a misspelt path:
    a station makes its own. :class:`inspector.lock.TakenError` where a station runs in its folder,
    unless there is nothing to migrate."""
    if not is_there(path):
        raise InputError(f"There is no database at {path}: name the file.")
    with explained(path):
        found = look(path)
    now = newest_revision()
    if found != now:
        with alone_in(path.parent), explained(path), writing(path):
            pass
    copied = found is not None and found != now
    return Upgraded(str(path), found, now, before_migration(path, now) if copied else None)
