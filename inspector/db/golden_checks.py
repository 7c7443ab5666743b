"""Golden checks, kept: what a plan said of its golden pictures whenever a station opened it."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, insert, select

from inspector.clock import utc_now
from inspector.db.errors import explained
from inspector.db.reading import reading
from inspector.db.run_info import RunInfo, write_judges
from inspector.db.side_tables import GoldenCheckRow
from inspector.db.writer import Writer
from inspector.pipeline.ids import uuid7_ids

if TYPE_CHECKING:  # who only reads what was kept needs no runtime
    from engine.detector import Detector
    from engine.parity import Parity

PASSED: Final = "PASSED"
FAILED: Final = "FAILED"


@dataclass(frozen=True, slots=True)
class GoldenCheck:
    """One check as the database has it; ``details`` are those of :func:`verify_and_keep`."""

    at: datetime
    station: str
    plan_sha256: str
    outcome: str
    pictures: int
    details: Mapping[str, Any]

    def __str__(self) -> str:
        said = self.details.get("fault") or f"scores within {_share(self.details.get('score'))}"
        return (
            f"Golden check of {self.station}, {self.at:%Y-%m-%d %H:%M:%S} UTC: {self.outcome}, "
            f"{self.pictures} pictures, {said} (plan {self.plan_sha256[:12]})."
        )


def verify_and_keep(
    detector: "Detector",
    limits: Mapping[str, float],
    products: Sequence[str],
    writer: Writer,
    run: RunInfo,
    clock: Callable[[], datetime] = utc_now,
) -> None:
    """:meth:`engine.detector.Detector.verify`, with what it measured kept, passed or failed.

    Raises what that raises, and :class:`engine.types.DatabaseError` where the row is not taken.
    ``run`` is the one about to begin; it needs no row yet, and where the check fails it never gets
    one. So its id stands among the details, beside the largest differences as in
    :class:`engine.parity.Parity`, golden pictures with another verdict (``flips``), and ``fault``,
    a sentence or "". ``clock`` gives UTC.
    """

    def keep(parity: "Parity") -> None:
        fault = parity.fault(detector.plan.precision)
        writer.transact(lambda connection: _insert(connection, run, parity, fault, clock()))

    detector.verify(limits, products, keep)


def last_golden_check(path: Path) -> GoldenCheck | None:
    """The newest check of a station's database; None where there was none yet."""
    row = GoldenCheckRow
    columns = row.at, row.station, row.plan_sha256, row.outcome, row.pictures, row.details
    query = select(*columns).order_by(row.at.desc(), row.id.desc()).limit(1)
    with reading(path) as engine, explained(path), engine.begin() as connection:
        found = connection.execute(query).first()
    return None if found is None else GoldenCheck(*found)


def _insert(
    connection: Connection, run: RunInfo, parity: "Parity", fault: str, at: datetime
) -> None:
    write_judges(connection, asdict(run), run.bundle_name, run.recipe, at)
    connection.execute(
        insert(GoldenCheckRow).values(
            id=uuid7_ids()(),
            at=at,
            station=run.station,
            plan_sha256=run.plan_sha256,
            recipe_sha256=run.recipe_sha256,
            outcome=FAILED if fault else PASSED,
            pictures=parity.pictures,
            failed=max(len(parity.flips), 1) if fault else 0,
            details={"run": run.id, "fault": fault, **_measured(parity)},
        )
    )


def _measured(parity: "Parity") -> Mapping[str, Any]:
    """JSON has no NaN, which is what a model gives that fails worst."""
    shares = {name: getattr(parity, name) for name in ("score", "map", "place", "auroc")}
    finite = {n: s if s is not None and math.isfinite(s) else None for n, s in shares.items()}
    return {**finite, "flips": list(parity.flips)}


def _share(value: float | None) -> str:
    return "an unknown share" if value is None else f"{value:.1e} of their range"
