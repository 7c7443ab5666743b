from collections.abc import Iterator
from threading import Thread

from inspector.pipeline.control import Control, RunState


def test_nothing_is_drawn_before_start_and_all_after() -> None:
    control, seen = Control(), list[int]()
    worker = Thread(target=lambda: seen.extend(control.gate(range(3))))
    worker.start()

    assert control.state is RunState.READY
    assert seen == []
    control.start()
    worker.join(timeout=10)
    assert seen == [0, 1, 2]


def test_no_frame_is_drawn_while_paused_and_none_is_lost() -> None:
    control, drawn = Control(), list[int]()

    def camera() -> Iterator[int]:
        for i in range(3):
            drawn.append(i)
            yield i

    control.start()
    gate = control.gate(camera())
    first = next(gate)
    control.pause()
    rest: list[int] = []
    worker = Thread(target=lambda: rest.extend(gate))
    worker.start()
    worker.join(timeout=0.1)
    assert (first, drawn, worker.is_alive()) == (0, [0], True)

    control.start()
    worker.join(timeout=10)
    assert rest == [1, 2]


def test_stop_ends_the_run_also_from_pause() -> None:
    control = Control()
    control.pause()
    worker = Thread(target=lambda: list(control.gate(range(3))))
    worker.start()
    control.stop()
    worker.join(timeout=10)

    assert not worker.is_alive()


def test_a_frame_already_drawn_is_passed_on_though_stop_was_pressed() -> None:
    control = Control()

    def camera() -> Iterator[int]:
        yield 0
        control.stop()
        yield 1
        yield 2

    control.start()

    assert list(control.gate(camera())) == [0, 1]


def test_stopped_is_final() -> None:
    control = Control()
    control.stop()
    control.start()
    control.pause()

    assert control.state is RunState.STOPPED
    assert list(control.gate(range(3))) == []
