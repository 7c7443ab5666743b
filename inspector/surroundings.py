"""What stands round a station: its log, its lines, its monitor.

Open for the life of a station, over all its runs. Before it is opened, and where the settings name
nothing of the kind, each of these is simply not there.
"""

import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from types import MappingProxyType, TracebackType
from typing import Final, Self, TextIO

from engine.types import KnownError
from inspector.camera.base import NOT_SAID, Frame
from inspector.clock import utc_now
from inspector.line.modbus import ModbusLine
from inspector.line.mqtt import MqttLink
from inspector.line.signals import StationSigns
from inspector.logs.station_log import StationLog
from inspector.monitor.health import Check, pulse_check
from inspector.monitor.metrics import MetricsSink
from inspector.monitor.pulse import Doing, Pulse
from inspector.monitor.server import MonitorServer
from inspector.monitor.systemd import Watchdog
from inspector.pipeline.event_queue import Drained, EventQueue
from inspector.pipeline.events import EventCode, StationEvent
from inspector.pipeline.latched import ErrorCode
from inspector.pipeline.sinks import Sink
from inspector.pipeline.state import State
from inspector.pipeline.station_state import Standing, StationState
from inspector.settings import StationSettings

READY: Final = (State.READY, State.SINGLE_EXECUTION, State.CONTINUOUS_EXECUTION)
Keep = Callable[[StationEvent], None]


class Surroundings:
    """``state`` hears of a lost PLC and is what is shown; ``events`` are passed on by
    :meth:`pass_on`. ``stream`` gets the log as text, where a station has no window."""

    def __init__(
        self,
        settings: StationSettings,
        state: StationState,
        events: EventQueue,
        stream: TextIO | None = sys.stderr,
    ) -> None:
        self._settings, self._state, self._events = settings, state, events
        self._stream = stream
        self._unkept = EventQueue()  # told, and waiting for a database that is open
        self.pulse = Pulse()
        self.line: ModbusLine | None = None
        self._mqtt: MqttLink | None = None
        self._metrics: MetricsSink | None = None
        self._log: StationLog | None = None
        self._held = ExitStack()

    def __enter__(self) -> Self:
        s = self._settings
        with ExitStack() as stack:
            self._log = stack.enter_context(StationLog(s.out, s.name, s.log, stream=self._stream))
            stack.callback(self._last_words)
            if s.monitor is not None:
                self._metrics = metrics = MetricsSink((), s.out)
                stack.enter_context(MonitorServer(s.monitor, metrics.registry, self._checks))
            if s.modbus is not None:
                self.line = stack.enter_context(ModbusLine(s.modbus, self._plc_said))
            if s.mqtt is not None:
                self._mqtt = stack.enter_context(MqttLink(s.mqtt, s.name, self._events.put))
            stack.enter_context(Watchdog(self.pulse))
            self._held = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.pass_on()
        if isinstance(error, KnownError):  # the run has said it, and what is told is told once
            kind = error = trace = None
        self._held.__exit__(kind, error, trace)
        self._log = None

    def _last_words(self) -> None:
        """The log hears what the others said while they closed."""
        self.line = self._mqtt = self._metrics = None
        self.pass_on()

    @property
    def mqtt(self) -> MqttLink | None:
        return self._mqtt

    def begin(self, run_id: str | None) -> None:
        """Lines of the log belong to this run from now on, None: to none; and it draws its first
        picture yet, whatever the run before has left in hand."""
        self.pulse.note(Doing.ENDED if run_id is None else Doing.STARTING)
        if self._log is not None:
            self._log.run = run_id

    def sinks(self, products: Collection[str]) -> Sequence[Sink]:
        """Those that a committed record goes to, for one run with a recipe for ``products``."""
        if self._metrics is not None:
            self._metrics.know(products)
        links = [link.sink() for link in (self.line, self._mqtt) if link is not None]
        return (*links, *([] if self._metrics is None else [self._metrics]))

    def alive(self) -> None:
        """A sign of life of the thread that inspects, to the PLC."""
        if self.line is not None:
            self.line.alive()

    def took(self, frame_id: int, at: float) -> None:
        """A picture that no PLC asked for was taken then, in seconds of :func:`time.monotonic`."""
        if self.line is not None:
            self.line.took(frame_id, at)

    def with_messages(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The same frames; one that names no part is the part that a message named last."""
        for frame in frames:
            if self._mqtt is not None and frame.part == NOT_SAID:
                yield replace(frame, part=self._mqtt.latest_part(frame.grabbed_at))
            else:
                yield frame

    def show(self, standing: Standing) -> None:
        """Tell line and monitor how the station stands."""
        signs = StationSigns(
            ready=standing.state in READY,
            inspecting=standing.accepts_triggers,
            state=standing.state.value,
        )
        if self.line is not None:
            self.line.show(signs)
        if self._mqtt is not None:
            self._mqtt.show(signs)
        if self._metrics is not None:
            self._metrics.enter_state(signs.state)

    def pass_on(self, keep: Keep | None = None) -> None:
        """What has happened, to whoever listens; ``keep`` writes it into the database.

        Without one, as between two runs, it waits for the next that has one.
        """
        heard = (self._log, self._metrics)
        tells = [each.say for each in heard if each is not None]
        if self._mqtt is not None:
            tells.append(self._mqtt.tell)
        for event in _all_of(self._events.drain()):
            self._unkept.put(event)
            for tell in tells:
                tell(event)
        if keep is not None:
            for event in _all_of(self._unkept.drain()):
                keep(event)

    def _plc_said(self, event: StationEvent) -> None:
        """A PLC that is gone keeps the station from being Ready until it is back."""
        if event.code is EventCode.LINE_LOST:
            self._state.raise_error(ErrorCode.LINE_LOST, event.text)
        elif event.code is EventCode.LINE_BACK:
            self._state.resolve(ErrorCode.LINE_LOST, event.text)
        else:
            self._events.put(event)

    def _checks(self) -> Sequence[Check]:
        standing = self._state.standing
        missing = [Check(check.name, False, check.sentence) for check in standing.missing]
        errors = [Check(error.code, not error.blocks, error.sentence) for error in standing.errors]
        state = Check("state", standing.state in READY, standing.state)
        return (state, pulse_check(self.pulse), *missing, *errors)


def _all_of(drained: Drained) -> Iterator[StationEvent]:
    """What came, after a word on older events that nobody can tell any more."""
    if drained.lost:
        text = f"{drained.lost} events are lost: nobody took them in time."
        details = MappingProxyType({"lost": drained.lost})
        yield StationEvent(EventCode.EVENTS_LOST, utc_now(), text, details)
    yield from drained.events
