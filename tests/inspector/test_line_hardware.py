"""The handshake where hardware triggers the camera, and the PLC fetches results alone."""

import pytest

from inspector.line.handshake import MOST_WAITING, Rules
from inspector.line.signals import UNKNOWN_RECIPE, StationSigns
from tests.inspector.handshake_parts import BROKEN, WELL, Line, bits, ng, ok


def hardware() -> Line:
    return Line(Rules(triggers=False))


def test_where_the_camera_is_triggered_by_hardware_results_come_one_after_another() -> None:
    line = hardware()
    assert bits(line.step(ok(1), ng(2), trigger=True)) == "trigger_ready result_ready ok"
    line.step(ack=True)
    assert bits(line.step(ack=False)) == "trigger_ready result_ready ng"
    assert line.handshake.outputs.result.number == 2
    assert line.triggers == []


def test_where_hardware_triggers_no_recipe_can_be_asked_for() -> None:
    line = Line(Rules(recipes=2, triggers=False))
    assert bits(line.step()) == "trigger_ready"
    outputs = line.step(recipe_index=1)
    assert (outputs.trigger_ready, outputs.recipe_echo) == (False, UNKNOWN_RECIPE)


def test_results_that_nobody_fetches_end_in_one_error_for_all() -> None:
    line = hardware()
    line.step(ok(1))
    line.step(*(ok(n) for n in range(2, MOST_WAITING + 3)))
    line.step(ack=True)
    assert bits(line.step(ack=False)) == "trigger_ready result_ready ng error"
    assert line.handshake.outputs.result.number == MOST_WAITING + 2


def test_no_result_of_a_lost_link_is_an_ok_afterwards() -> None:
    line = hardware()
    line.link = False
    line.step(ok(1), ok(2))
    line.link = True
    assert bits(line.step(ok(3))) == "trigger_ready result_ready ng error"
    assert line.handshake.outputs.result.number == 2
    line.step(ack=True)
    # The third was under way meanwhile: nobody knows what the PLC did with it.
    assert bits(line.step(ok(4), ack=False)) == "trigger_ready result_ready ng error"
    line.step(ack=True)
    assert bits(line.step(ack=False)) == "trigger_ready result_ready ok"


@pytest.mark.parametrize(
    "doubt", [{"alive": False}, {"link": False}, {"signs": BROKEN}], ids=["hangs", "link", "error"]
)
def test_a_part_that_was_under_way_in_doubt_is_no_ok(doubt: dict[str, object]) -> None:
    line = hardware()
    well = {name: getattr(line, name) for name in doubt}
    for name, value in doubt.items():
        setattr(line, name, value)
    assert "ng error" in bits(line.step(after=10.0))
    for name, value in well.items():
        setattr(line, name, value)
    line.step()
    assert bits(line.step(ok(1))) == "trigger_ready result_ready ng error"
    line.step(ack=True)
    assert bits(line.step(ok(2), ack=False)) == "trigger_ready result_ready ok"


@pytest.mark.parametrize("signs", [StationSigns(), WELL], ids=["waiting", "inspecting"])
def test_a_link_that_comes_up_before_a_part_was_welcome_spoils_nothing(signs: StationSigns) -> None:
    line = Line(Rules(triggers=False), signs=signs, link=False)
    line.link = True
    line.step()
    line.signs = WELL
    line.step()
    assert bits(line.step(ok(1))) == "trigger_ready result_ready ok"
