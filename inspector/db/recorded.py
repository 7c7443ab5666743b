"""One record with its run, by its id: what a replay starts from."""

from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.types import InputError
from inspector.db.errors import explained
from inspector.db.reading import reading
from inspector.db.tables import DefectRow, InspectionRow, RecipeVersionRow, RunRow
from inspector.pipeline.inspection import Reason, Region, Verdict
from inspector.pipeline.replay import Recorded
from inspector.texts import storable


def read_recorded(path: Path, inspection_id: str) -> Recorded:
    """The record of one part; :class:`InputError` where there is none of that id."""
    with reading(path) as engine, explained(path), Session(engine) as session:
        row = session.get(InspectionRow, storable(inspection_id))
        if row is None:
            raise InputError(f"The database {path} has no inspection {inspection_id}.")
        run = session.get_one(RunRow, row.run_id)
        wanted = select(DefectRow).where(DefectRow.inspection_id == row.id)
        defects = session.scalars(wanted.order_by(DefectRow.rank)).all()
        return Recorded(
            id=row.id,
            product=row.product,
            verdict=Verdict(row.verdict),
            reason=None if row.reason is None else Reason(row.reason),
            score=row.score,
            threshold=row.threshold,
            map_threshold=row.map_threshold,
            regions=tuple(_region(defect, row.product) for defect in defects),
            picture=row.picture,
            plan_sha256=run.plan_sha256,
            plan_path=run.plan_path,
            recipe_sha256=run.recipe_sha256,
            recipe=session.get_one(RecipeVersionRow, run.recipe_sha256).recipe,
        )


def _region(row: DefectRow, product: str | None) -> Region:
    return Region(
        *(row.x, row.y, row.width, row.height, row.area_px, row.peak),
        contour=tuple((x, y) for x, y in row.contour),
        area_mm2=row.area_mm2,
        product=product,
    )
