"""What stays the same from start to stop, and the rows that it makes."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert

from inspector.db.put import put
from inspector.db.tables import (
    BundleRow,
    CameraRow,
    PlanRow,
    RecipeVersionRow,
    RunRow,
    StationRow,
)


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What stays the same from start to stop; ``id`` is a UUIDv7, hashes are SHA-256 in hex.

    ``recipe`` is the JSON text whose UTF-8 bytes have ``recipe_sha256``; ``camera_spec`` is what
    the camera was opened with, without its password; ``plan_path`` is where the plan lay;
    ``lot`` holds for each part that names none itself.
    """

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
    camera_spec: str | None = None
    bundle_name: str | None = None
    plan_path: str | None = None
    recipe: str | None = None
    shift: str | None = None
    lot: str | None = None


def write_run(connection: Connection, run: RunInfo, started_at: datetime) -> None:
    """The run, after what it rests on, where that is not there yet."""
    seen = {"first_seen_at": started_at}
    put(connection, StationRow, {"name": run.station, **seen})
    put(connection, CameraRow, {"station": run.station, "name": run.camera, **seen})
    put(connection, BundleRow, {"sha256": run.bundle_sha256, "name": run.bundle_name, **seen})
    plan = {"sha256": run.plan_sha256, "bundle_sha256": run.bundle_sha256}
    put(connection, PlanRow, {**plan, **seen})
    put(connection, RecipeVersionRow, {"sha256": run.recipe_sha256, "recipe": run.recipe, **seen})
    names = [column.name for column in RunRow.__table__.columns]
    values = {name: getattr(run, name) for name in names if hasattr(run, name)}
    connection.execute(insert(RunRow).values(**values, started_at=started_at))
