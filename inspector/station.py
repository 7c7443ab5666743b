"""Puts a station together from its settings: camera → loop → pictures → database → screen.

The only place, beside the command line, where concrete classes are chosen; and where what these
say of themselves becomes the station's one state.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Self

from calibration.recipe import Recipe, read_recipe, require_fit
from engine.detector import Detector
from engine.manifest import PlanManifest
from engine.plan import read_plan
from engine.sealed import require_unsealed
from inspector.camera.address import without_password
from inspector.camera.base import Setting
from inspector.camera.supervised import SupervisedCamera
from inspector.clock import utc_now
from inspector.db.forwarding import Forwarding
from inspector.db.golden_checks import verify_and_keep
from inspector.db.log import InspectionLog, RunInfo
from inspector.db.run_info import in_effect_text
from inspector.db.writer import Writer
from inspector.execution import Execution
from inspector.lock import alone_in
from inspector.parts import parts
from inspector.people.roles import UNNAMED
from inspector.pipeline.control import Control, RunState
from inspector.pipeline.counters import Counters
from inspector.pipeline.event_queue import EventQueue
from inspector.pipeline.events import EventCode, StationEvent
from inspector.pipeline.frame_checks import FrameLimits
from inspector.pipeline.housekeeper import Retention
from inspector.pipeline.ids import uuid7_ids
from inspector.pipeline.inspection import Inspection
from inspector.pipeline.latched import ErrorCode
from inspector.pipeline.loop import inspect
from inspector.pipeline.pictures import PictureSink
from inspector.pipeline.sinks import Sink, run
from inspector.pipeline.state import RefusedError
from inspector.pipeline.station_state import Owner, Standing, StationState
from inspector.settings import StationSettings, settings_sha256
from inspector.surroundings import Surroundings
from inspector.texts import storable
from inspector.watch import watch

if TYPE_CHECKING:
    from inspector.ui.session import StatusItem

DATABASE = "inspections.sqlite"


class StationSession:
    """One station, ready to run: what the window and the headless loop both call.

    A plan that is damaged or of a bundle that nobody trusted has signed, a recipe measured with
    another bundle, or a product that neither knows is refused at birth, before a camera is opened;
    and again by each run, since plan and recipe may have been made anew meanwhile: ``plan`` is the
    one that ran last. ``frames`` ends a run after so many; None runs until the camera ends or
    somebody stops it.
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
        self._most = frames
        self.title, self.repeatable = settings.name, repeatable
        self.counters = Counters()
        self.events = EventQueue()
        self._plc_triggers = settings.modbus is not None and settings.modbus.triggers
        owner = Owner.PLC if self._plc_triggers else Owner.PERSON
        self.state = StationState(self.events, owner)
        self._round = Surroundings(settings, self.state, self.events)
        # Written by the run's thread alone, read by whoever asks for the status.
        self._clock = clock
        self._camera: SupervisedCamera | None = None
        self._last_picture: float | None = None
        self._site_lost: bool | None = None  # over all runs; written by the thread that sends
        self._execution: Execution | None = None  # of the run that is on, or was last

    def __enter__(self) -> Self:
        """Open what stands round the station. Without it a session runs, and tells nobody."""
        self._round.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._round.__exit__(kind, error, trace)

    @property
    def database(self) -> Path:
        return self.settings.out / DATABASE

    def run(self, control: Control, screen: Sink) -> None:
        """Inspect until the camera ends, ``frames`` are done, or ``control`` says stop.

        The station's state says meanwhile how it stands: Ready once everything is open, Error
        with what went wrong, latched, where the run ends by it.
        """
        self.counters, new_id = Counters(), uuid7_ids()
        run_id = new_id()
        self._execution = execution = Execution(
            self.state,
            control,
            self._round,
            self.settings.out,
            plc_triggers=self._plc_triggers,
        )
        if not execution.links_are_back(self._round.pass_on):
            return
        with (
            execution.ended_in_a_state(),
            self._opened(execution, control, run_id) as (detector, camera, writer),
        ):
            if control.state is RunState.STOPPED:  # while the camera opened
                return
            inspections = inspect(
                parts(self.settings, self._round, camera, control, self._most, execution.hold),
                detector,
                self._recipe,
                triggered=camera.triggered,
                new_id=new_id,
                product=self.settings.product,
                limits=FrameLimits(grab_deadline_ms=self.settings.grab_deadline_ms),
                deadline_ms=self.settings.deadline_ms,
            )
            info = self._run_info(run_id, camera.name, detector, camera.in_effect)
            outbox = self.settings.site is not None
            log = InspectionLog(self.database, info, writer=writer, outbox=outbox)
            run(
                execution.executed(self._seen(inspections)),
                self._sinks(log, screen),
                execution.held_at_its_end(),
            )

    def standing(self) -> Standing:
        """How the station stands now; at once, from any thread."""
        return self.state.standing

    def status(self) -> "Sequence[StatusItem]":
        """State, camera, model, what the settings connect it to, database and disk, as now."""
        from inspector.status import Parts, items

        camera, last = self._camera, self._last_picture
        parts = Parts(
            plan=self.plan,
            database=self.database,
            camera=None if camera is None else camera.health_now(),
            silent_s=None if last is None else self._clock() - last,
            line=self._round.line,
            mqtt=self._round.mqtt,
            site_lost=self._site_lost,
        )
        return items(self.settings, self.standing(), parts)

    def _shown(self, detector: Detector) -> Sequence[str]:
        """What the camera may show: the station's one product, or those that the recipe knows."""
        if self.settings.product is not None:
            return [self.settings.product]
        return [product for product in detector.products if product in self._recipe.products]

    @contextmanager
    def _opened(
        self, execution: Execution, control: Control, run_id: str
    ) -> Iterator[tuple[Detector, SupervisedCamera, Writer]]:
        """Model, database and camera; what is passed on the way counts towards Ready."""
        s = self.settings
        with ExitStack() as stack:
            detector = stack.enter_context(Detector.open(s.plan, s.threads, s.trusted_keys))
            self._recipe = read_recipe(s.recipe)
            check_fit(s, detector.plan, self._recipe)
            stack.enter_context(alone_in(s.out))
            writer = stack.enter_context(Writer(self.database))
            stack.enter_context(self._told(execution, control, run_id, writer))
            about = self._run_info(run_id, "", detector)  # no camera is open yet
            verify_and_keep(detector, self._recipe.limits, self._shown(detector), writer, about)
            # Here nobody else writes, and neither database nor golden check has refused.
            stack.enter_context(Retention(s.out, s.pictures, self.events.put))
            self.plan, self._last_picture = detector.plan, None
            if s.site is not None:
                stack.enter_context(Forwarding(writer, s.site.url, self._site_said))
            camera = stack.enter_context(self._supervised(execution, control))
            detector.warm_up()
            if camera.waits_for_hardware:
                camera.begin()
            yield detector, camera, writer

    @contextmanager
    def _supervised(self, execution: Execution, control: Control) -> Iterator[SupervisedCamera]:
        def stopped() -> bool:
            self._round.alive()  # asked by the thread that inspects, while it waits for a frame
            is_stopped = control.state is RunState.STOPPED
            if is_stopped and execution.is_open:
                execution.hold()  # before the last pictures are waited for: no trigger may follow
            return is_stopped

        with SupervisedCamera(
            self.settings.camera, tell=execution.camera_changed, stopped=stopped
        ) as camera:
            self._camera = camera
            try:
                yield camera
            finally:
                self._camera = None

    @contextmanager
    def _told(
        self, execution: Execution, control: Control, run_id: str, writer: Writer
    ) -> Iterator[None]:
        """Whoever has to know hears four times a second how the station stands."""

        def keep(event: StationEvent) -> None:  # a row may name the run once that has its own
            writer.event(event, run_id if execution.is_open else None)

        def look() -> None:
            with suppress(RefusedError):  # something was lost just now: the next look sees it
                execution.note_what_changes()
            execution.show()
            self._round.pass_on(keep)

        self._round.pass_on(keep)  # first what came since the last run
        self._round.begin(run_id)
        self._say(EventCode.RUN_STARTED, "A run begins.", run_id)
        try:
            with execution.latched(), watch(look, control.stop):
                yield
        finally:
            self._say(EventCode.RUN_ENDED, "The run is over.", run_id)
            self._round.pass_on(keep)
            self._round.begin(None)

    def _site_said(self, sentence: str) -> None:
        was_lost, self._site_lost = self._site_lost, bool(sentence)
        if not (was_lost or sentence):
            return  # well from the start is no news
        code = EventCode.SITE_LOST if sentence else EventCode.SITE_BACK
        text = sentence or "The site's database takes records."
        self.tell(code, text)

    def _say(self, code: EventCode, text: str, run_id: str) -> None:
        self.events.put(StationEvent(code, utc_now(), text, MappingProxyType({"run": run_id})))

    def _seen(self, inspections: Iterable[Inspection]) -> Iterator[Inspection]:
        """The same inspections; the status says how long ago the last picture came."""
        for inspection in inspections:
            if inspection.frame.image is not None:
                self._last_picture = self._clock()
            yield inspection

    def acknowledge(self, person: str = UNNAMED) -> None:
        """``person`` has seen what went wrong; the next start looks anew whether it has gone."""
        self.state.resolve(ErrorCode.DATABASE_REFUSED, "The database is opened anew at the start.")
        self.state.confirm_all(person)
        if self._execution is None:
            self._round.show(self.state.standing)
        else:
            self._execution.show()  # between two runs nobody else does

    def tell(self, code: EventCode, text: str) -> None:
        """An event of somebody else's, as the window; its row comes with the run's next."""
        self.events.put(StationEvent(code, utc_now(), text))

    def _sinks(self, log: InspectionLog, screen: Sink) -> Sequence[Sink]:
        """In the order of the promise: pictures, row, line, screen; the counters see it all."""
        pictures = PictureSink.of(self.settings.out, self.settings.pictures, self.events.put)
        return (pictures, log, *self._round.sinks(self._recipe.products), screen, self.counters)

    def _run_info(
        self,
        run_id: str,
        camera: str,
        detector: Detector,
        in_effect: Mapping[str, Setting] = MappingProxyType({}),
    ) -> RunInfo:
        """What the rows rest on: the plan that answers, not the one on disk at birth."""
        plan = detector.plan
        return RunInfo(
            id=run_id,
            station=self.settings.name,
            camera=camera,
            bundle_sha256=plan.bundle_sha256,
            plan_sha256=detector.plan_sha256,
            recipe_sha256=self._recipe.sha256,
            settings_sha256=settings_sha256(self.settings),
            runtime=f"{plan.runtime} {plan.runtime_version}",
            precision=plan.precision,
            steps=plan.steps,
            program_version=version("promptmad-inspector"),
            camera_spec=storable(without_password(self.settings.camera)),
            camera_in_effect=in_effect_text(in_effect),
            bundle_name=plan.bundle_name,
            plan_path=storable(str(self.settings.plan.resolve())),
            recipe=self._recipe.model_dump_json(),
            shift=self.settings.shift,
            lot=self.settings.lot,
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
