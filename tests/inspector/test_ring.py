"""Pixels through shared memory: the same bytes come out, or an error."""

from collections.abc import Iterator
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from inspector.camera.ring import Ring, forget, room_for


@pytest.fixture
def ring() -> Iterator[Ring]:
    name = f"pmi-test-{uuid4().hex[:8]}"
    with Ring.create(name, slots=3, slot_bytes=4096) as ring:
        yield ring
    forget(name)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        arrays.arrays(
            st.sampled_from([np.uint8, np.bool_, np.uint16]),
            arrays.array_shapes(min_dims=0, max_dims=3, max_side=8),
        ),
        max_size=3,
    )
)
def test_what_goes_in_comes_out(given: list[np.ndarray]) -> None:
    name = f"pmi-test-{uuid4().hex[:8]}"
    try:
        with (
            Ring.create(name, 2, room_for(given)) as filled,
            Ring.attach(name, 2, room_for(given)) as emptied,
        ):
            layouts = filled.write(1, 7, given)
            got = emptied.read(1, 7, layouts)
    finally:
        forget(name)
    assert [one.dtype for one in got] == [one.dtype for one in given]
    for one, other in zip(got, given, strict=True):
        assert np.array_equal(one, other)


def test_slots_do_not_touch_each_other(ring: Ring) -> None:
    full = [np.full(4096, number, np.uint8) for number in range(3)]
    layouts = [ring.write(slot, slot + 1, [full[slot]]) for slot in range(3)]
    for slot in range(3):
        (got,) = ring.read(slot, slot + 1, layouts[slot])
        assert np.array_equal(got, full[slot])


def test_a_slot_filled_again_is_no_longer_the_picture_it_was(ring: Ring) -> None:
    layouts = ring.write(0, 1, [np.zeros(10, np.uint8)])
    ring.write(0, 2, [np.ones(10, np.uint8)])
    with pytest.raises(RuntimeError, match="holds picture 2, not 1"):
        ring.read(0, 1, layouts)


def test_a_copy_outlives_the_ring() -> None:
    name = f"pmi-test-{uuid4().hex[:8]}"
    with Ring.create(name, 1, 4096) as ring:
        layouts = ring.write(0, 1, [np.arange(9, dtype=np.uint8)])
        (got,) = ring.read(0, 1, layouts)
    forget(name)
    assert got.tolist() == list(range(9))


def test_forgetting_what_never_was_is_harmless() -> None:
    forget("pmi-test-never-was")
