"""Where inspections go, one sink after another: pictures, database, counters, screen.

The order is the promise. Pictures lie on disk before a row names them; the row is committed
before anybody is shown, or told, the verdict.
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from types import TracebackType
from typing import Protocol, Self

from inspector.pipeline.inspection import Inspection


class Sink(Protocol):
    """Takes each inspection, once, in order, on the thread that inspects."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def write(self, inspection: Inspection) -> Inspection:
        """Take one inspection; give it on, with what this sink adds (pictures, stages)."""
        ...


def run(
    inspections: Iterable[Inspection],
    sinks: Sequence[Sink],
    meanwhile: AbstractContextManager[object] = nullcontext(),  # noqa: B008 (may be used again)
) -> None:
    """Send every inspection through all sinks in order, until there are no more.

    A sink that fails ends the run: a verdict whose record was refused is never acknowledged.
    ``meanwhile`` is left first, however it ends: before any sink takes its time to close.
    """
    with ExitStack() as stack:
        entered = [stack.enter_context(sink) for sink in sinks]
        stack.enter_context(meanwhile)
        for inspection in inspections:
            for sink in entered:
                inspection = sink.write(inspection)
