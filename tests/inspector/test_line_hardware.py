"""The handshake where hardware triggers the camera, and the PLC fetches results alone."""

from dataclasses import replace

import pytest

from inspector.line.handshake import MOST_WAITING, Rules
from inspector.line.signals import UNKNOWN_RECIPE, Result
from tests.inspector.handshake_parts import BROKEN, PAUSED, WELL, Line, at, bits, ng, ok

REST_S = 2.0
ENDS = [{"alive": False}, {"link": False}, {"signs": BROKEN}, {"signs": PAUSED}]
NAMES = ["hangs", "link", "error", "pause"]


def hardware() -> Line:
    return Line(Rules(triggers=False, rest_s=REST_S))


def told(line: Line, *results: Result) -> int:
    """The number by which the next of these is told, fetched and acknowledged; 0 for none."""
    outputs = line.step(*results)
    number = outputs.result.number if outputs.result_ready else 0
    line.step(ack=True)
    line.step(ack=False)
    return number


def ended(line: Line, end: dict[str, object]) -> float:
    """An end of inspecting and the return from it, as the line sees it; when it went on."""
    well = {name: getattr(line, name) for name in end}
    for name, value in end.items():
        setattr(line, name, value)
    outputs = line.step()
    assert (outputs.inspecting, outputs.trigger_ready, outputs.result_ready) == (False,) * 3
    for name, value in well.items():
        setattr(line, name, value)
    while not line.step(after=0.1).inspecting:
        assert not line.handshake.outputs.trigger_ready
    return line.now


def test_results_come_one_after_another_and_are_counted() -> None:
    line = hardware()
    assert bits(line.step(ok(0), ng(0), trigger=True)) == "trigger_ready result_ready ok"
    assert line.handshake.outputs.result.number == 1
    line.step(ack=True)
    assert bits(line.step(ack=False)) == "trigger_ready result_ready ng"
    assert line.handshake.outputs.result.number == 2
    assert line.triggers == []


def test_a_plc_that_asks_for_a_recipe_begins_anew() -> None:
    line = Line(Rules(recipes=2, triggers=False))
    assert told(line, ok(0)) == 1
    before = line.now
    outputs = line.step(recipe_index=1)
    assert (outputs.trigger_ready, outputs.recipe_echo) == (False, UNKNOWN_RECIPE)
    assert not line.step(recipe_index=0).inspecting
    assert line.step(after=REST_S).trigger_ready
    assert told(line, at(before, ok(0)), ok(0)) == 3


@pytest.mark.parametrize("end", ENDS, ids=NAMES)
def test_what_was_taken_before_inspecting_ended_is_nobodys_afterwards(
    end: dict[str, object],
) -> None:
    line = hardware()
    assert told(line, ok(0)) == 1
    hung = line.now  # the parts P and Q were taken by now, and judged after the return
    ended(line, end)
    assert told(line, at(hung, ok(0)), at(hung, ok(0))) == 0
    assert told(line, ok(0)) == 3  # the first of the new ones: a number is left out
    assert told(line, ok(0)) == 4


@pytest.mark.parametrize("end", ENDS, ids=NAMES)
def test_a_result_that_stands_or_waits_is_withdrawn(end: dict[str, object]) -> None:
    line = hardware()
    assert bits(line.step(ok(0), ok(0))) == "trigger_ready result_ready ok"
    ended(line, end)
    assert bits(line.step()) == "trigger_ready"
    assert told(line, ng(0)) == 4  # 2 was withdrawn unseen, 3 is left out


def test_inspecting_stays_low_for_as_long_as_a_plc_needs_to_see_it() -> None:
    line = hardware()
    began = line.now
    assert ended(line, {"signs": PAUSED}) - began >= REST_S


def test_an_end_too_short_to_be_seen_is_one() -> None:
    line = hardware()
    line.signs = replace(WELL, ends=1)
    assert not line.step().inspecting
    assert not line.step().inspecting
    assert line.step(after=REST_S).inspecting


def test_a_part_that_nobody_saw_ends_it_where_it_may_be_of_before() -> None:
    line = hardware()
    assert told(line, at(line.now, ng(0), line.now + 0.01)) == 1
    again = ended(line, {"signs": PAUSED})
    assert told(line, at(again - 1, ng(0), again - 0.5)) == 0
    assert line.handshake.outputs.inspecting
    lost, seen = at(again - 1, ng(0), again + 1), at(again + 1, ok(0))
    assert not line.step(lost, seen).result_ready
    assert not line.step().inspecting


def test_results_that_nobody_fetches_end_it() -> None:
    line = hardware()
    line.step(ok(0))
    assert line.step(*(ok(0) for _ in range(MOST_WAITING))).inspecting
    line.step(ok(0))
    assert bits(line.step()) == ""


def test_records_that_nobody_is_told_of_are_counted() -> None:
    line = hardware()
    before = line.now
    ended(line, {"signs": PAUSED})
    line.step(at(before, ok(0)), ng(0))
    counts = line.handshake.outputs.counts
    assert (counts.ok, counts.ng) == (1, 1)


def test_a_link_that_is_not_up_yet_delays_the_first_part_and_leaves_no_number_out() -> None:
    line = Line(Rules(triggers=False), link=False)
    line.link = True
    assert line.step().inspecting
    assert told(line, ok(0)) == 1
