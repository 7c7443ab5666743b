from threading import Thread

from inspector.pipeline.event_queue import Drained, EventQueue
from inspector.pipeline.events import EventCode, StationEvent
from tests.inspector.pipeline_parts import NOON


def _event(number: int) -> StationEvent:
    return StationEvent(EventCode.DISK_LOW, NOON, f"{number}")


def test_events_come_out_once_in_order() -> None:
    queue = EventQueue()
    for number in range(3):
        queue.put(_event(number))

    assert [event.text for event in queue.drain().events] == ["0", "1", "2"]
    assert queue.drain() == Drained((), 0)


def test_without_room_the_newest_are_kept_and_the_lost_counted() -> None:
    queue = EventQueue(most=2)
    for number in range(5):
        queue.put(_event(number))

    assert queue.drain() == Drained((_event(3), _event(4)), 3)
    assert queue.drain().lost == 0


def test_a_waiting_reader_is_woken() -> None:
    queue, got = EventQueue(), list[Drained]()
    reader = Thread(target=lambda: got.append(queue.drain(timeout_s=30)))
    reader.start()
    queue.put(_event(1))
    reader.join(timeout=10)

    assert got == [Drained((_event(1),), 0)]
