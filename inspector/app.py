"""Puts a station together from its settings: camera → loop → pictures → database → screen.

The only place, beside the command line, where concrete classes are chosen.
"""

import hashlib
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Annotated, Self

import typer

from calibration.recipe import Recipe, read_recipe, require_fit
from engine.detector import Detector
from engine.manifest import PlanManifest
from engine.plan import read_plan
from engine.sealed import require_unsealed
from engine.types import MissingError
from inspector.camera.address import without_password
from inspector.camera.base import Camera
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
    from inspector.ui.session import Health, StatusItem

DATABASE = "inspections.sqlite"
LOW_DISK_BYTES = 2 * 2**30
SILENT_S = 10.0  # without a picture for so long, a camera is not called well


class StationSession:
    """One station, ready to run: what the window and the headless loop both call.

    A plan that is damaged or of a bundle that nobody trusted has signed, a recipe measured with
    another bundle, or a product that neither knows is refused at birth, before a camera is opened;
    and again by each run, since a plan may have been built anew meanwhile: ``plan`` is the one that
    ran last. ``frames`` ends a run after so many; None runs until the camera ends or somebody stops
    it.
    """

    def __init__(
        self,
        settings: StationSettings,
        frames: int | None = None,
        *,
        repeatable: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        require_unsealed(settings.out)
        self.plan = read_plan(settings.plan, settings.trusted_keys).manifest
        self._recipe = read_recipe(settings.recipe)
        check_fit(settings, self.plan, self._recipe)
        self._frames = frames
        self.title, self.repeatable = settings.name, repeatable
        self.counters = Counters()
        # Written by the run's thread alone, read by whoever asks for the status.
        self._clock = clock
        self._open = False
        self._last_picture: float | None = None

    @property
    def database(self) -> Path:
        return self.settings.out / DATABASE

    def run(self, control: Control, screen: Sink) -> None:
        """Inspect until the camera ends, ``frames`` are done, or ``control`` says stop."""
        self.counters, new_id = Counters(), uuid7_ids()
        with self._opened() as (detector, camera):
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
            info = self._run_info(new_id(), camera.name, detector)
            run(self._noted(inspections), self._sinks(info, screen))

    def status(self) -> "Sequence[StatusItem]":
        """Camera, model, database and disk, as they are now."""
        from inspector.ui.session import Health, StatusItem

        camera, model = without_password(self.settings.camera.partition("?")[0]), self.plan
        health, detail = self._camera_health()
        return (
            StatusItem("Camera", camera, health, detail),
            StatusItem(
                "Model",
                f"{model.runtime} {model.precision}",
                Health.GOOD if self._open else Health.UNKNOWN,
                f"{model.bundle_name}, {model.steps} steps",
            ),
            StatusItem(
                "Database",
                self.database.name,
                Health.GOOD if self.database.is_file() else Health.BAD,
                str(self.database),
            ),
            self._disk(),
        )

    def _camera_health(self) -> "tuple[Health, str]":
        """A line may stand still for good reasons: silence is not known to be well, nor bad."""
        from inspector.ui.session import Health

        last = self._last_picture
        if not self._open:
            return Health.UNKNOWN, "closed"
        if last is None or self._clock() - last > SILENT_S:
            return Health.UNKNOWN, f"open, no picture within {SILENT_S:.0f} s"
        return Health.GOOD, "gives pictures"

    def _disk(self) -> "StatusItem":
        from inspector.ui.session import Health, StatusItem

        out = str(self.settings.out)
        try:
            free = shutil.disk_usage(out).free
        except OSError as error:
            return StatusItem("Disk", error.strerror or "not reachable", Health.BAD, out)
        health = Health.WARNING if free < LOW_DISK_BYTES else Health.GOOD
        return StatusItem("Disk", f"{free / 2**30:.0f} GB free", health, out)

    def _shown(self, detector: Detector) -> Sequence[str]:
        """What the camera may show: the station's one product, or those that the recipe knows."""
        if self.settings.product is not None:
            return [self.settings.product]
        return [product for product in detector.products if product in self._recipe.products]

    @contextmanager
    def _opened(self) -> Iterator[tuple[Detector, Camera]]:
        """Model and camera, while ``status`` knows that they are open."""
        s = self.settings
        with Detector.open(s.plan, s.threads, s.trusted_keys) as detector:
            check_fit(self.settings, detector.plan, self._recipe)
            detector.verify(self._recipe.limits, self._shown(detector))
            self.plan, self._last_picture = detector.plan, None
            with open_camera(self.settings.camera) as camera:
                self._open = True
                try:
                    yield detector, camera
                finally:
                    self._open = False

    def _noted(self, inspections: Iterable[Inspection]) -> Iterator[Inspection]:
        """The same inspections; remembers when the camera last gave a picture."""
        for inspection in inspections:
            if inspection.frame.image is not None:
                self._last_picture = self._clock()
            yield inspection

    def _sinks(self, info: RunInfo, screen: Sink) -> Sequence[Sink]:
        """In the order of the promise: pictures, row, screen; the counters see what all took."""
        kept = self.settings.pictures
        return (
            PictureSink(self.settings.out, every_ok=kept.every_ok, opacity=kept.opacity),
            InspectionLog(self.database, info),
            screen,
            self.counters,
        )

    def _run_info(self, run_id: str, camera: str, detector: Detector) -> RunInfo:
        """What the rows rest on: the plan that answers, not the one on disk at birth."""
        plan, recipe = detector.plan, self._recipe.model_dump_json().encode()
        return RunInfo(
            id=run_id,
            station=self.settings.name,
            camera=camera,
            bundle_sha256=plan.bundle_sha256,
            plan_sha256=detector.plan_sha256,
            recipe_sha256=hashlib.sha256(recipe).hexdigest(),
            settings_sha256=settings_sha256(self.settings),
            runtime=f"{plan.runtime} {plan.runtime_version}",
            precision=plan.precision,
            steps=plan.steps,
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


def check_fit(settings: StationSettings, plan: PlanManifest, recipe: Recipe) -> None:
    """See that settings, plan and recipe go together.

    :class:`InputError` where the thresholds were measured with another bundle,
    :class:`engine.types.UnknownProductError` where model or recipe lack the station's product.
    """
    require_fit(recipe, settings.recipe, plan)
    if settings.product is not None:
        plan.code(settings.product)
        recipe.threshold(settings.product)


def run_headless(session: StationSession, screen: Sink) -> None:
    """Run to the end in this thread. Ctrl+C ends it between two parts, with the run closed, and
    is then raised as :class:`KeyboardInterrupt`; a second Ctrl+C does not wait."""
    control = Control()
    control.start()
    with _ctrl_c_stops(control):
        session.run(control, screen)


@contextmanager
def _ctrl_c_stops(control: Control) -> Iterator[None]:
    """Where Python's own handler stands: it is not ours to replace another's, or "ignored"."""
    python = signal.default_int_handler
    in_main = threading.current_thread() is threading.main_thread()
    if not in_main or signal.getsignal(signal.SIGINT) is not python:
        yield
        return
    interrupted = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal interrupted
        interrupted = True
        signal.signal(signal.SIGINT, python)
        control.stop()

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, python)
    if interrupted:
        raise KeyboardInterrupt


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
    try:
        run_headless(session, NoScreen())
    finally:  # after Ctrl+C, too: it is how a station without an end is ended
        _say_counts(session)


def _say_counts(session: StationSession) -> None:
    total = session.counters.counts().total
    typer.echo(f"{total.triggers} parts: {total.ok} OK, {total.ng} NG, {total.fault} FAULT.")
