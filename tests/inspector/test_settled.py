"""What a station holds from its start is left alone by Python's collections."""

import gc

import pytest

from inspector.settled import settled


def test_what_was_there_is_set_aside_and_taken_back() -> None:
    before = gc.get_freeze_count()
    with settled():
        assert gc.get_freeze_count() > before + 1000
        kept = [{"new": number} for number in range(100)]
        assert any(each is kept for each in gc.get_objects())
    assert gc.get_freeze_count() == 0


def test_a_run_that_fails_takes_it_back_as_well() -> None:
    with pytest.raises(ZeroDivisionError), settled():
        raise ZeroDivisionError
    assert gc.get_freeze_count() == 0


def test_cycles_of_a_run_are_collected_while_it_goes_on() -> None:
    gone: list[int] = []

    class Loop:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            gone.append(1)

    with settled():
        gc.collect(0)
        for _ in range(20_000):
            Loop()
        assert len(gone) > 15_000
