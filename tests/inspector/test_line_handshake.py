"""The handshake, situation by situation, and what holds whatever is thrown at it."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.camera.base import PartIdentity
from inspector.line.signals import (
    UNKNOWN_RECIPE,
    Outputs,
    PlcSignals,
    Result,
    StationSigns,
    Trigger,
)
from inspector.pipeline.inspection import Reason, Verdict
from tests.inspector.handshake_parts import BROKEN, PAUSED, WELL, Line, bits, ng, ok


def test_one_part_from_trigger_to_the_next() -> None:
    line = Line()
    said = [bits(line.step())]
    part = PartIdentity("17-A", "lot 4", "0001")
    said.append(bits(line.step(trigger=True, recipe_index=2, part=part)))
    said.append(bits(line.step(trigger=False)))
    said.append(bits(line.step(ok(1))))
    said.append(bits(line.step()))
    said.append(bits(line.step(ack=True)))
    said.append(bits(line.step(ack=False)))

    assert said == ["trigger_ready", "", "", "result_ready ok", "result_ready ok", "", said[0]]
    assert line.triggers == [Trigger(1, part, 2, pytest.approx(0.03))]


def test_the_plcs_number_comes_back_with_the_result() -> None:
    line = Line()
    line.step(counter=17)
    assert line.step(trigger=True).part_echo == 17
    assert line.step(ok(1), trigger=False, counter=18).part_echo == 17
    assert line.step(trigger=True).part_echo == 18  # refused: the error is that part's


def test_a_defect_is_ng_without_error_and_a_fault_is_ng_with_it() -> None:
    line = Line()
    line.fire()
    assert bits(line.step(ng(1))) == "result_ready ng"
    assert line.handshake.outputs.result == ng(1)

    line.step(trigger=False, ack=True)
    line.step(ack=False)
    line.fire()
    fault = Result(2, Verdict.FAULT, Reason.BLACK_FRAME)
    assert bits(line.step(fault)) == "result_ready ng error"
    counts = line.handshake.outputs.counts
    assert (counts.triggers, counts.ok, counts.ng, counts.fault) == (2, 0, 1, 1)


@pytest.mark.parametrize("signs", [PAUSED, BROKEN, replace(WELL, ready=False), StationSigns()])
def test_a_trigger_while_not_ready_is_error_and_has_a_record(signs: StationSigns) -> None:
    line = Line(signs=signs)
    assert not line.step().trigger_ready
    assert bits(line.step(trigger=True)) == "result_ready ng error"
    assert [t.refused for t in line.triggers] == [Reason.NOT_READY]
    assert line.handshake.outputs.counts.refused == 1

    line.step(trigger=False, ack=True)
    assert not line.step(ack=False).result_ready


def test_readiness_lost_in_the_very_step_of_the_trigger_refuses_it() -> None:
    line = Line()
    line.signs = PAUSED
    assert bits(line.step(trigger=True)) == "result_ready ng error"


def test_readiness_won_in_the_very_step_of_the_trigger_was_not_yet_said() -> None:
    line = Line(signs=PAUSED)
    line.signs = WELL
    assert bits(line.step(trigger=True)) == "result_ready ng error"


def test_a_second_trigger_before_the_record_spoils_the_first() -> None:
    line = Line()
    line.fire()
    line.step(trigger=False)
    assert bits(line.step(trigger=True)) == "result_ready ng error"
    assert bits(line.step(ok(1))) == "result_ready ng error"
    assert line.handshake.outputs.result.number == 2
    assert [t.refused for t in line.triggers] == [None, Reason.NOT_READY]


def test_a_second_trigger_before_the_ack_takes_the_ok_back() -> None:
    line = Line()
    line.fire()
    line.step(ok(1), trigger=False)
    assert bits(line.step(trigger=True)) == "result_ready ng error"


def test_an_ack_that_never_comes_holds_the_result_and_takes_no_trigger() -> None:
    line = Line()
    line.fire()
    line.step(ok(1), trigger=False)
    assert bits(line.step(after=3600)) == "result_ready ok"


def test_an_ack_that_comes_late_goes_on() -> None:
    line = Line()
    line.fire()
    line.step(ok(1), trigger=False)
    line.step(after=60, ack=True)
    assert bits(line.step(ack=False)) == "trigger_ready"


def test_an_ack_that_was_high_before_the_result_is_no_ack() -> None:
    line = Line()
    line.fire()
    line.step(ack=True)
    assert bits(line.step(ok(1))) == "result_ready ok"
    assert bits(line.step(ack=False)) == "result_ready ok"
    assert bits(line.step(ack=True)) == ""


def test_a_trigger_held_high_is_one_trigger() -> None:
    line = Line()
    line.fire()
    line.step(ok(1))
    line.step(ack=True)
    assert bits(line.step(ack=False)) == ""
    assert bits(line.step(after=10)) == ""
    assert len(line.triggers) == 1
    assert bits(line.step(trigger=False)) == "trigger_ready"


def test_a_trigger_toggled_fast_gives_one_picture_and_an_error() -> None:
    line = Line()
    for _ in range(3):
        line.step(trigger=True, after=0)
        line.step(trigger=False, after=0)

    assert [t.refused for t in line.triggers] == [None, Reason.NOT_READY, Reason.NOT_READY]
    assert bits(line.step(ok(1))) == "result_ready ng error"


def test_a_level_that_was_high_from_the_start_is_no_edge() -> None:
    line = Line(plc=PlcSignals(trigger=True))
    assert line.triggers == []
    assert bits(line.step()) == ""


def test_an_unknown_recipe_is_not_ready_and_not_echoed() -> None:
    line = Line()
    assert line.step(recipe_index=2).recipe_echo == 2
    outputs = line.step(recipe_index=3)
    assert (outputs.trigger_ready, outputs.recipe_echo) == (False, UNKNOWN_RECIPE)
    assert bits(line.step(trigger=True)) == "result_ready ng error"


def test_the_echo_is_the_index_that_was_taken_with_the_part() -> None:
    line = Line()
    line.step(recipe_index=1)
    line.step(trigger=True)
    assert line.step(recipe_index=2).recipe_echo == 1
    line.step(ok(1), trigger=False)
    assert line.step(ack=True).recipe_echo == 1
    assert line.step(ack=False).recipe_echo == 2


def test_a_record_that_never_comes_is_an_error_and_comes_too_late_after() -> None:
    line = Line()
    line.fire()
    assert bits(line.step(after=0.9)) == ""
    assert bits(line.step(after=0.2)) == "result_ready ng error"
    assert bits(line.step(ok(1))) == "result_ready ng error"
    line.step(trigger=False, ack=True)
    line.step(ack=False)
    line.fire()
    assert bits(line.step(ok(1))) == ""  # the first part's OK is not the second's
    assert bits(line.step(ok(2))) == "result_ready ok"


@pytest.mark.parametrize("shown", [False, True])
def test_a_link_lost_in_the_middle_is_safe_and_comes_back_as_an_error(shown: bool) -> None:
    line = Line()
    line.fire()
    if shown:
        line.step(ok(1))
    line.link = False
    assert bits(line.step(trigger=False)) == "ng error"
    line.step(ok(1))
    line.link = True
    assert bits(line.step()) == "result_ready ng error"
    line.step(ack=True)
    assert bits(line.step(ack=False)) == "trigger_ready"


def test_a_record_that_comes_after_the_link_is_back_is_no_ok() -> None:
    line = Line()
    line.fire()
    line.link = False
    line.step()
    line.link = True
    assert bits(line.step(ok(1))) == "result_ready ng error"


def test_a_hang_takes_the_ok_back_for_good() -> None:
    line = Line()
    line.fire()
    assert bits(line.step(ok(1))) == "result_ready ok"
    line.alive = False
    assert bits(line.step()) == "result_ready ng error"
    line.alive = True
    assert bits(line.step()) == "result_ready ng error"


def test_a_link_lost_between_two_parts_is_safe_and_goes_on() -> None:
    line = Line()
    line.link = False
    assert bits(line.step()) == "ng error"
    line.link = True
    assert bits(line.step()) == "trigger_ready"


def test_a_trigger_that_comes_with_the_link_was_not_asked_for() -> None:
    line = Line()
    line.link = False
    line.step()
    line.link = True
    assert bits(line.step(trigger=True)) == "result_ready ng error"


def test_an_error_of_the_station_takes_the_ok_back_for_good() -> None:
    line = Line()
    line.fire()
    line.step(ok(1))
    line.signs = BROKEN
    assert bits(line.step()) == "result_ready ng error"
    line.signs = WELL
    assert bits(line.step()) == "result_ready ng error"


def test_the_heart_beats_only_while_the_station_inspects() -> None:
    line = Line()

    def beats() -> int:
        seen = [line.step().heartbeat for _ in range(101)]
        return sum(a != b for a, b in pairwise(seen))

    assert 9 <= beats() <= 11
    line.signs = PAUSED
    assert beats() == 0
    line.signs = WELL
    line.alive = False  # the thread that inspects hangs, whatever the station says
    line.step()
    assert beats() == 0
    assert bits(line.handshake.outputs) == "ng error"


MOVES = st.lists(
    st.tuples(
        st.booleans(),  # trigger
        st.booleans(),  # ack
        st.sampled_from([0, 0, 0, 3]),  # recipe index
        st.sampled_from([True, True, True, True, False]),  # link
        st.sampled_from([WELL, WELL, WELL, PAUSED, BROKEN]),
        st.sampled_from([True, True, True, False]),  # alive
        st.sampled_from([None, Verdict.OK, Verdict.OK, Verdict.NG, Verdict.FAULT]),
        st.integers(0, 2),  # which of the numbers not answered yet the record is for
        st.sampled_from([0.0, 0.01, 0.01, 2.0]),
    ),
    max_size=60,
)


def check_ok(line: Line, said: Outputs, committed: dict[int, Verdict]) -> None:
    """An OK is of the newest trigger, which was taken, looked at, and found good on record."""
    assert said.result.number == len(line.triggers)
    assert committed[said.result.number] is Verdict.OK
    assert line.triggers[-1].refused is None
    assert line.link
    assert line.alive or not line.signs.inspecting


def check_edge(line: Line, said: Outputs, was_ready: bool, edge: bool, before: int) -> None:
    """A rising edge is one trigger, and an error where it was not asked for."""
    assert len(line.triggers) - before == edge
    if edge and not was_ready:
        assert line.triggers[-1].refused is Reason.NOT_READY
        assert said.error


def check_levels(line: Line, said: Outputs) -> None:
    assert not (said.ok and said.ng)
    assert said.ng or not said.error
    if said.result_ready:
        assert 1 <= said.result.number <= len(line.triggers)
        assert not said.trigger_ready
    if said.trigger_ready and line.triggers:  # the last trigger has had its answer
        assert said.result.number == len(line.triggers)


@given(MOVES)
def test_whatever_happens_no_part_passes_that_was_not_found_good(moves: list[tuple]) -> None:  # type: ignore[type-arg]
    line = Line()
    committed: dict[int, Verdict] = {}
    answered: list[int] = []
    for trigger, ack, recipe, line.link, line.signs, line.alive, verdict, which, after in moves:
        was_ready, before = line.handshake.outputs.trigger_ready, len(line.triggers)
        edge = trigger and not line.plc.trigger
        results = []
        unknown = [t.number for t in line.triggers if not t.refused and t.number not in committed]
        if verdict is not None and unknown:
            number = unknown[which % len(unknown)]
            committed[number] = verdict
            results.append(Result(number, verdict))
        said = line.step(*results, after=after, trigger=trigger, ack=ack, recipe_index=recipe)

        check_levels(line, said)
        check_edge(line, said, was_ready, edge, before)
        if said.ok:
            check_ok(line, said, committed)
        if said.result_ready and said.result.number not in answered[-1:]:
            answered.append(said.result.number)
    assert answered == sorted(set(answered))  # each result is given once
