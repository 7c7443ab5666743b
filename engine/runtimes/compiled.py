"""Compiled models of OpenVINO, kept in the user's cache: opening a plan then takes a third.

OpenVINO does not check the weights that it reads from one: damage comes out as other numbers. So
each lies in a sealed folder, whose sums are asked before OpenVINO is, and what is not whole is
compiled again. Several processes may compile one plan at once; the first is kept.
"""

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeVar

from engine.files import sha256_of
from engine.sealed import seal, verify
from engine.types import KnownError

T = TypeVar("T")
NEW: Final = ".new-"
DAY_S: Final = 24 * 3600
MOST = 8
"""Compiled models of a user; the one that was used longest ago goes first."""


def key_of(*parts: str | Path) -> str:
    """Of all that a compiled model depends on: files by their content, the rest as it is."""
    whole = hashlib.sha256()
    for part in parts:
        said = sha256_of(part) if isinstance(part, Path) else part
        whole.update(f"{len(said)} {said}".encode())
    return whole.hexdigest()


def compiled(compile_with: Callable[[Mapping[str, Any]], T], cache: Path, key: str) -> T:
    """What ``compile_with`` gives for the settings that make OpenVINO read or write ``cache``.

    A cache that cannot be used costs time and nothing else.
    """
    kept = cache / key
    if _is_whole(kept):
        try:
            return compile_with({"CACHE_DIR": str(kept)})
        except RuntimeError:  # OpenVINO's own: compiled anew, and said if that fails, too
            _discard(kept)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(prefix=NEW, dir=cache))
    except OSError:
        return compile_with({})
    try:
        found = compile_with({"CACHE_DIR": str(new)})
        with suppress(OSError):  # full, or another process was first
            seal(new)
            new.replace(kept)
            _drop_old(cache)
        return found
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _is_whole(kept: Path) -> bool:
    """Whether it is there and as it was written; damaged ones are removed."""
    if not kept.is_dir():
        return False
    try:
        verify(kept, "compiled model", "compile it again")
    except (KnownError, OSError):
        _discard(kept)
        return False
    with suppress(OSError):  # another user's
        kept.touch()  # used last
    return True


def _discard(kept: Path) -> None:
    """Whole or not at all: Windows lets nobody move what a process has open, and it stays."""
    aside = kept.with_name(f"{NEW}{kept.name}-{os.getpid()}")
    with suppress(OSError):
        kept.replace(aside)
        shutil.rmtree(aside, ignore_errors=True)


def _drop_old(cache: Path) -> None:
    for path in cache.glob(f"{NEW}*"):
        if path.stat().st_mtime < time.time() - DAY_S:  # of a process that was killed
            shutil.rmtree(path, ignore_errors=True)
    kept = [path for path in cache.iterdir() if not path.name.startswith(".")]
    for path in sorted(kept, key=lambda path: path.stat().st_mtime)[:-MOST]:
        _discard(path)
