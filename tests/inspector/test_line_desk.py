"""What crosses between the threads: which answer belongs to which trigger, and signs of life."""

from dataclasses import dataclass, field, replace
from threading import Event, Thread

import pytest

from inspector.camera.base import NOT_SAID
from inspector.line.desk import Desk
from inspector.line.signals import Result, StationSigns, Trigger
from inspector.pipeline.control import Control
from inspector.pipeline.inspection import Reason, Verdict
from tests.inspector.line_parts import judged

WELL = StationSigns(ready=True, inspecting=True, state="ContinuousExecution")


@dataclass
class Clock:
    now: float = 100.0
    woken: int = 0
    desk: Desk = field(init=False)

    def __post_init__(self) -> None:
        self.desk = Desk(lambda: self.now, self._wake, answer_s=5.0, life_s=2.0)
        self.desk.begin()

    def _wake(self) -> None:
        self.woken += 1

    def edge(self, number: int) -> Trigger:
        trigger = Trigger(number, NOT_SAID, 0, self.now)
        self.desk.put_trigger(trigger)
        return trigger


def nothing() -> None:
    """A line that is well."""


def test_numbers_go_on_and_frame_ids_begin_anew_with_each_run() -> None:
    clock = Clock()
    desk = clock.desk
    given: list[tuple[int, int]] = []
    for numbers in ((1, 2), (3, 4)):
        control = Control()
        assert desk.begin() == 0
        for number in numbers:
            clock.edge(number)
        for trigger in desk.triggers(control, nothing):
            given.append((trigger.number, trigger.frame_id))
            desk.answer(judged(trigger), triggered=True)
            if trigger.frame_id == 1:
                control.stop()

    assert given == [(1, 0), (2, 1), (3, 0), (4, 1)]
    assert [result.number for result in desk.take_results()] == [1, 2, 3, 4]
    assert clock.woken == 4


def test_an_inspection_of_no_trigger_answers_none() -> None:
    clock = Clock()
    trigger = clock.edge(7)
    handed = next(clock.desk.triggers(Control(), nothing))
    clock.desk.answer(judged(replace(handed, frame_id=5)), triggered=True)
    clock.desk.answer(judged(handed), triggered=True)
    clock.desk.answer(judged(handed), triggered=True)  # the same frame once more
    assert [r.number for r in clock.desk.take_results()] == [0, trigger.number, 0]


def test_a_trigger_that_lay_too_long_is_not_looked_at() -> None:
    clock = Clock()
    clock.edge(1)
    clock.now += 4
    clock.edge(2)
    clock.now += 3
    triggers = clock.desk.triggers(Control(), nothing)
    assert [next(triggers).refused for _ in range(2)] == [Reason.NOT_READY, None]


def test_a_run_that_gives_up_answers_what_it_was_asked() -> None:
    clock = Clock()
    clock.edge(1)
    next(clock.desk.triggers(Control(), nothing))
    clock.desk.give_up()
    clock.desk.give_up()
    failed = Result(1, Verdict.FAULT, Reason.INTERNAL_ERROR, recorded=False)
    assert clock.desk.take_results() == [failed]


@pytest.mark.parametrize("refused", [Reason.NOT_READY, None])
def test_what_comes_while_no_run_is_on_is_counted_and_never_looked_at(
    refused: Reason | None,
) -> None:
    clock, control = Clock(), Control()
    desk = clock.desk
    desk.give_up()
    for number in range(1, 1001):
        desk.put_trigger(Trigger(number, NOT_SAID, 0, clock.now, refused))
    answers = [(result.number, result.verdict) for result in desk.take_results()]
    # A refused one was answered as it was seen; one that was taken is waited for.
    assert answers == [(n, Verdict.FAULT) for n in range(1, 1001) if refused is None]

    assert (desk.begin(), desk.turned_away()) == (1000, 0)
    clock.edge(1001)
    triggers = desk.triggers(control, nothing)
    first = next(triggers)
    assert (first.number, first.frame_id, first.refused) == (1001, 0, None)
    control.stop()
    assert list(triggers) == list(desk.rest()) == []


def test_a_sign_of_life_lasts_for_a_while() -> None:
    clock = Clock()
    assert not clock.desk.is_alive()
    clock.desk.alive()
    clock.now += 2
    assert clock.desk.is_alive()
    clock.now += 0.1
    assert not clock.desk.is_alive()


def test_a_start_gives_time_for_the_first_sign_and_a_change_does_not() -> None:
    clock = Clock()
    clock.desk.show(WELL)
    assert clock.desk.is_alive()
    clock.now += 3
    clock.desk.show(replace(WELL, state="SingleExecution"))
    assert not clock.desk.is_alive()
    clock.desk.show(replace(WELL, inspecting=False))
    clock.desk.show(WELL)
    assert clock.desk.is_alive()


def test_waiting_for_a_trigger_is_a_sign_of_life_and_ends_with_the_run() -> None:
    clock, control = Clock(), Control()
    checks = 0

    def stop_at_the_second_look() -> None:
        nonlocal checks
        checks += 1
        if checks == 2:
            assert clock.desk.is_alive()
            control.stop()

    assert list(clock.desk.triggers(control, stop_at_the_second_look)) == []


def test_no_end_of_inspecting_is_too_short_to_be_counted() -> None:
    desk = Clock().desk
    desk.show(WELL)
    assert desk.signs == WELL
    desk.show(replace(WELL, inspecting=False, state="Error"))  # its camera is lost
    desk.show(replace(WELL, inspecting=False))
    desk.show(WELL)
    assert desk.signs == replace(WELL, ends=1)


def test_whoever_ends_a_run_waits_until_the_line_has_looked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk, ends = Clock().desk, Event()
    with monkeypatch.context() as patient:
        patient.setattr("inspector.line.desk.MOST_TURNS", 10_000)
        waiting = Thread(target=lambda: (desk.await_look(), ends.set()))
        waiting.start()
        desk.looked()
        assert not ends.wait(0.1)  # that look may have begun before
        desk.looked()
        assert ends.wait(10)
    desk.await_look()  # and a line that has ended holds nobody up


def test_where_hardware_triggers_a_result_says_when_its_part_was_taken() -> None:
    desk = Clock().desk

    def answered(frame_id: int) -> tuple[float, float]:
        desk.answer(judged(Trigger(0, NOT_SAID, 0, 0, frame_id=frame_id)), triggered=False)
        (result,) = desk.take_results()
        return result.taken_from, result.taken_until

    never = float("-inf")
    assert answered(0) == (never, never)
    desk.took(2, 10.0)
    assert [answered(1), answered(2)] == [(never, 10.0), (10.0, 10.0)]
    desk.took(5, 13.0)
    assert [answered(3), answered(4), answered(5)] == [(10.0, 13.0), (10.0, 13.0), (13.0, 13.0)]
    desk.begin()
    assert answered(5) == (13.0, 13.0)  # taken by nobody: between the last and the newest
