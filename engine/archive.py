"""A bundle as one file: a zip to carry about, and unpacking that trusts nothing in it.

What comes from outside may name places elsewhere, hold links, or swell to more than a disk. So
only the files that a bundle has are taken, by their exact names, each once, each a plain file, and
no more bytes than a bundle may have; what they hold is then checked as any bundle is. Nothing is
left of an archive that fails.
"""

import shutil
import stat
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from engine.bundle import FILES, MANIFEST, read_bundle
from engine.files import whole_file
from engine.sealed import new_folder, require_place
from engine.types import BundleError, InputError

MOST_BYTES = 4 * 2**30
MOST_DIRECTORY_BYTES = 16 * 1024  # of the archive's table of contents, which is read at once
MEND = "ask for it again where it comes from"

_END = struct.Struct("<4s4H2LH")  # end of central directory, APPNOTE.TXT 4.3.16
_LONGEST_COMMENT = 2**16
_DAMAGED = (BadZipFile, EOFError, ValueError, NotImplementedError, RuntimeError, zlib.error)
"""What zipfile raises on an archive that is damaged, encrypted, or was made to be wrong."""
_LOCATOR_BYTES = 20  # of the Zip64 record, which would overrule the sizes that are looked at
_THEN = (1980, 1, 1, 0, 0, 0)  # equal bundles, equal archives


def pack(bundle: Path, out: Path, *, overwrite: bool = False) -> Path:
    """Write a bundle folder as one zip, whole or not at all; returns ``out``.

    :class:`BundleError` for a bundle that is damaged, or holds what :func:`unpack` would not take;
    :class:`InputError` where nothing can be written, ``out`` lies in the bundle, or is there and
    ``overwrite`` is false.
    """
    require_place(out, overwrite=overwrite)
    read_bundle(bundle)
    paths = sorted(bundle.iterdir())
    for path in paths:
        if path.name not in FILES or path.is_symlink() or not path.is_file():
            raise BundleError(f"The bundle {bundle} holds {path.name}, which is no file of one.")
    if sum(path.stat().st_size for path in paths) > MOST_BYTES:
        raise BundleError(f"The bundle {bundle} is larger than one that is unpacked again.")
    with whole_file(out) as part, ZipFile(part, "w") as packed:
        for path in paths:
            entry = ZipInfo(path.name, _THEN)
            entry.create_system = 3  # as on Linux, wherever it is made
            entry.compress_type, entry.external_attr = ZIP_DEFLATED, 0o644 << 16
            entry.file_size = path.stat().st_size  # so that large files are announced as such
            with path.open("rb") as source, packed.open(entry, "w") as target:
                shutil.copyfileobj(source, target)
    return out


def unpack(archive: Path, out: Path, *, overwrite: bool = False) -> Path:
    """Make the bundle folder ``out`` from a zip, whole and checked or not at all; returns ``out``.

    :class:`BundleError` where the archive is damaged or not what :func:`pack` writes,
    :class:`InputError` where it is not there, or ``out`` cannot be written.
    """
    try:
        _require_small_directory(archive)
        with _opened(archive) as packed, new_folder(out, overwrite, MANIFEST) as new:
            for entry in _checked(packed):
                _extract(packed, entry, new / entry.filename)
            _verify(new, archive)
    except OSError as error:
        raise InputError(f"{archive} cannot be read: {error.strerror}.") from error
    except BadZipFile as error:
        raise BundleError(f"{archive} is no packed bundle: {error}; {MEND}.") from error
    return out


def _opened(archive: Path) -> ZipFile:
    try:
        return ZipFile(archive)
    except _DAMAGED as error:
        raise BadZipFile(f"its table of contents is damaged ({error})") from error


def _extract(packed: ZipFile, entry: ZipInfo, target: Path) -> None:
    """At most the size that was announced."""
    try:
        source = packed.open(entry)
    except (*_DAMAGED, OSError) as error:  # it may be said to lie before the archive's start
        raise BadZipFile(f"its {entry.filename} is damaged ({error})") from error
    with source, target.open("wb") as file:
        try:
            shutil.copyfileobj(source, file)
        except _DAMAGED as error:
            raise BadZipFile(f"its {entry.filename} is damaged ({error})") from error


def _verify(folder: Path, archive: Path) -> None:
    """As any bundle is; the sentence names the archive, since the folder will not be kept."""
    try:
        read_bundle(folder)
    except BundleError as error:
        said = str(error).replace(str(folder), str(archive))
        raise BundleError(said) from error


def _require_small_directory(archive: Path) -> None:
    """Before the table of contents is read: of a million entries it would fill the memory."""
    with archive.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _END.size - _LONGEST_COMMENT))
        tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        raise BadZipFile("it is no zip, or cut")
    if tail[max(0, at - _LOCATOR_BYTES) :].startswith(b"PK\x06\x07"):
        raise BadZipFile("it has the table of contents of a larger archive than a bundle is")
    length = _END.unpack_from(tail, at)[5]
    if length > MOST_DIRECTORY_BYTES:
        raise BadZipFile("its table of contents is longer than a bundle's")


def _checked(packed: ZipFile) -> Sequence[ZipInfo]:
    """The archive's entries, all of them files of a bundle."""
    entries = packed.infolist()
    for entry in entries:
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if entry.filename not in FILES:
            raise BadZipFile(f"it holds {entry.filename[:80]!r}, which is no file of a bundle")
        if kind not in (0, stat.S_IFREG):
            raise BadZipFile(f"its {entry.filename} is no plain file")
        if entry.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
            raise BadZipFile(f"its {entry.filename} is compressed in a way that is not read here")
    if len({entry.filename for entry in entries}) < len(entries):
        raise BadZipFile("it holds a file twice")
    if sum(entry.file_size for entry in entries) > MOST_BYTES:
        raise BadZipFile("it unpacks to more than a bundle may have")
    return entries
