"""What commands share at the terminal: results on stdout, everything else on stderr."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from rich.console import Console
from rich.progress import track

T = TypeVar("T")


def progress(items: Sequence[T], what: str) -> Iterable[T]:
    """``items``, with a bar on stderr that is gone at the end."""
    return track(items, description=what, console=Console(stderr=True), transient=True)
