"""What the commands of training share: names in one option, and a progress bar."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from training.report import Report


def names(products: str) -> list[str]:
    """Products separated by commas."""
    return [name.strip() for name in products.split(",") if name.strip()]


@contextmanager
def progress() -> "Iterator[Report]":
    """A bar a stage on stderr: what, how far, loss, time left."""
    from rich.console import Console
    from rich.progress import Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (*Progress.get_default_columns()[:3], TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.fields[note]}"), console=Console(stderr=True)) as bar:
        tasks: dict[str, TaskID] = {}

        def report(what: str, share: float, note: str) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=1.0, note=note)
            bar.update(tasks[what], completed=min(1.0, share), note=note)

        yield report
