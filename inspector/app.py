"""Puts a station together from its settings: camera → loop → pictures → database → screen.

The only place, beside the command line, where concrete classes are chosen.
"""

import hashlib
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Self

import typer

from calibration.recipe import Recipe, read_recipe
from engine.detector import Detector
from engine.manifest import PlanManifest
from engine.plan import read_plan
from engine.types import InputError, MissingError
from inspector.camera.open import open_camera
from inspector.db.errors import explained
from inspector.db.history import History
from inspector.db.log import InspectionLog, RunInfo, writing
from inspector.pipeline.control import Control
from inspector.pipeline.counters import Counters
from inspector.pipeline.frame_checks import FrameLimits
from inspector.pipeline.ids import uuid7_ids
from inspector.pipeline.inspection import Inspection
from inspector.pipeline.loop import inspect
from inspector.pipeline.pictures import PictureSink
from inspector.pipeline.sinks import Sink, run
from inspector.settings import StationSettings, read_settings, settings_sha256

if TYPE_CHECKING:
    from inspector.ui.session import StatusItem

DATABASE = "inspections.sqlite"
LOW_DISK_BYTES = 2 * 2**30


class StationSession:
    """One station, ready to run: what the window and the headless loop both call.

    A plan that is damaged, or a recipe measured with another bundle, is refused at birth, before
    a camera is opened. ``frames`` ends a run after so many; None runs until the camera ends or
    somebody stops it.
    """

    def __init__(
        self, settings: StationSettings, frames: int | None = None, *, repeatable: bool = True
    ) -> None:
        plan = read_plan(settings.plan)
        self.settings, self.plan, self._plan_sha256 = settings, plan.manifest, plan.sha256
        self._recipe = read_recipe(settings.recipe)
        check_recipe(self._recipe, self.plan, settings.recipe)
        self._frames = frames
        self.title, self.repeatable = settings.name, repeatable
        self.counters = Counters()

    @property
    def database(self) -> Path:
        return self.settings.out / DATABASE

    def run(self, control: Control, screen: Sink) -> None:
        """Inspect until the camera ends, ``frames`` are done, or ``control`` says stop."""
        self.counters, new_id = Counters(), uuid7_ids()
        with (
            Detector.open(self.settings.plan, self.settings.threads) as detector,
            open_camera(self.settings.camera) as camera,
        ):
            detector.warm_up()
            inspections = inspect(
                islice(control.gate(camera.frames()), self._frames),
                detector,
                self._recipe,
                triggered=camera.triggered,
                new_id=new_id,
                product=self.settings.product,
                limits=FrameLimits(grab_deadline_ms=self.settings.grab_deadline_ms),
                deadline_ms=self.settings.deadline_ms,
            )
            run(inspections, self._sinks(new_id(), camera.name, screen))

    def status(self) -> "Sequence[StatusItem]":
        """Camera, model, database and disk, as they are now."""
        from inspector.ui.session import Health, StatusItem

        free = shutil.disk_usage(self.settings.out).free
        disk = Health.WARNING if free < LOW_DISK_BYTES else Health.GOOD
        model, plan = f"{self.plan.runtime} {self.plan.precision}", self.plan
        return (
            StatusItem("Camera", self.settings.camera.partition("?")[0], Health.GOOD),
            StatusItem("Model", model, Health.GOOD, f"{plan.bundle_name}, {plan.steps} steps"),
            StatusItem("Database", self.database.name, Health.GOOD, str(self.database)),
            StatusItem("Disk", f"{free / 2**30:.0f} GB free", disk, str(self.settings.out)),
        )

    def _sinks(self, run_id: str, camera: str, screen: Sink) -> Sequence[Sink]:
        """In the order of the promise: pictures, row, screen; the counters see what all took."""
        kept = self.settings.pictures
        return (
            PictureSink(self.settings.out, every_ok=kept.every_ok, opacity=kept.opacity),
            InspectionLog(self.database, self._run_info(run_id, camera)),
            screen,
            self.counters,
        )

    def _run_info(self, run_id: str, camera: str) -> RunInfo:
        recipe = self._recipe.model_dump_json().encode()
        return RunInfo(
            id=run_id,
            station=self.settings.name,
            camera=camera,
            bundle_sha256=self.plan.bundle_sha256,
            plan_sha256=self._plan_sha256,
            recipe_sha256=hashlib.sha256(recipe).hexdigest(),
            settings_sha256=settings_sha256(self.settings),
            runtime=f"{self.plan.runtime} {self.plan.runtime_version}",
            precision=self.plan.precision,
            steps=self.plan.steps,
            program_version=version("promptmad-inspector"),
        )


class NoScreen:
    """The screen of a station without one."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing to let go of."""

    def write(self, inspection: Inspection) -> Inspection:
        return inspection


def check_recipe(recipe: Recipe, plan: PlanManifest, path: Path) -> None:
    """:class:`InputError` where the thresholds were measured with another bundle."""
    if recipe.bundle_sha256 != plan.bundle_sha256:
        raise InputError(
            f"The recipe {path} was measured with another bundle than the plan "
            f"{plan.bundle_name}: run 'inspector calibrate' with this plan."
        )


def run_headless(session: StationSession, screen: Sink) -> None:
    """Run to the end in this thread. Ctrl+C ends it between two parts, with the run closed."""
    control = Control()
    control.start()
    session.run(control, screen)


def run_windowed(session: StationSession) -> int:
    """Open the window on the session; :class:`MissingError` where there is no display."""
    from inspector.ui.display import display_problem

    problem = display_problem()
    if problem is not None:
        raise MissingError(problem)
    from inspector.ui.run import run_window

    with ExitStack() as stack:
        _make_database(session.database)
        history = stack.enter_context(History(session.database))
        return run_window(session, history, pictures=session.settings.out)


def _make_database(path: Path) -> None:
    """Made or migrated now, so that the history opens before the first part."""
    with explained(path), writing(path):
        return


def station(
    settings: Annotated[Path, typer.Argument(help="The station's TOML file.")],
    headless: Annotated[bool, typer.Option("--headless", help="No window.")] = False,
    frames: Annotated[int | None, typer.Option(help="End after so many frames.", min=1)] = None,
) -> None:
    """Run a station: its camera, its plan, its recipe, its database; with a window or without."""
    session = StationSession(read_settings(settings), frames)
    if not headless:
        raise typer.Exit(run_windowed(session))
    run_headless(session, NoScreen())
    total = session.counters.counts().total
    typer.echo(f"{total.triggers} parts: {total.ok} OK, {total.ng} NG, {total.fault} FAULT.")
