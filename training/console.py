"""What the commands of training share: names in one option, and a progress bar."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from training.report import Report


def names(products: str) -> list[str]:
    """Products separated by commas."""
    return [name.strip() for name in products.split(",") if name.strip()]


@contextmanager
def progress() -> "Iterator[Report]":
    """A bar a stage on stderr: what, how far, loss, time left. In a log, a line every tenth."""
    from rich.console import Console
    from rich.progress import Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines(console)
        return
    columns = (*Progress.get_default_columns()[:3], TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.fields[note]}"), console=console) as bar:
        tasks: dict[str, TaskID] = {}

        def report(what: str, share: float, note: str) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=1.0, note=note)
            bar.update(tasks[what], completed=min(1.0, share), note=note)

        yield report


def _lines(console: "Console") -> "Report":
    """For a file or a pipe, which keeps every frame of a bar."""
    told: dict[str, int] = {}

    def report(what: str, share: float, note: str) -> None:
        tenth = int(10 * min(1.0, share))
        if told.get(what) != tenth:
            told[what] = tenth
            console.out(f"{what}: {10 * tenth} %" + (f", {note}" if note else ""), highlight=False)

    return report
