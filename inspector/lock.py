"""One station a folder: two writers of one database is what SQLite's log does not bear."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from engine.files import unwritable
from engine.types import InputError

LOCK: Final = "station.lock"


class TakenError(InputError):
    """Another station writes into the folder."""


@contextmanager
def alone_in(out: Path) -> Iterator[None]:
    """Hold the folder until the context ends; whoever is killed lets go of it, too.

    :class:`TakenError` where another station has it, :class:`InputError` where it cannot be
    written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = FileLock(out / LOCK, timeout=0)
        lock.acquire()
    except Timeout:
        raise TakenError(
            f"Another station writes into {out}: end it, or name another folder as out."
        ) from None
    except OSError as error:
        raise unwritable(out / LOCK, error) from error
    try:
        yield
    finally:
        lock.release()
