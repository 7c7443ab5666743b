"""Folders that are written whole and checked whole: what bundles and plans have in common.

A sealed folder lists the SHA-256 of each of its files in ``SHA256SUMS`` (the format of
``sha256sum``), so that a copy which lost, gained or changed a byte is refused by name. Beside it
may lie ``SHA256SUMS.sig``, which says who sealed it (:mod:`engine.signature`).
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.files import sha256_of
from engine.types import BundleError, InputError

SUMS = "SHA256SUMS"
SIGNATURE = "SHA256SUMS.sig"


def seal(folder: Path) -> str:
    """Write ``SHA256SUMS`` for every file below ``folder``; returns the seal."""
    lines = [f"{sha256_of(folder / name)}  {name}\n" for name in _names(folder)]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8", newline="\n")
    return sha256_of(folder / SUMS)


def verify(folder: Path, kind: str, mend: str) -> str:
    """Check every file of ``folder`` against its sums; returns the seal, the sums' own SHA-256.

    ``kind`` ("bundle", "plan") and ``mend`` (what to do) complete the one sentence of the
    :class:`BundleError` that names the first file missing, edited or not listed.
    """
    if not (folder / SUMS).is_file():
        raise BundleError(f"There is no {kind} at {folder}: it has no {SUMS}; {mend}.")
    listed, found = _read_sums(folder, kind, mend), _names(folder)
    for name in sorted(listed.keys() - set(found)):
        raise BundleError(f"The {kind} {folder} lacks its file {name}: {mend}.")
    for name in sorted(set(found) - listed.keys()):
        raise BundleError(
            f"The {kind} {folder} holds {name}, which is not part of it: take that file out, or "
            f"{mend}."
        )
    for name, digest in listed.items():
        if not _is_intact(folder / name, digest):
            raise BundleError(
                f"The {kind} {folder} has a truncated, edited or unreadable file, {name}: {mend}."
            )
    return sha256_of(folder / SUMS)


@contextmanager
def whole_folder(target: Path, *, overwrite: bool, marker: str) -> Iterator[Path]:
    """A :func:`new_folder` that is sealed at its end."""
    with new_folder(target, overwrite, marker) as new:
        yield new
        seal(new)


@contextmanager
def new_folder(target: Path, overwrite: bool, marker: str) -> Iterator[Path]:
    """A temporary sibling of ``target`` to fill; renamed at the end, or removed.

    An existing target is replaced only if ``overwrite`` is true and it is sealed and of the same
    kind, which its file ``marker`` tells; otherwise :class:`InputError`, as for a disk that is
    full or read-only.
    """
    _may_write(target, overwrite, marker)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as temporary:
            new, old = Path(temporary) / "new", Path(temporary) / "old"
            new.mkdir()
            yield new
            if target.exists():
                target.replace(old)
            new.replace(target)
    except OSError as error:
        raise InputError(
            f"{target} cannot be written: {error.strerror}; make room or name another folder."
        ) from error


def _may_write(target: Path, overwrite: bool, marker: str) -> None:
    if not target.exists():
        return
    if target.is_dir() and not any(target.iterdir()):
        target.rmdir()  # somebody made room: that is no content to protect
    elif not ((target / SUMS).is_file() and (target / marker).is_file()):
        raise InputError(
            f"{target} exists and holds something else than {marker}: name another folder."
        )
    elif not overwrite:
        raise InputError(f"{target} exists already: name another folder, or ask to overwrite it.")


def _read_sums(folder: Path, kind: str, mend: str) -> dict[str, str]:
    text = (folder / SUMS).read_text(encoding="utf-8", errors="replace")
    pairs = [line.split("  ", 1) for line in text.splitlines()]
    if not pairs or any(len(pair) != 2 for pair in pairs):
        raise BundleError(f"The {kind} {folder} has an unreadable {SUMS}: {mend}.")
    return {name: digest for digest, name in pairs}


def _names(folder: Path) -> list[str]:
    files = (path for path in folder.rglob("*") if not path.is_dir())
    names = {path.relative_to(folder).as_posix() for path in files}
    return sorted(names - {SUMS, SIGNATURE})


def _is_intact(path: Path, digest: str) -> bool:
    try:
        return sha256_of(path) == digest
    except InputError:  # a bad sector, a link to nowhere: as good as edited
        return False
