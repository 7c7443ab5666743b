"""The read side: pages of the history, newest first, and counts. Frozen values leave, no ORM.

Paging is by key, never by offset: a page costs the same at the top and ten million rows down, and
stays where it is while the station writes. A history is only opened on a database of this
program's schema; it never writes.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import ColumnElement, Engine, and_, func, select, true, tuple_
from sqlalchemy.orm import Session, selectinload

from engine.types import DatabaseError
from inspector.db.connect import BUSY_MS, reading_engine
from inspector.db.errors import explained
from inspector.db.migrate import check_revision
from inspector.db.tables import DefectRow, InspectionRow
from inspector.pipeline.inspection import Alarm, Reason, Region, Verdict


@dataclass(frozen=True, slots=True)
class HistoryFilter:
    """What to show; None shows all. ``since`` is inclusive, ``until`` exclusive, both with zone."""

    verdict: Verdict | None = None
    product: str | None = None
    reason: Reason | None = None
    since: datetime | None = None
    until: datetime | None = None


EVERYTHING = HistoryFilter()


@dataclass(frozen=True, slots=True)
class Record:
    """One inspection as the database has it; picture paths are relative to its folder."""

    id: str
    run_id: str
    sequence: int
    frame_id: int
    lost_before: int
    source: str
    product: str | None
    verdict: Verdict
    reason: Reason | None
    alarm: Alarm | None
    score: float | None
    threshold: float | None
    map_threshold: float | None
    grabbed_at: datetime
    inspected_at: datetime
    stages_ms: Mapping[str, float]
    pictures: Mapping[str, Path]
    truth_defect: str | None
    regions: tuple[Region, ...]


class History:
    """A database opened for reading, beside the station that may be writing it.

    Threads may share one; they read in turn.
    """

    def __init__(self, path: Path, *, busy_ms: int = BUSY_MS) -> None:
        self._path = path
        self._busy_ms = busy_ms
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        if not self._path.is_file():
            raise DatabaseError(f"There is no database at {self._path}: run the station first.")
        with ExitStack() as stack, explained(self._path):
            self._engine: Engine = reading_engine(self._path, busy_ms=self._busy_ms)
            stack.callback(self._engine.dispose)
            with self._engine.begin() as connection:
                check_revision(connection, self._path)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def page(
        self, wanted: HistoryFilter = EVERYTHING, *, before: str | None = None, limit: int = 50
    ) -> tuple[Record, ...]:
        """Up to ``limit`` records, newest first; ``before`` is the id of the last one seen."""
        with explained(self._path), Session(self._engine) as session:
            query = (
                select(InspectionRow)
                .where(_matches(wanted), _is_before(session, before))
                .order_by(InspectionRow.inspected_at.desc(), InspectionRow.id.desc())
                .limit(limit)
                .options(selectinload(InspectionRow.defects))
            )
            return tuple(_record(row) for row in session.scalars(query))

    def counts(self, wanted: HistoryFilter = EVERYTHING) -> Mapping[Verdict, int]:
        """How many inspections of each verdict, zeros included."""
        query = select(InspectionRow.verdict, func.count()).where(_matches(wanted))
        with explained(self._path), Session(self._engine) as session:
            found = session.execute(query.group_by(InspectionRow.verdict)).all()
        return {**dict.fromkeys(Verdict, 0), **{Verdict(v): count for v, count in found}}

    def products(self) -> tuple[str, ...]:
        """Every product that was ever inspected, by name: the choices of a filter."""
        column = InspectionRow.product
        with explained(self._path), Session(self._engine) as session:
            found = session.scalars(select(column).where(column.is_not(None)).distinct())
            return tuple(sorted(name for name in found if name is not None))


def _matches(wanted: HistoryFilter) -> ColumnElement[bool]:
    row = InspectionRow
    conditions: list[ColumnElement[bool]] = [true()]
    equal = {row.verdict: wanted.verdict, row.product: wanted.product, row.reason: wanted.reason}
    conditions += [column == value for column, value in equal.items() if value is not None]
    if wanted.since is not None:
        conditions.append(row.inspected_at >= wanted.since)
    if wanted.until is not None:
        conditions.append(row.inspected_at < wanted.until)
    return and_(*conditions)


def _is_before(session: Session, inspection_id: str | None) -> ColumnElement[bool]:
    """Older than a record, in the order of the pages."""
    if inspection_id is None:
        return true()
    last = session.get_one(InspectionRow, inspection_id)
    key = tuple_(InspectionRow.inspected_at, InspectionRow.id)
    return key < (last.inspected_at, last.id)


def _record(row: InspectionRow) -> Record:
    names = {"overlay": row.overlay, "crop": row.crop, "picture": row.picture}
    return Record(
        id=row.id,
        run_id=row.run_id,
        sequence=row.sequence,
        frame_id=row.frame_id,
        lost_before=row.lost_before,
        source=row.source,
        product=row.product,
        verdict=Verdict(row.verdict),
        reason=None if row.reason is None else Reason(row.reason),
        alarm=None if row.alarm is None else Alarm(row.alarm),
        score=row.score,
        threshold=row.threshold,
        map_threshold=row.map_threshold,
        grabbed_at=row.grabbed_at,
        inspected_at=row.inspected_at,
        stages_ms=row.stages_ms,
        pictures={name: Path(path) for name, path in names.items() if path is not None},
        truth_defect=row.truth_defect,
        regions=tuple(_region(defect) for defect in row.defects),
    )


def _region(row: DefectRow) -> Region:
    contour = tuple((x, y) for x, y in row.contour)
    return Region(row.x, row.y, row.width, row.height, row.area_px, row.peak, contour)
