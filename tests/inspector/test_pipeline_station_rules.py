"""Whatever happens to a station, in whatever order: what must never be so is never so."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from inspector.pipeline.event_queue import EventQueue
from inspector.pipeline.events import EventCode
from inspector.pipeline.latched import KINDS, ErrorCode
from inspector.pipeline.readiness import REQUIRED, Check
from inspector.pipeline.state import Event, RefusedError, State
from inspector.pipeline.station_state import COMMANDS, Owner, StationState
from tests.inspector.pipeline_parts import NOON

owners = st.sampled_from(Owner)
codes = st.sampled_from(ErrorCode)


class AnyDay(RuleBasedStateMachine):
    """Keeps a book of its own on what was told, and compares the station with it."""

    @initialize(owner=owners)
    def begin(self, owner: Owner) -> None:
        self.events = EventQueue()
        self.station = StationState(self.events, owner, clock=lambda: NOON)
        self.owner = owner
        self.seen = State.PREOPERATIONAL
        self.unresolved: set[ErrorCode] = set()
        self.unseen: set[ErrorCode] = set()
        self.passed: set[str] = set()

    @rule(event=st.sampled_from(sorted(COMMANDS)), by=owners)
    def command(self, event: str, by: Owner) -> None:
        before = self.station.standing
        try:
            self.station.command(next(e for e in COMMANDS if e == event), by)
        except RefusedError:
            assert self.station.standing == before
        else:
            assert by is self.owner

    @rule(paused=st.booleans(), by=owners)
    def pause(self, paused: bool, by: Owner) -> None:
        before = self.station.standing
        try:
            (self.station.pause if paused else self.station.go_on)(by)
        except RefusedError:
            assert self.station.standing == before
        else:
            assert by is self.owner
            assert self.station.standing.accepts_triggers is not paused

    @rule()
    def everything_passes(self) -> None:
        self.passed = set(REQUIRED)
        self.station.note(Check(name, True, "Well.") for name in REQUIRED)

    @rule(name=st.sampled_from(REQUIRED), passed=st.booleans())
    def check(self, name: str, passed: bool) -> None:
        (self.passed.add if passed else self.passed.discard)(name)
        self.station.note([Check(next(n for n in REQUIRED if n == name), passed, "Seen.")])

    @rule(code=codes)
    def go_wrong(self, code: ErrorCode) -> None:
        self.station.raise_error(code, "Wrong.")
        if code not in self.unresolved:
            self.unseen.add(code)
        if KINDS[code].lasting:
            self.unresolved.add(code)

    @rule(code=codes)
    def resolve(self, code: ErrorCode) -> None:
        self.station.resolve(code, "Well.")
        self.unresolved.discard(code)

    @rule(code=codes)
    def acknowledge(self, code: ErrorCode) -> None:
        before = self.station.standing.state
        self.station.acknowledge(code, "Kim")
        self.unseen.discard(code)
        assert before.is_executing or not self.station.standing.state.is_executing

    @rule(by=owners)
    def take_control(self, by: Owner) -> None:
        changes = by is not self.owner
        self.station.take_control(by, "Kim")
        self.owner = by
        if changes:
            state = self.station.standing.state
            assert state is not State.READY
            assert not state.is_executing

    @rule()
    def job_done(self) -> None:
        if self.station.standing.state.is_executing:
            self.station.job_done()

    @rule(by=owners)
    def start(self, by: Owner) -> None:
        before = self.station.standing
        try:
            started = self.station.start(by)
        except RefusedError:
            started = False
        if started:
            assert self.station.standing.state is State.CONTINUOUS_EXECUTION
        else:
            assert self.station.standing == before

    @rule(event=st.sampled_from([Event.STOP, Event.RESET]))
    def call_off(self, event: Event) -> None:
        halted = self.station.standing.state is State.HALTED
        self.station.call_off(event, "the run ends")
        state = self.station.standing.state
        assert not state.is_executing
        if event is Event.RESET:
            assert state in (State.PREOPERATIONAL, State.ERROR)
        else:
            assert halted is (state is State.HALTED)

    @invariant()
    def no_part_is_judged_while_something_is_wrong(self) -> None:
        standing = self.station.standing
        waits = {code for code in self.unseen if not KINDS[code].heals}
        if self.unresolved or waits:
            assert standing.state in (State.ERROR, State.HALTED)
            assert not standing.accepts_triggers
        else:
            assert standing.state is not State.ERROR

    @invariant()
    def ready_means_that_all_passed(self) -> None:
        standing = self.station.standing
        if standing.state is State.READY or standing.state.is_executing:
            assert self.passed == set(REQUIRED)
            assert standing.missing == ()

    @invariant()
    def one_side_owns_the_line(self) -> None:
        assert self.station.standing.owner is self.owner

    @invariant()
    def an_error_is_shown_until_it_is_gone_and_seen(self) -> None:
        shown = {error.code for error in self.station.standing.errors}
        assert shown == self.unresolved | self.unseen

    @invariant()
    def the_events_tell_every_change_of_state(self) -> None:
        for event in self.events.drain().events:
            if event.code is EventCode.STATE_CHANGED and "from" in event.details:
                assert event.details["from"] == self.seen
                self.seen = State(str(event.details["state"]))
        assert self.seen is self.station.standing.state


TestAnyDay = AnyDay.TestCase
TestAnyDay.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
