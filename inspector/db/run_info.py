"""What stays the same from start to stop, and the rows that it makes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import Any

from sqlalchemy import Connection, insert

from inspector.camera.base import Setting
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
    the camera was opened with, without its password, ``camera_in_effect`` what it then said of
    itself (:func:`in_effect_text`); ``plan_path`` is where the plan lay; ``lot`` holds for each
    part that names none itself.
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
    camera_in_effect: str | None = None
    bundle_name: str | None = None
    plan_path: str | None = None
    recipe: str | None = None
    shift: str | None = None
    lot: str | None = None


def in_effect_text(in_effect: Mapping[str, Setting]) -> str | None:
    """A camera's trigger and settings as JSON; None where it says nothing of itself.

    A number without a value stands as its text: JSON has no NaN.
    """
    said = {name: value if _is_plain(value) else str(value) for name, value in in_effect.items()}
    return json.dumps(said) if said else None


def _is_plain(value: Setting) -> bool:
    return not isinstance(value, float) or isfinite(value)


def write_run(connection: Connection, run: RunInfo, started_at: datetime) -> None:
    """The run, after what it rests on, where that is not there yet."""
    names = [column.name for column in RunRow.__table__.columns]
    values = {name: getattr(run, name) for name in names if hasattr(run, name)}
    write_rests(connection, values, run.bundle_name, run.recipe, started_at)
    connection.execute(insert(RunRow).values(**values, started_at=started_at))


def write_rests(
    connection: Connection,
    run: Mapping[str, Any],
    bundle_name: str | None,
    recipe: str | None,
    seen_at: datetime,
) -> None:
    """Station, camera, bundle, plan and recipe version of a run, given by its columns."""
    write_judges(connection, run, bundle_name, recipe, seen_at)
    camera = {"station": run["station"], "name": run["camera"]}
    put(connection, CameraRow, {**camera, "first_seen_at": seen_at})


def write_judges(
    connection: Connection,
    run: Mapping[str, Any],
    bundle_name: str | None,
    recipe: str | None,
    seen_at: datetime,
) -> None:
    """The same without the camera: what is there before one is open."""
    bundle, recipe_sha256 = run["bundle_sha256"], run["recipe_sha256"]
    for row, values in (
        (StationRow, {"name": run["station"]}),
        (BundleRow, {"sha256": bundle, "name": bundle_name}),
        (PlanRow, {"sha256": run["plan_sha256"], "bundle_sha256": bundle}),
        (RecipeVersionRow, {"sha256": recipe_sha256, "recipe": recipe}),
    ):
        put(connection, row, {**values, "first_seen_at": seen_at})
