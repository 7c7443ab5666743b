"""The read side: pages of the history, newest first, and counts. Frozen values leave, no ORM.

Paging is by key, never by offset: a page costs the same at the top and ten million rows down, and
stays where it is while the station writes. A history is only opened on a database of this
program's schema; it never writes.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Row,
    ScalarSelect,
    Select,
    and_,
    func,
    select,
    true,
    tuple_,
)

from inspector.db.connect import BUSY_MS
from inspector.db.errors import explained
from inspector.db.reading import reading
from inspector.db.side_tables import ReviewRow
from inspector.db.tables import DefectRow, InspectionRow, ProductRow
from inspector.pipeline.inspection import Alarm, Reason, Region, Verdict

MOST_COUNTED: Final = 20_000
"""Of parts that share a name: each is looked up in its row, 20 µs, and there may be millions."""


@dataclass(frozen=True, slots=True)
class HistoryFilter:
    """What to show; None shows all. ``since`` is inclusive, ``until`` exclusive, both with zone.

    ``part``, ``lot`` and ``serial`` are exact; ``alarmed`` asks for parts beside which something
    else went wrong (a picture not saved), or for those without.
    """

    verdict: Verdict | None = None
    product: str | None = None
    reason: Reason | None = None
    since: datetime | None = None
    until: datetime | None = None
    part: str | None = None
    lot: str | None = None
    serial: str | None = None
    alarmed: bool | None = None

    @property
    def names(self) -> bool:
        """Whether it asks for a part by its name."""
        return (self.part, self.lot, self.serial) != (None, None, None)


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
    part: str | None = None
    lot: str | None = None
    serial: str | None = None


@dataclass(frozen=True, slots=True)
class Review:
    """What a person said of a part later; ``verdict`` is OK, NG or UNSURE."""

    verdict: str
    who: str
    at: datetime
    comment: str


@dataclass(frozen=True, slots=True)
class ParetoBar:
    """How many parts of a product were rejected for one reason; FAULT counts against the station's
    availability, not the product's yield, and has other reasons than NG."""

    product: str | None
    reason: Reason
    parts: int


class History:
    """A database opened for reading, beside the station that may be writing it.

    Threads may share one; they read in turn.
    """

    def __init__(self, path: Path, *, busy_ms: int = BUSY_MS) -> None:
        self._path = path
        self._busy_ms = busy_ms
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._engine: Engine = self._stack.enter_context(reading(self._path, self._busy_ms))
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
        with explained(self._path), self._engine.begin() as connection:
            key = None if before is None else _key(connection, before)
            rows = connection.execute(_page(wanted, key, limit)).all()
            regions = _regions(connection, [row.id for row in rows if row.verdict == Verdict.NG])
        return tuple(_record(row, tuple(regions.get(row.id, ()))) for row in rows)

    def counts(self, wanted: HistoryFilter = EVERYTHING) -> Mapping[Verdict, int]:
        """How many inspections of each verdict, zeros included; where a name is asked for, of the
        newest :data:`MOST_COUNTED`."""
        off_indexes = not wanted.names and wanted.reason is None and wanted.alarmed is None
        count = _counts if off_indexes else _counts_of_rows
        with explained(self._path), self._engine.begin() as connection:
            return {**dict.fromkeys(Verdict, 0), **count(connection, wanted)}

    def pictures(self, inspection_id: str) -> Mapping[str, Path]:
        """A record's picture paths as they are now: a review renames an OK part's."""
        columns = InspectionRow.__table__.columns
        query = select(*columns).where(InspectionRow.id == inspection_id)
        with explained(self._path), self._engine.begin() as connection:
            found = connection.execute(query).first()
        return {} if found is None else _pictures(found)

    def last_review(self, inspection_id: str) -> Review | None:
        """What was said last of a part; None where nobody said anything."""
        said = ReviewRow
        query = select(said.verdict, said.who, said.at, said.comment)
        newest = query.where(said.inspection_id == inspection_id).order_by(*_NEWEST_WORD).limit(1)
        with explained(self._path), self._engine.begin() as connection:
            found = connection.execute(newest).first()
        return None if found is None else Review(*found)

    def products(self) -> tuple[str, ...]:
        """Every product that was ever inspected, by name: the choices of a filter."""
        with explained(self._path), self._engine.begin() as connection:
            return tuple(sorted(connection.scalars(select(ProductRow.name))))

    def pareto(self, since: datetime, until: datetime) -> tuple[ParetoBar, ...]:
        """Rejected parts by product and reason, the most first, from ``since`` up to ``until``.

        Left out are those that a person has called OK since: an overridden call is no defect.
        """
        row = InspectionRow
        # By reason, as its index has them: the rows themselves are not read.
        rejected = and_(row.reason.is_not(None), row.reason.in_(list(Reason)))
        within = (row.inspected_at >= since, row.inspected_at < until)
        parts = func.count()
        query = (
            select(row.product, row.reason, parts)
            .where(rejected, *within, _last_word().is_distinct_from(Verdict.OK))
            .group_by(row.product, row.reason)
            .order_by(parts.desc(), row.product, row.reason)
        )
        with explained(self._path), self._engine.begin() as connection:
            found = connection.execute(query).all()
        return tuple(
            ParetoBar(product, Reason(reason), n) for product, reason, n in found if reason
        )


_NEWEST_WORD = (ReviewRow.at.desc(), ReviewRow.id.desc())


def _last_word() -> ScalarSelect[str]:
    """What was said last in review of an inspection; NULL where nothing was."""
    return (
        select(ReviewRow.verdict)
        .where(ReviewRow.inspection_id == InspectionRow.id)
        .order_by(*_NEWEST_WORD)
        .limit(1)
        .scalar_subquery()
    )


def _matches(wanted: HistoryFilter) -> ColumnElement[bool]:
    row = InspectionRow
    conditions: list[ColumnElement[bool]] = [true()]
    names = ("verdict", "product", "reason", "part", "lot", "serial")
    equal = {getattr(row, name): getattr(wanted, name) for name in names}
    conditions += [column == value for column, value in equal.items() if value is not None]
    if wanted.verdict in (Verdict.NG, Verdict.FAULT) and wanted.product and not wanted.names:
        conditions.append(row.reason.is_not(None))  # as a CHECK has it; opens the rejects' index
    if wanted.alarmed is not None:
        conditions.append(row.alarm.is_not(None) if wanted.alarmed else row.alarm.is_(None))
    if wanted.since is not None:
        conditions.append(row.inspected_at >= wanted.since)
    if wanted.until is not None:
        conditions.append(row.inspected_at < wanted.until)
    return and_(*conditions)


def _counts(connection: Connection, wanted: HistoryFilter) -> Mapping[Verdict, int]:
    """Off indexes, and the rows of a product's rejects. Of its good parts, which are many, no index
    has both product and verdict: they are all but the rejects."""

    def parts(verdict: Verdict | None) -> int:
        query = select(func.count()).where(_matches(replace(wanted, verdict=verdict)))
        return connection.execute(query.select_from(InspectionRow)).scalar_one()

    asked = tuple(Verdict) if wanted.verdict is None else (wanted.verdict,)
    if wanted.product is None or Verdict.OK not in asked:
        return {verdict: parts(verdict) for verdict in asked}
    rejects = {verdict: parts(verdict) for verdict in (Verdict.NG, Verdict.FAULT)}
    found = {Verdict.OK: parts(None) - sum(rejects.values()), **rejects}
    return {verdict: found[verdict] for verdict in asked}


def _counts_of_rows(connection: Connection, wanted: HistoryFilter) -> Mapping[Verdict, int]:
    row = InspectionRow
    asked = select(row.verdict).where(_matches(wanted))
    if wanted.names:
        asked = asked.order_by(row.inspected_at.desc(), row.id.desc()).limit(MOST_COUNTED)
    verdict = asked.subquery().c.verdict
    found = connection.execute(select(verdict, func.count()).group_by(verdict))
    return {Verdict(name): parts for name, parts in found}


def _page(wanted: HistoryFilter, before: tuple[datetime, str] | None, limit: int) -> Select[Any]:
    """Newest first; ``before`` is time and id of the last one seen.

    That lies before ``until``, which is then left out: said twice, SQLite takes it for twice as
    choosy, and reads all of a product's good parts to find its few rejects.
    """
    key = (InspectionRow.inspected_at, InspectionRow.id)
    older = true() if before is None else tuple_(*key) < before
    if before is not None and wanted.until is not None and before[0] < wanted.until:
        wanted = replace(wanted, until=None)
    newest_first = (column.desc() for column in key)
    columns = InspectionRow.__table__.columns
    return select(*columns).where(_matches(wanted), older).order_by(*newest_first).limit(limit)


def _key(connection: Connection, inspection_id: str) -> tuple[datetime, str]:
    query = select(InspectionRow.inspected_at).where(InspectionRow.id == inspection_id)
    return connection.execute(query).scalar_one(), inspection_id


def _regions(connection: Connection, ids: Sequence[str]) -> Mapping[str, list[Region]]:
    """By inspection, strongest first; of those that have some."""
    found: dict[str, list[Region]] = {}
    if ids:
        columns = DefectRow.__table__.columns
        query = select(*columns).where(DefectRow.inspection_id.in_(ids)).order_by(DefectRow.rank)
        for row in connection.execute(query):
            found.setdefault(row.inspection_id, []).append(_region(row))
    return found


def _record(row: Row[Any], regions: tuple[Region, ...]) -> Record:
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
        pictures=_pictures(row),
        truth_defect=row.truth_defect,
        regions=regions,
        part=row.part,
        lot=row.lot,
        serial=row.serial,
    )


def _pictures(row: Row[Any]) -> Mapping[str, Path]:
    names = {"overlay": row.overlay, "crop": row.crop, "picture": row.picture}
    return {name: Path(path) for name, path in names.items() if path is not None}


def _region(row: Row[Any]) -> Region:
    contour = tuple((x, y) for x, y in row.contour)
    return Region(row.x, row.y, row.width, row.height, row.area_px, row.peak, contour, row.area_mm2)
