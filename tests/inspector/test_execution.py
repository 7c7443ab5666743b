"""One run's way through the states, and above all its end: what was held never executes again."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.types import DatabaseError
from inspector.camera.keeper import Link, LinkChange
from inspector.execution import Execution
from inspector.monitor.pulse import Doing, Pulse
from inspector.pipeline.control import Control
from inspector.pipeline.event_queue import EventQueue
from inspector.pipeline.inspection import HUNG_AFTER_S
from inspector.pipeline.latched import ErrorCode
from inspector.pipeline.readiness import Check, Precondition
from inspector.pipeline.sinks import run
from inspector.pipeline.state import RefusedError, State
from inspector.pipeline.station_state import Owner, StationState
from inspector.settings import StationSettings
from inspector.surroundings import Surroundings
from tests.inspector.test_pipeline_sinks import Notebook, parts

FULL, ROOM = (Check(Precondition.DISK, ok, "The disk.") for ok in (False, True))
LOST, BACK = (LinkChange("camera", link, "The cable.") for link in (Link.LOST, Link.OPEN))


class Bench:
    """Runs without camera and database, and what may happen beside them."""

    def __init__(self, out: Path, plc_triggers: bool) -> None:
        events = EventQueue()
        self.state = StationState(events, Owner.PLC if plc_triggers else Owner.PERSON)
        where = StationSettings(name="T1", camera="sim:disc", plan=out, recipe=out, out=out)
        self.round = Surroundings(where, self.state, events, stream=None)
        self._out, self._plc_triggers = out, plc_triggers
        self.anew()

    def anew(self) -> None:
        """The next run, started by a person."""
        self.control = Control()
        self.control.start()
        self.execution = Execution(
            self.state, self.control, self.round, self._out, plc_triggers=self._plc_triggers
        )

    @contextmanager
    def begun(self) -> Iterator[None]:
        """In execution, with the first part in hand."""
        with self.execution.ended_in_a_state():
            executed = self.execution.executed(parts(9))
            next(executed)
            assert self.executes
            yield

    @property
    def executes(self) -> bool:
        return self.state.standing.state.is_executing

    def look(self) -> None:
        """As the watch does."""
        with suppress(RefusedError):
            self.execution.note_what_changes()
        self.execution.show()


LINE = ErrorCode.LINE_LOST
THINGS: dict[str, Callable[[Bench], None]] = {
    "look": Bench.look,
    "pause": lambda bench: bench.control.pause(),
    "start": lambda bench: bench.control.start(),
    "camera lost": lambda bench: bench.execution.camera_changed(LOST),
    "camera back": lambda bench: bench.execution.camera_changed(BACK),
    "line lost": lambda bench: bench.state.raise_error(LINE, "Lost."),
    "line back": lambda bench: bench.state.resolve(LINE, "Back."),
    "disk full": lambda bench: bench.state.note([FULL]),
    "disk has room": lambda bench: bench.state.note([ROOM]),
    "crash": lambda bench: bench.state.raise_error(ErrorCode.INTERNAL, "KeyError"),
    "acknowledge": lambda bench: bench.state.confirm_all("Kim"),
}
"""What may happen at any moment, beside the thread that inspects."""

happened = st.lists(st.sampled_from(sorted(THINGS)), max_size=12)


@given(plc=st.booleans(), before=happened, stop=st.booleans(), closing=happened, between=happened)
@example(  # a camera that ends in a pause, and a person who goes on while it closes
    plc=True, before=["pause", "look"], stop=False, closing=["start", "look"], between=[]
)
@settings(max_examples=300, deadline=None)
def test_what_was_held_never_executes_again(
    tmp_path_factory: pytest.TempPathFactory,
    plc: bool,
    before: list[str],
    stop: bool,
    closing: list[str],
    between: list[str],
) -> None:
    bench = Bench(tmp_path_factory.getbasetemp(), plc)
    with bench.begun():
        for thing in before:
            THINGS[thing](bench)
        if stop:
            bench.control.stop()
        bench.execution.hold()
        for thing in closing:
            assert not bench.executes
            THINGS[thing](bench)
        assert not bench.executes
    for thing in between:
        THINGS[thing](bench)
        assert not bench.executes
    THINGS["camera back"](bench)
    THINGS["line back"](bench)
    THINGS["acknowledge"](bench)
    assert bench.state.standing.state is State.PREOPERATIONAL


@pytest.mark.parametrize("plc", [True, False])
def test_between_stop_and_the_last_part_a_paused_station_stays_as_it_was(
    tmp_path: Path, plc: bool
) -> None:
    bench = Bench(tmp_path, plc)
    with bench.begun():
        bench.control.pause()
        bench.look()
        assert not bench.state.standing.accepts_triggers
        bench.control.stop()
        bench.look()
        assert not bench.state.standing.accepts_triggers


def test_the_next_run_is_the_plcs_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path, plc_triggers=True)
    with bench.begun():
        bench.control.pause()
        bench.look()
        assert bench.state.standing.owner is Owner.PERSON
        bench.control.stop()
        bench.execution.hold()
    bench.anew()
    with bench.begun():
        assert bench.state.standing.owner is Owner.PLC
        bench.look()
        assert bench.executes


def test_a_sink_that_fails_holds_the_station_before_anything_closes(tmp_path: Path) -> None:
    bench, executed = Bench(tmp_path, plc_triggers=True), []

    class Closing(Notebook):
        def __exit__(self, *_: object) -> None:
            executed.append(bench.executes)

    execution = bench.execution
    sinks = [Closing("log", fails_at=1), Closing("screen")]
    with pytest.raises(DatabaseError), execution.ended_in_a_state():
        run(execution.executed(parts(9)), sinks, execution.held_at_its_end())
    assert executed == [False, False]
    assert bench.state.standing.state is State.ERROR


def test_what_ends_a_run_is_told_once_and_before_anything_closes(tmp_path: Path) -> None:
    bench = Bench(tmp_path, plc_triggers=False)
    told: list[int] = []

    class Closing(Notebook):
        def __exit__(self, *_: object) -> None:
            told.extend(error.count for error in bench.state.standing.errors)

    execution, sinks = bench.execution, [Closing("log", fails_at=1)]
    with pytest.raises(DatabaseError), execution.ended_in_a_state(), execution.latched():
        run(execution.executed(parts(9)), sinks, execution.held_at_its_end())
    (error,) = bench.state.standing.errors
    assert (told, error.count) == ([1], 1)


def test_a_part_that_does_not_get_through_is_one_error_until_it_does(tmp_path: Path) -> None:
    bench, now = Bench(tmp_path, plc_triggers=False), [0.0]
    pulse = bench.round.pulse = Pulse(lambda: now[0])
    with bench.begun():
        pulse.note(Doing.INSPECTING)
        now[0] = HUNG_AFTER_S
        bench.look()
        assert bench.executes
        for now[0] in (HUNG_AFTER_S + 1, HUNG_AFTER_S + 2):
            bench.look()
            (error,) = bench.state.standing.errors
            assert (error.code, error.count) == (ErrorCode.HUNG, 1)
            assert bench.state.standing.state is State.ERROR
        pulse.note(Doing.WAITING)
        bench.look()
        assert bench.executes
        (error,) = bench.state.standing.errors
        assert (error.is_resolved, error.acknowledged_by) == (True, None)
        now[0] += 10 * HUNG_AFTER_S  # a line that stands still
        bench.look()
        assert bench.executes
        pulse.note(Doing.INSPECTING)
        now[0] += 2 * HUNG_AFTER_S
        bench.look()
    assert [error.is_resolved for error in bench.state.standing.errors] == [True]
    assert bench.state.standing.state is State.PREOPERATIONAL


def test_nothing_hangs_before_the_first_part_and_after_the_last(tmp_path: Path) -> None:
    bench, now = Bench(tmp_path, plc_triggers=False), [0.0]
    pulse = bench.round.pulse = Pulse(lambda: now[0])
    pulse.note(Doing.INSPECTING)  # what a run left that ended by an error
    now[0] = 2 * HUNG_AFTER_S
    with bench.execution.ended_in_a_state():
        bench.look()
    bench.anew()
    with bench.begun():
        bench.execution.hold()
        bench.look()
    assert bench.state.standing.errors == ()
    bench.round.begin("run 3")
    assert pulse.busy_s() == 0
