"""A file is written whole or not at all, and known by what it holds."""

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile

from engine.types import InputError


@contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """A ``.part`` sibling to write, renamed to ``target`` at the end, removed after an error.

    A full or read-only disk, or no file's name, is an :class:`InputError` that names it.
    """
    if not target.name:  # ".", "/", a drive
        raise InputError(f"{target} names no file: name one in it.")
    part = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield part
        part.replace(target)
    except OSError as error:
        raise unwritable(target, error) from error
    finally:
        with suppress(OSError):  # none there, or stuck on the disk that the first error tells of
            part.unlink()


def sync_names(folder: Path) -> None:
    """Have the names in ``folder`` on the disk itself, as ``os.fsync`` has what a file holds.

    After a power cut a file that was synced, then renamed, may have its old name again, and a new
    file none (fsync(2)). :class:`InputError` where the disk refuses.
    """
    if os.name == "nt":
        return  # Windows syncs no folder: NTFS logs changes of names by itself, in their order
    try:
        _sync(folder)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a file system without this call has no more to give
            raise unwritable(folder, error) from error


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def unwritable(target: Path, error: OSError) -> InputError:
    """The sentence for what the disk refuses."""
    reason = error.strerror or error
    return InputError(f"{target} cannot be written: {reason}; make room or name another folder.")


def ready_folder(folder: Path) -> None:
    """Make it where it is not there; :class:`InputError` where nothing can be written to it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(
            f"Nothing can be written to {folder}: {error.strerror}; name another folder."
        ) from error


def sha256_of(path: Path) -> str:
    """Of the file's bytes; :class:`InputError` where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
