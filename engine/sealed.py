"""Folders that are written whole and checked whole: what bundles and plans have in common.

A sealed folder lists the SHA-256 of each of its files in ``SHA256SUMS`` (the format of
``sha256sum``), so that a copy which lost, gained or changed a byte is refused by name. Beside it
may lie ``SHA256SUMS.sig``, which says who sealed it (:mod:`engine.signature`).
"""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from engine.files import sha256_of, unwritable
from engine.types import BundleError, InputError

SUMS = "SHA256SUMS"
SIGNATURE = "SHA256SUMS.sig"
MARKERS: Mapping[str, str] = {"bundle": "manifest.json", "plan": "plan.json"}
"""The file that tells of which kind a sealed folder is."""


def seal(folder: Path) -> str:
    """Write ``SHA256SUMS`` for every file below ``folder``; returns the seal."""
    lines = [f"{sha256_of(folder / name)}  {name}\n" for name in _names(folder)]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8", newline="\n")
    return sha256_of(folder / SUMS)


def verify(folder: Path, kind: str, mend: str) -> str:
    """Check every file of ``folder`` against its sums; returns the seal, the sums' own SHA-256.

    ``kind`` ("bundle", "plan") and ``mend`` (what to do) complete the one sentence of the
    :class:`BundleError` that names the first file missing, edited or not listed;
    :class:`InputError` where the folder may not be looked into, or its name is too long to be one.
    """
    try:
        if not (folder / SUMS).is_file():
            raise BundleError(f"There is no {kind} at {folder}: it has no {SUMS}; {mend}.")
        listed, found = _read_sums(folder, kind, mend), _names(folder)
    except OSError as error:
        raise InputError(
            f"The {kind} {folder} cannot be read: {error.strerror}; make it readable, or name "
            "another folder."
        ) from error
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
def content_of(path: Path, mend: str) -> Iterator[None]:
    """To read a file whose sum is right; :class:`BundleError` where its content is not.

    It may have been made to be wrong, and there is no list of what numpy, zipfile, protobuf and
    onnx raise then.
    """
    try:
        yield
    except Exception as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise BundleError(f"{path} is not usable ({reason}): {mend}.") from error


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
    full or read-only, or a target in a bundle or plan.
    """
    try:
        _may_write(target, overwrite, marker)
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as temporary:
            new = Path(temporary) / "new"
            new.mkdir()
            yield new
            _put(new, target)
    except OSError as error:
        raise unwritable(target, error) from error


def require_place(file: Path, *, overwrite: bool) -> None:
    """:class:`InputError` where ``file`` cannot be written: it is a folder, lies in a bundle or
    plan, or is there already and ``overwrite`` is false."""
    require_unsealed(file.parent)
    try:
        if file.is_dir():
            raise InputError(f"{file} is a folder: name a file in it.")
        if file.exists() and not overwrite:
            raise InputError(f"{file} exists already: name another file, or ask to overwrite it.")
    except OSError as error:
        raise unwritable(file, error) from error


def require_unsealed(folder: Path) -> None:
    """:class:`InputError` where ``folder`` is a bundle or plan, or lies in one: whatever were put
    there would break its seal."""
    home = folder.resolve()
    for place in (home, *home.parents):
        if kind := _kind(place):
            raise InputError(
                f"What is put into {folder} would lie in the {kind} itself ({place}), and break "
                "it: name another folder."
            )


def _put(new: Path, target: Path) -> None:
    """``new`` in the target's place; what stood there is removed only once that is done.

    It waits in a folder of its own, so that it is still there after a power cut, too.
    """
    if not target.exists():
        new.replace(target)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name}-old-", dir=target.parent))
    old = aside / target.name
    try:
        target.replace(old)
        new.replace(target)
    except BaseException:  # Ctrl-C between the two as well
        if any(aside.iterdir()) and not target.exists():
            _put_back(old, target)
        raise
    finally:
        if target.exists():  # the new one, or the old one again
            shutil.rmtree(aside, ignore_errors=True)  # done is done, though a scanner holds a file


def _put_back(old: Path, target: Path) -> None:
    try:
        old.replace(target)
    except OSError as error:
        raise InputError(
            f"{target} could not be replaced ({error.strerror}): what stood there is {old} now, "
            "rename it back."
        ) from error


def _may_write(target: Path, overwrite: bool, marker: str) -> None:
    if target.name in ("", "..") or Path.cwd().is_relative_to(target.resolve()):
        raise InputError(f"{target} is a disk, or what this runs in: name a new folder.")
    require_unsealed(target.parent)
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return  # somebody may have made room: that is no content to protect
    if not ((target / SUMS).is_file() and (target / marker).is_file()):
        raise InputError(
            f"{target} exists and holds something else than {marker}: name another folder."
        )
    if not overwrite:
        raise InputError(f"{target} exists already: name another folder, or ask to overwrite it.")


def _read_sums(folder: Path, kind: str, mend: str) -> dict[str, str]:
    text = (folder / SUMS).read_text(encoding="utf-8", errors="replace")
    pairs = [line.split("  ", 1) for line in text.splitlines()]
    if not pairs or any(len(pair) != 2 for pair in pairs):
        raise BundleError(f"The {kind} {folder} has an unreadable {SUMS}: {mend}.")
    return {name: digest for digest, name in pairs}


def _names(folder: Path) -> list[str]:
    names = {
        (Path(home) / name).relative_to(folder).as_posix()
        for home, _, files in os.walk(folder, onerror=_raise)  # rglob is silent on a locked folder
        for name in files
    }
    return sorted(names - {SUMS, SIGNATURE})


def _raise(error: OSError) -> None:
    raise error


def _kind(folder: Path) -> str | None:
    """Of a sealed folder; None for any other, and for one that may only be passed through."""
    with suppress(OSError):
        if (folder / SUMS).is_file():
            return next((k for k, file in MARKERS.items() if (folder / file).is_file()), None)
    return None


def _is_intact(path: Path, digest: str) -> bool:
    try:
        return sha256_of(path) == digest
    except InputError:  # a bad sector, a link to nowhere: as good as edited
        return False
