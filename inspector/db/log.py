"""The sink that writes the record: one transaction an inspection.

``write`` returns after the commit. What a person or the line is told is on disk by then.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from sqlalchemy import Connection, insert, update

from inspector.clock import utc_now
from inspector.db.connect import BUSY_MS
from inspector.db.outbox import post
from inspector.db.payload import payload_of
from inspector.db.put import put
from inspector.db.rows import defect_columns, inspection_columns
from inspector.db.run_info import RunInfo, write_run
from inspector.db.tables import DefectRow, InspectionRow, ProductRow, RunRow
from inspector.db.writer import Writer, writing
from inspector.pipeline.events import StationEvent
from inspector.pipeline.inspection import Inspection

__all__ = ["InspectionLog", "RunInfo", "writing"]

FIRST_REVISION: Final = 1


class InspectionLog:
    """Writes one run into a database, which it makes or migrates where needed.

    Inspections come from one thread, events from any. ``writer`` is the database's only writer
    where the program has one already, for events between runs or an outbox; without it the run
    opens one of its own. ``outbox`` puts each inspection up for sending, in its own transaction.
    Each fault of the world (locked, full, damaged, newer) is a :class:`DatabaseError`; a row that
    was refused ends the run, so that its verdict is never acknowledged.
    """

    def __init__(
        self,
        path: Path,
        run: RunInfo,
        *,
        outbox: bool = False,
        writer: Writer | None = None,
        clock: Callable[[], datetime] = utc_now,
        timer: Callable[[], float] = time.perf_counter,
        busy_ms: int = BUSY_MS,
    ) -> None:
        self._run = run
        self._outbox = outbox
        self._given = writer
        self._own = Writer(path, busy_ms=busy_ms)
        self._clock = clock
        self._timer = timer
        self._sequence = 0
        self._products: set[str] = set()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._writer = self._given or stack.enter_context(self._own)
            self._writer.transact(lambda c: write_run(c, self._run, self._clock()))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._stack:
            ended = update(RunRow).where(RunRow.id == self._run.id)
            self._writer.transact(lambda c: c.execute(ended.values(ended_at=self._clock())))

    def event(self, event: StationEvent) -> None:
        """Keep an event of this run, from any thread; neither waits nor fails."""
        self._writer.event(event, self._run.id)

    def write(self, inspection: Inspection) -> Inspection:
        """Commit one inspection; adds the stage "commit", which its own row cannot hold."""
        start = self._timer()
        self._writer.transact(lambda connection: self._insert(connection, inspection))
        self._sequence += 1
        if inspection.product is not None:
            self._products.add(inspection.product)
        stages_ms = {**inspection.stages_ms, "commit": (self._timer() - start) * 1000}
        return replace(inspection, stages_ms=stages_ms)

    def _insert(self, connection: Connection, inspection: Inspection) -> None:
        row = inspection_columns(inspection, self._run, self._sequence + 1)
        defects = defect_columns(inspection)
        product = inspection.product
        if product is not None and product not in self._products:
            seen = {"name": product, "first_seen_at": inspection.inspected_at}
            put(connection, ProductRow, seen)
        connection.execute(insert(InspectionRow).values(row))
        if defects:
            connection.execute(insert(DefectRow), defects)
        if self._outbox:
            payload = payload_of(self._run, row, defects)
            post(connection, inspection.id, FIRST_REVISION, payload, self._clock())
