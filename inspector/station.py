"""Puts a station together from its settings: camera → loop → pictures → database → screen.

The only place, beside the command line, where concrete classes are chosen; and where what these
say of themselves becomes the station's one state.
"""

import hashlib
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from calibration.recipe import Recipe, read_recipe, require_fit
from engine.detector import Detector
from engine.manifest import PlanManifest
from engine.plan import read_plan
from engine.sealed import require_unsealed
from engine.types import DatabaseError, InferenceError, KnownError
from inspector.camera.address import without_password
from inspector.camera.keeper import Link, LinkChange
from inspector.camera.supervised import SupervisedCamera
from inspector.db.log import InspectionLog, RunInfo
from inspector.pipeline.control import Control, RunState
from inspector.pipeline.counters import Counters
from inspector.pipeline.event_queue import EventQueue
from inspector.pipeline.frame_checks import FrameLimits
from inspector.pipeline.ids import uuid7_ids
from inspector.pipeline.inspection import Inspection
from inspector.pipeline.latched import ErrorCode
from inspector.pipeline.loop import inspect
from inspector.pipeline.pictures import PictureSink
from inspector.pipeline.readiness import Check, Precondition
from inspector.pipeline.sinks import Sink, run
from inspector.pipeline.state import Event, State
from inspector.pipeline.station_state import StationState
from inspector.settings import StationSettings, settings_sha256
from inspector.watch import Watch

if TYPE_CHECKING:
    from inspector.ui.session import Health, StatusItem

DATABASE = "inspections.sqlite"
LOW_DISK_BYTES = 2 * 2**30
LEAST_FREE_BYTES = 16 * 2**20  # below, a row may not fit any more
SILENT_S = 10.0  # without a picture for so long, a camera is not called well


OPENED: Final = (
    Precondition.CAMERA,
    Precondition.PLAN,
    Precondition.RECIPE,
    Precondition.CALIBRATION,
    Precondition.DATABASE,
)
"""What is well by being open: each is checked as it is opened, and raises where it is not."""


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
        self.events = EventQueue()
        self.state = StationState(self.events)
        # Written by the run's thread alone, read by whoever asks for the status.
        self._clock = clock
        self._camera: SupervisedCamera | None = None
        self._last_picture: float | None = None

    @property
    def database(self) -> Path:
        return self.settings.out / DATABASE

    def run(self, control: Control, screen: Sink) -> None:
        """Inspect until the camera ends, ``frames`` are done, or ``control`` says stop.

        The station's state says meanwhile how it stands: Ready once everything is open, Error
        with what went wrong, latched, where the run ends by it.
        """
        self.counters, new_id = Counters(), uuid7_ids()
        with self._ended_in_a_state(), self._opened(control) as (detector, camera):
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
            with Watch(partial(self._look, control)):
                run(self._executed(inspections), self._sinks(info, screen))

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
                Health.GOOD if self._camera is not None else Health.UNKNOWN,
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

        last, camera = self._last_picture, self._camera
        if camera is None:
            return Health.UNKNOWN, "closed"
        health = camera.health_now()
        if health.link is Link.LOST:
            return Health.BAD, health.sentence
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
    def _opened(self, control: Control) -> Iterator[tuple[Detector, SupervisedCamera]]:
        """Model and camera; what is passed on the way counts towards Ready."""
        s = self.settings
        with Detector.open(s.plan, s.threads, s.trusted_keys) as detector:
            check_fit(self.settings, detector.plan, self._recipe)
            detector.verify(self._recipe.limits, self._shown(detector))
            self.plan, self._last_picture = detector.plan, None
            with SupervisedCamera(
                s.camera,
                tell=self._camera_changed,
                stopped=lambda: control.state is RunState.STOPPED,
            ) as camera:
                self._camera = camera
                try:
                    yield detector, camera
                finally:
                    self._camera = None

    def _executed(self, inspections: Iterable[Inspection]) -> Iterator[Inspection]:
        """The same inspections, from Ready on: whoever asks for the first has opened the rest."""
        self.state.note(Check(name, True, f"The {name} is well.") for name in OPENED)
        self.state.note([self._disk_check()])
        for event in (Event.PREPARE_RECIPE, Event.START_CONTINUOUS):
            self.state.command(event, self.state.standing.owner)
        for inspection in inspections:
            if inspection.frame.image is not None:
                self._last_picture = self._clock()
            yield inspection

    @contextmanager
    def _ended_in_a_state(self) -> Iterator[None]:
        """From Preoperational and back to it; in Error where the run does not simply end."""
        self._reset()
        self.state.command(Event.SELECT_MODE_AUTOMATIC, self.state.standing.owner)
        try:
            yield
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self.state.raise_error(error_code(error), sentence_of(error))
            raise
        finally:
            self.state.resolve(ErrorCode.CAMERA_LOST, "The camera is closed.")
            if self.state.standing.state is not State.ERROR:
                self._reset()
            self.state.note(Check(name, False, f"The {name} is closed.") for name in OPENED)

    def _reset(self) -> None:
        standing = self.state.standing
        if standing.state is not State.PREOPERATIONAL:
            self.state.command(Event.RESET, standing.owner)

    def acknowledge(self) -> None:
        """A person has seen what went wrong; the next start looks anew whether it has gone."""
        self.state.resolve(ErrorCode.DATABASE_REFUSED, "The database is opened anew at the start.")
        self.state.confirm_all("operator")

    def _look(self, control: Control) -> None:
        """What a station looks at by itself, whatever the line does."""
        self.state.note([self._disk_check()])
        standing = self.state.standing
        paused = control.state is RunState.PAUSED
        if standing.state is State.CONTINUOUS_EXECUTION and paused is not standing.paused:
            (self.state.pause if paused else self.state.go_on)(standing.owner)

    def _camera_changed(self, change: LinkChange) -> None:
        if change.link is Link.LOST:
            self.state.raise_error(ErrorCode.CAMERA_LOST, change.sentence)
        else:
            self.state.resolve(ErrorCode.CAMERA_LOST, f"The camera {change.camera} is back.")

    def _disk_check(self) -> Check:
        """Rows need room; without any, a verdict could not be recorded."""
        try:
            free = shutil.disk_usage(self.settings.out).free
        except OSError as error:
            reason = error.strerror or "not reachable"
            return Check(Precondition.DISK, False, f"The disk of {self.settings.out}: {reason}.")
        if free < LEAST_FREE_BYTES:
            sentence = f"The disk of {self.settings.out} is full: free some space."
            return Check(Precondition.DISK, False, sentence)
        return Check(Precondition.DISK, True, "The disk has room.")

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


def check_fit(settings: StationSettings, plan: PlanManifest, recipe: Recipe) -> None:
    """See that settings, plan and recipe go together.

    :class:`InputError` where the thresholds were measured with another bundle,
    :class:`engine.types.UnknownProductError` where model or recipe lack the station's product.
    """
    require_fit(recipe, settings.recipe, plan)
    if settings.product is not None:
        plan.code(settings.product)
        recipe.threshold(settings.product)


def error_code(error: BaseException) -> ErrorCode:
    """Under which code a run's end is latched; the narrower kind of error first."""
    kinds: dict[type[BaseException], ErrorCode] = {
        DatabaseError: ErrorCode.DATABASE_REFUSED,
        InferenceError: ErrorCode.INFERENCE_FAILED,
        KnownError: ErrorCode.NOT_OPENED,
    }
    found = (code for kind, code in kinds.items() if isinstance(error, kind))
    return next(found, ErrorCode.INTERNAL)


def sentence_of(error: BaseException) -> str:
    return str(error) if isinstance(error, KnownError) else f"{type(error).__name__}: {error}"
