"""The sink that answers the PLC. It stands right after the one that commits the record."""

from collections.abc import Callable
from types import TracebackType
from typing import Self

from inspector.line.desk import Desk
from inspector.pipeline.inspection import Inspection


class LineSink:
    """One run's: it is on while this is entered. ``check`` raises where the line itself has failed:
    then no part may go on. ``turned_away`` is told how many triggers came before the run."""

    def __init__(
        self,
        desk: Desk,
        check: Callable[[], None],
        turned_away: Callable[[int], None],
        *,
        triggered: bool,
    ) -> None:
        self._desk, self._check, self._triggered = desk, check, triggered
        self._turned_away = turned_away

    def __enter__(self) -> Self:
        self._turned_away(self._desk.begin())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._desk.give_up()

    def write(self, inspection: Inspection) -> Inspection:
        self._check()
        self._desk.answer(inspection, triggered=self._triggered)
        return inspection
