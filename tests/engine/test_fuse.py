"""The unrolled graph is the step graph in a loop, at the price of one copy of its weights."""

from itertools import pairwise

import numpy as np
import onnx
import pytest

from engine.bundle import Bundle
from engine.fuse import schedule, timesteps, unroll
from engine.reference import reference
from engine.runtimes.ort import Session
from engine.types import InputError
from tests.engine.tiny import grey_picture, spot_picture


def test_all_steps_are_all_times() -> None:
    assert timesteps(10, 10) == [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]
    assert timesteps(10, 0) == []


@pytest.mark.parametrize("trained", [1, 3, 10])
def test_times_fall_evenly_from_the_top(trained: int) -> None:
    for steps in range(1, trained + 1):
        times = timesteps(trained, steps)
        gaps = [high - low for high, low in zip(times, [*times[1:], 0], strict=True)]
        assert times[0] == trained
        assert len(times) == steps
        assert max(gaps) - min(gaps) <= 1


@pytest.mark.parametrize("steps", [-1, 11])
def test_steps_outside_training_are_refused(tiny: Bundle, steps: int) -> None:
    with pytest.raises(InputError, match=f"{steps} refinement steps.*allows 0 to 10"):
        unroll(tiny, steps)


def test_a_step_keeps_the_ratio_of_shares_and_the_last_nothing(tiny: Bundle) -> None:
    keeps = [keep for _, keep in schedule(tiny.manifest.refinement, 2)]
    assert keeps == [pytest.approx(0.25), 0.0]  # h_t = (t / 10)²: h_5 / h_10, then h_0 / h_5


@pytest.mark.parametrize("steps", [0, 1, 2, 4, 10])
def test_unrolled_equals_the_loop(tiny: Bundle, steps: int) -> None:
    pictures = np.stack([grey_picture(), spot_picture(), grey_picture(seed=1)])
    codes = np.array([0, 1, 1])
    session = Session(unroll(tiny, steps).SerializeToString())
    found = session.run({"image": pictures, "product": codes})
    for value, expected in zip(found, reference(tiny, steps, pictures, codes), strict=True):
        np.testing.assert_allclose(value, expected, atol=1e-5)


def test_each_step_moves_the_map(tiny: Bundle) -> None:
    picture, code = spot_picture()[None], np.array([0])
    maps = [reference(tiny, steps, picture, code)[0] for steps in (0, 1, 2, 10)]
    for one, other in pairwise(maps):
        assert np.abs(one - other).max() > 1e-3


def test_weights_are_shared_between_steps(tiny: Bundle) -> None:
    weights = sum(len(w.raw_data) for w in tiny.graph("step").graph.initializer)
    one, ten = unroll(tiny, 1), unroll(tiny, 10)
    assert len(ten.SerializeToString()) - len(one.SerializeToString()) < 9 * weights / 4
    names = [weight.name for weight in ten.graph.initializer]
    assert len(names) == len(set(names))
    assert sum(name.startswith("step.") for name in names) == 5


def test_nodes_say_which_step_they_are(tiny: Bundle) -> None:
    graph = unroll(tiny, 2).graph
    assert {node.name.split("/")[0] for node in graph.node} == {
        "trunk",
        "start",
        "step10",
        "step5",
        "head",
    }


def test_the_graph_is_plain_onnx(tiny: Bundle) -> None:
    model = unroll(tiny, 10)
    onnx.checker.check_model(model, full_check=True)
    assert not model.functions
    assert [opset.domain for opset in model.opset_import] == [""]
