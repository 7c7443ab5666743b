"""Work beside the station's thread: it ends with its context; its failure is told and raised."""

from queue import SimpleQueue
from threading import Event, current_thread

import pytest

from inspector.beside import Beside
from inspector.watch import watch


def test_it_runs_on_a_thread_of_its_name_until_the_context_ends() -> None:
    begun, names = Event(), []

    def work(over: Event) -> None:
        names.append(current_thread().name)
        begun.set()
        over.wait()
        names.append("over")

    with Beside("night", work):
        assert begun.wait(5)
        assert names == ["night"]
    assert names == ["night", "over"]


def test_a_failure_is_told_at_once_and_raised_at_the_end() -> None:
    told: SimpleQueue[BaseException] = SimpleQueue()

    def work(over: Event) -> None:
        raise ValueError("no such number")

    with pytest.raises(ValueError, match="no such number"), Beside("night", work, told.put):
        heard = told.get(timeout=5)
    assert str(heard) == "no such number"


def test_another_error_is_not_hidden_by_it() -> None:
    def work(over: Event) -> None:
        raise ValueError("no such number")

    with pytest.raises(KeyError), Beside("night", work):
        raise KeyError("part")


def test_one_that_hears_nothing_is_left_behind() -> None:
    free, ended = Event(), Event()

    def work(over: Event) -> None:
        free.wait()
        ended.set()

    with Beside("deaf", work, patience_s=0.05):
        pass
    assert not ended.is_set()
    free.set()
    assert ended.wait(5)


def test_a_watch_that_fails_ends_what_it_watches() -> None:
    looks, ended = [], Event()

    def look() -> None:
        looks.append(len(looks))
        if len(looks) == 3:
            raise ValueError("blind")

    with pytest.raises(ValueError, match="blind"), watch(look, ended.set, 0.001):
        assert ended.wait(5)
    assert looks == [0, 1, 2]
