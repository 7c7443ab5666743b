"""What happened is told to whoever listens, and kept as soon as there is somewhere to keep it."""

from pathlib import Path

from inspector.monitor.metrics import MetricsSink
from inspector.pipeline.event_queue import MOST_EVENTS, EventQueue
from inspector.pipeline.events import EventCode, StationEvent
from inspector.pipeline.inspection import Inspection, Verdict
from inspector.pipeline.station_state import StationState
from inspector.settings import MonitorSettings, StationSettings
from inspector.surroundings import Surroundings
from tests.inspector.line_parts import free_port
from tests.inspector.pipeline_parts import NOON, frame


def around(out: Path, events: EventQueue) -> Surroundings:
    settings = StationSettings(name="T1", camera="sim:disc", plan=out, recipe=out, out=out)
    return Surroundings(settings, StationState(events), events, stream=None)


def put(events: EventQueue, *numbers: int) -> None:
    for number in numbers:
        events.put(StationEvent(EventCode.LINE_LOST, NOON, str(number)))


def test_what_came_while_no_database_was_open_is_kept_by_the_next_once(tmp_path: Path) -> None:
    events, kept = EventQueue(), list[StationEvent]()
    station = around(tmp_path, events)
    put(events, 1, 2)
    station.pass_on()
    put(events, 3)
    station.pass_on(kept.append)
    station.pass_on(kept.append)
    assert [event.text for event in kept] == ["1", "2", "3"]


def test_events_that_nobody_took_in_time_are_counted_and_said(tmp_path: Path) -> None:
    events, kept = EventQueue(most=2), list[StationEvent]()
    station = around(tmp_path, events)
    put(events, 1, 2, 3, 4, 5)
    station.pass_on(kept.append)
    assert [event.text for event in kept] == [
        "3 events are lost: nobody took them in time.",
        "4",
        "5",
    ]
    assert (kept[0].code, dict(kept[0].details)) == (EventCode.EVENTS_LOST, {"lost": 3})


def test_a_station_that_never_runs_again_keeps_a_bounded_number(tmp_path: Path) -> None:
    events, kept = EventQueue(), list[StationEvent]()
    station = around(tmp_path, events)
    for number in range(MOST_EVENTS + 5):
        put(events, number)
        station.pass_on()
    station.pass_on(kept.append)
    assert (len(kept), dict(kept[0].details)) == (MOST_EVENTS + 1, {"lost": 5})


def test_products_are_counted_by_the_recipe_of_the_run(tmp_path: Path) -> None:
    """A part of a product that came into the recipe after the station was started has its name."""
    settings = StationSettings(
        name="T1",
        camera="sim:disc",
        plan=tmp_path,
        recipe=tmp_path,
        out=tmp_path / "out",
        monitor=MonitorSettings(port=free_port()),
    )
    events = EventQueue()
    with Surroundings(settings, StationState(events), events, stream=None) as station:
        for products in (["disc"], ["disc", "label"]):
            (sink,) = station.sinks(products)
            assert isinstance(sink, MetricsSink)
            sink.write(Inspection("1", frame(1), Verdict.OK, None, "label", NOON))
        counted = {
            sample.labels["product"]: sample.value
            for family in sink.registry.collect()
            for sample in family.samples
            if sample.name == "inspector_parts_total"
        }
    assert counted == {"other": 1, "label": 1}
