"""The sink that writes the record: one connection, one transaction an inspection.

``write`` returns after the commit. What a person or the line is told is on disk by then.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Connection, insert, update

from inspector.db.connect import BUSY_MS, writing_engine
from inspector.db.errors import explained
from inspector.db.migrate import check_integrity, migrate
from inspector.db.tables import DefectRow, InspectionRow, RunRow
from inspector.pipeline.inspection import Inspection, Region
from inspector.pipeline.loop import utc_now


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What stays the same from start to stop; ``id`` is a UUIDv7, hashes are SHA-256 in hex."""

    id: str
    station: str
    camera: str
    bundle_sha256: str
    plan_sha256: str
    recipe_sha256: str
    settings_sha256: str
    runtime: str
    precision: str
    steps: int
    program_version: str


class InspectionLog:
    """Writes one run into a database, which it makes or migrates where needed.

    Use it on one thread, and let it be the database's only writer. Each fault of the world
    (locked, full, damaged, newer) is a :class:`DatabaseError`; a row that was refused ends the
    run, so that its verdict is never acknowledged.
    """

    def __init__(
        self,
        path: Path,
        run: RunInfo,
        *,
        clock: Callable[[], datetime] = utc_now,
        timer: Callable[[], float] = time.perf_counter,
        busy_ms: int = BUSY_MS,
    ) -> None:
        self._path = path
        self._run = run
        self._clock = clock
        self._timer = timer
        self._busy_ms = busy_ms
        self._sequence = 0
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack, explained(self._path):
            self._connection = stack.enter_context(writing(self._path, self._busy_ms))
            with self._connection.begin():
                row = {**asdict(self._run), "started_at": self._clock()}
                self._connection.execute(insert(RunRow).values(row))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._stack, explained(self._path), self._connection.begin():
            ended = update(RunRow).where(RunRow.id == self._run.id)
            self._connection.execute(ended.values(ended_at=self._clock()))

    def write(self, inspection: Inspection) -> Inspection:
        """Commit one inspection; adds the stage "commit", which its own row cannot hold."""
        start = self._timer()
        with explained(self._path), self._connection.begin():
            self._connection.execute(
                insert(InspectionRow).values(self._row(inspection, self._sequence + 1))
            )
            if inspection.regions:
                self._connection.execute(insert(DefectRow), _defect_rows(inspection))
        self._sequence += 1
        stages_ms = {**inspection.stages_ms, "commit": (self._timer() - start) * 1000}
        return replace(inspection, stages_ms=stages_ms)

    def _row(self, inspection: Inspection, sequence: int) -> dict[str, Any]:
        frame, prediction = inspection.frame, inspection.prediction
        return {
            "id": inspection.id,
            "run_id": self._run.id,
            "sequence": sequence,
            "frame_id": frame.frame_id,
            "lost_before": inspection.lost_before,
            "source": frame.source,
            "product": inspection.product,
            "verdict": inspection.verdict,
            "reason": inspection.reason,
            "alarm": inspection.alarm,
            "score": None if prediction is None else prediction.score,
            "threshold": inspection.threshold,
            "map_threshold": inspection.map_threshold,
            "grabbed_at": frame.grabbed_at,
            "inspected_at": inspection.inspected_at,
            "stages_ms": dict(inspection.stages_ms),
            "truth_defect": None if frame.truth is None else frame.truth.defect,
            **_picture_columns(inspection.pictures),
        }


@contextmanager
def writing(path: Path, busy_ms: int = BUSY_MS) -> Iterator[Connection]:
    """The writer's connection to a database that is sound and of this program's schema."""
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = writing_engine(path, busy_ms=busy_ms)
    try:
        with engine.connect() as connection:
            with connection.begin():
                check_integrity(connection, path)
                migrate(connection, path)
            yield connection
    finally:
        engine.dispose()


def _picture_columns(pictures: Mapping[str, Path]) -> dict[str, str]:
    return {name: path.as_posix() for name, path in pictures.items()}


def _defect_rows(inspection: Inspection) -> list[dict[str, Any]]:
    return [
        {"inspection_id": inspection.id, "rank": rank, **_region_columns(region)}
        for rank, region in enumerate(inspection.regions)
    ]


def _region_columns(region: Region) -> dict[str, Any]:
    """What the table has a column for: the product, for one, stands in the inspection's row."""
    said = {**asdict(region), "contour": [list(point) for point in region.contour]}
    return {name: value for name, value in said.items() if name in DefectRow.__table__.columns}
