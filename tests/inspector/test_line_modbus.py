"""Both roles against real peers on loopback, and the links between them cut."""

import logging
import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace

import pytest

from engine.types import InputError
from inspector.camera.base import PartIdentity
from inspector.line.modbus import ModbusLine
from inspector.line.registers import STATION_FIRST, StatusBit
from inspector.line.signals import Trigger
from inspector.pipeline.events import EventCode
from inspector.pipeline.inspection import Reason, Verdict
from tests.inspector.line_parts import (
    ADDRESS,
    Answer,
    Events,
    Ladder,
    PollingPlc,
    ServingPlc,
    free_port,
    judged,
    stationed,
    wait_for,
)
from tests.inspector.modbus_parts import TIMEOUT_S, WELL, Builder, settings


@pytest.fixture(params=["server", "client"])
def role(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def build(role: str) -> Iterator[Builder]:
    with ExitStack() as stack:
        yield Builder(role, stack)


@pytest.fixture
def build_server() -> Iterator[Builder]:
    with ExitStack() as stack:
        yield Builder("server", stack)


@pytest.fixture
def build_client() -> Iterator[Builder]:
    with ExitStack() as stack:
        yield Builder("client", stack)


def test_parts_go_through_each_with_its_own_verdict(build: Builder) -> None:
    hall = build()
    answers = [hall.ladder.part(serial) for serial in ("good 1", "bad 2", "good 3", "bad 4")]

    assert answers == [
        Answer(1, ok=True, ng=False, error=False, reason=0),
        Answer(2, ok=False, ng=True, error=False, reason=1),
        Answer(3, ok=True, ng=False, error=False, reason=0),
        Answer(4, ok=False, ng=True, error=False, reason=1),
    ]
    assert hall.plc.read(ADDRESS["Triggers"], 8) == [0, 4, 0, 2, 0, 2, 0, 0]
    assert [r.frame.frame_id for r in hall.station.records] == [0, 1, 2, 3]


def test_recipe_and_identity_come_with_the_trigger(build: Builder) -> None:
    hall = build()
    hall.ladder.name("Part", "17-A")
    hall.ladder.name("Lot", "L 4")
    hall.plc.write(ADDRESS["RecipeIndex"], [2])
    wait_for(lambda: hall.plc.read(ADDRESS["RecipeEcho"]) == [2])
    hall.ladder.part("good 1")

    (trigger,) = hall.station.seen
    assert trigger.part == PartIdentity("17-A", "L 4", "good 1")
    assert trigger.recipe_index == 2


def test_an_unknown_recipe_takes_no_trigger(build: Builder) -> None:
    hall = build()
    hall.plc.write(ADDRESS["RecipeIndex"], [3])
    hall.ladder.until(StatusBit.TRIGGER_READY, high=False)
    wait_for(lambda: hall.plc.read(ADDRESS["RecipeEcho"]) == [65535])
    hall.ladder.say(trigger=True)
    assert hall.ladder.take() == Answer(1, ok=False, ng=True, error=True, reason=41)


def test_a_trigger_while_paused_is_an_error_with_a_record(build: Builder) -> None:
    hall = build(replace(WELL, inspecting=False, state="Ready"))
    wait_for(lambda: hall.plc.read(ADDRESS["State"]) == [5])
    hall.ladder.say(trigger=True)
    assert hall.ladder.take() == Answer(1, ok=False, ng=True, error=True, reason=41)
    wait_for(lambda: len(hall.station.records) == 1)
    assert hall.station.records[0].reason is Reason.NOT_READY


def test_the_heart_stops_and_no_part_passes_while_the_inspecting_thread_hangs(
    build: Builder,
) -> None:
    hall = build(life_s=0.5, answer_s=60)
    hall.ladder.until(StatusBit.HEARTBEAT)
    hall.ladder.until(StatusBit.HEARTBEAT, high=False)
    hall.station.hold.clear()
    hall.ladder.name("Serial", "good 1")
    hall.ladder.say(trigger=True)
    assert hall.ladder.until(StatusBit.ERROR) < 2
    beats = {hall.ladder.bit(StatusBit.HEARTBEAT) for _ in range(60) if not time.sleep(0.01)}
    assert len(beats) == 1

    hall.station.hold.set()  # its OK comes too late
    wait_for(lambda: len(hall.station.records) == 1)
    assert hall.station.records[0].verdict is Verdict.OK
    hall.ladder.say()
    assert hall.ladder.take().error
    assert hall.ladder.part("good 2").ok


def test_a_run_that_ends_before_its_answer_is_an_error_at_once(build: Builder) -> None:
    hall = build(answer_s=60)
    hall.station.hold.clear()
    hall.ladder.until(StatusBit.TRIGGER_READY)
    hall.ladder.say(trigger=True)
    wait_for(lambda: len(hall.station.seen) == 1)
    hall.line.sink().__exit__(None, None, None)
    assert hall.ladder.take() == Answer(1, ok=False, ng=True, error=True, reason=40)


def test_triggers_of_nobody_are_told_once_when_the_line_is_closed(build: Builder) -> None:
    hall = build(replace(WELL, ready=False, inspecting=False, state="Preoperational"))
    hall.station.stop()
    for number in range(1, 4):
        hall.ladder.say(trigger=True)
        assert hall.ladder.take() == Answer(number, ok=False, ng=True, error=True, reason=41)
    assert hall.events.codes() == []
    hall.line.__exit__(None, None, None)
    ((_, event),) = hall.events.heard
    assert (event.code, event.details["triggers"]) == (EventCode.TRIGGERS_REFUSED, 3)
    assert hall.station.records == []


def test_a_plc_whose_program_stopped_finds_the_safe_state(build: Builder) -> None:
    hall = build(plc_life=True)
    beat = iter(range(1, 10_000))

    def live() -> bool:
        hall.plc.write(ADDRESS["PlcLife"], [next(beat)])
        return hall.ladder.bit(StatusBit.TRIGGER_READY)

    wait_for(live)
    start = time.monotonic()
    hall.ladder.until(StatusBit.TRIGGER_READY, high=False)
    assert time.monotonic() - start < TIMEOUT_S + 0.3
    assert hall.plc.read(ADDRESS["Status"])[0] & 0b11111 == 0b11000
    assert hall.events.codes() == [EventCode.LINE_LOST]
    wait_for(live)
    assert hall.events.codes() == [EventCode.LINE_LOST, EventCode.LINE_BACK]


def test_where_hardware_triggers_the_camera_results_come_one_by_one(build: Builder) -> None:
    hall = build(triggers=False)
    hall.ladder.until(StatusBit.TRIGGER_READY)  # before, each result would be an error
    sink = hall.line.sink()
    for i, serial in enumerate(("good 1", "bad 2")):
        part = PartIdentity(serial=serial)
        hall.line.took(i, time.monotonic())
        sink.write(judged(Trigger(i, part, 0, 0.0, frame_id=i)))
    first, second = hall.ladder.take(), hall.ladder.take()

    assert (first.number, first.ok, second.number, second.ng) == (1, True, 2, True)


def test_a_link_cut_in_the_middle_is_told_and_its_part_does_not_pass(
    build_server: Builder,
) -> None:
    hall = build_server()
    hall.station.hold.clear()
    hall.ladder.name("Serial", "good 1")
    hall.ladder.until(StatusBit.TRIGGER_READY)
    hall.ladder.say(trigger=True)
    hall.plc.close()
    cut = time.monotonic()
    wait_for(lambda: EventCode.LINE_LOST in hall.events.codes())
    assert TIMEOUT_S - 0.1 < time.monotonic() - cut < TIMEOUT_S + 0.3
    hall.station.hold.set()
    wait_for(lambda: len(hall.station.records) == 1)

    assert hall.ladder.take() == Answer(1, ok=False, ng=True, error=True, reason=14)
    assert hall.events.codes() == [EventCode.LINE_LOST, EventCode.LINE_BACK]
    assert hall.ladder.part("good 2").ok


def test_a_plc_that_goes_and_comes_back_is_found_within_5_s(build_client: Builder) -> None:
    hall = build_client()
    assert isinstance(hall.plc, ServingPlc)
    assert hall.ladder.part("good 1").ok
    hall.plc.stop()
    stopped = time.monotonic()
    wait_for(lambda: EventCode.LINE_LOST in hall.events.codes())
    assert time.monotonic() - stopped < TIMEOUT_S + 0.3
    time.sleep(3)  # long enough for the longest wait between two tries
    hall.plc.start()
    assert hall.ladder.until(StatusBit.TRIGGER_READY) < 5
    assert hall.events.codes() == [EventCode.LINE_LOST, EventCode.LINE_BACK]
    assert hall.ladder.part("good 2").ok


def test_a_connection_cut_for_a_moment_is_made_again_and_nothing_is_lost(
    build_client: Builder,
) -> None:
    hall = build_client()
    assert isinstance(hall.plc, ServingPlc)
    hall.ladder.part("good 1")
    hall.plc.cut()
    assert hall.ladder.part("good 2") == Answer(2, ok=True, ng=False, error=False, reason=0)
    assert hall.events.codes() == []


def test_a_plc_that_lost_its_memory_is_told_again(build_client: Builder) -> None:
    hall = build_client(replace(WELL, inspecting=False, state="Ready"))  # no heart beats
    wait_for(lambda: hall.plc.read(ADDRESS["State"]) == [5])
    hall.plc.write(STATION_FIRST, [0] * 24)
    assert wait_for(lambda: hall.plc.read(ADDRESS["State"]) == [5]) < 2


@pytest.mark.parametrize("timeout_s", [0.4, 3.0])  # shorter and longer than between two tries
def test_a_plc_that_refuses_every_write_is_not_there(timeout_s: float) -> None:
    port, events = free_port(), Events()
    chosen = settings("client", port, timeout_s=timeout_s)
    with closing(ServingPlc(port, locked=True)) as plc, ModbusLine(chosen, events) as line:
        line.show(WELL)
        wait_for(lambda: bool(events.codes()))
        time.sleep(1)
        assert events.codes() == [EventCode.LINE_LOST]
        said = f"refuses that 24 registers are written from {STATION_FIRST} on for {timeout_s:g} s"
        assert said in events.heard[0][1].text
        plc.locked = False
        with stationed(line):
            Ladder(plc).until(StatusBit.TRIGGER_READY)
        assert events.codes() == [EventCode.LINE_LOST, EventCode.LINE_BACK]


def test_a_plc_that_was_refusing_and_then_is_silent_is_called_silent() -> None:
    port, events = free_port(), Events()
    with (
        closing(ServingPlc(port, locked=True)) as plc,
        ModbusLine(settings("client", port, timeout_s=3.0), events) as line,
    ):
        wait_for(lambda: bool(line._exchange._watch._doubt))
        plc.stop()
        wait_for(lambda: bool(events.codes()))
        assert "was not heard of for 3 s" in events.heard[0][1].text


def test_a_closed_line_leaves_the_plc_in_the_safe_state(build_client: Builder) -> None:
    hall = build_client()
    hall.ladder.until(StatusBit.TRIGGER_READY)
    hall.station.stop()
    hall.line.__exit__(None, None, None)
    assert hall.plc.read(ADDRESS["Status"])[0] & 0b11111 == 0b11000


@pytest.mark.parametrize("attempt", range(3))
def test_news_at_the_moment_of_closing_keeps_no_line_open(
    build_client: Builder, attempt: int
) -> None:
    """Python 3.11 swallows a cancel that meets an answer: four closings of five failed here."""
    hall = build_client()
    hall.ladder.until(StatusBit.TRIGGER_READY)
    hall.station.stop()
    closed = threading.Event()

    def press() -> None:
        while not closed.is_set():
            hall.line._wake()

    pressing = threading.Thread(target=press)
    pressing.start()
    hall.line.__exit__(None, None, None)
    closed.set()
    pressing.join()
    assert not hall.line._thread.is_alive()
    assert hall.plc.read(ADDRESS["Status"])[0] & 0b11111 == 0b11000


def test_the_stations_registers_are_not_the_plcs_to_write(build_server: Builder) -> None:
    hall = build_server()
    assert isinstance(hall.plc, PollingPlc)
    client = hall.plc.client
    for refused in (
        client.write_register(STATION_FIRST, 0b101),
        client.write_coil(16 * STATION_FIRST + StatusBit.OK, True),
        client.write_registers(50, [0, 0, 0]),
        client.read_holding_registers(80, count=20),
    ):
        assert refused.isError()
        assert refused.exception_code == 2  # illegal data address
    assert not hall.ladder.bit(StatusBit.OK)


def test_bits_are_coils_too_where_we_serve(build_server: Builder) -> None:
    hall = build_server()
    assert isinstance(hall.plc, PollingPlc)
    client, status = hall.plc.client, 16 * STATION_FIRST
    hall.ladder.name("Serial", "good 1")
    hall.ladder.until(StatusBit.TRIGGER_READY)
    client.write_coil(0, True)
    client.write_coil(0, False)  # however short: an edge is an edge
    wait_for(lambda: client.read_discrete_inputs(status, count=8).bits[1])
    assert client.read_coils(status, count=5).bits[:5] == [False, True, True, False, False]
    assert len(hall.station.seen) == 1


def test_garbage_on_the_wire_harms_nobody(build_server: Builder) -> None:
    hall, dice = build_server(), random.Random(3)
    port = hall.line._settings.port
    for _ in range(100):
        with socket.create_connection(("127.0.0.1", port), 2) as stranger:
            head = dice.choice((b"", bytes([0, 1, 0, 0, 0, 6, 1, dice.randrange(256)])))
            stranger.sendall(head + dice.randbytes(dice.randrange(300)))
    assert hall.ladder.part("good 1").ok


def test_an_address_that_is_taken_is_one_sentence(build_server: Builder) -> None:
    hall = build_server()
    port = hall.line._settings.port
    with (
        pytest.raises(InputError, match=f"cannot listen on 127.0.0.1:{port}"),
        ModbusLine(settings("server", port), Events()),
    ):
        pass


def test_a_listener_that_fails_fails_the_run_and_not_in_silence() -> None:
    def broken(event: object) -> None:
        raise RuntimeError("the listener is broken")

    line = ModbusLine(settings("client", free_port()), broken)
    with line:
        wait_for(lambda: not line._thread.is_alive())
        with pytest.raises(RuntimeError, match="broken"):
            line.alive()


def test_a_plc_that_is_away_is_told_once_and_does_not_fill_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    events = Events()
    with caplog.at_level(logging.DEBUG), ModbusLine(settings("client", free_port()), events):
        wait_for(lambda: bool(events.codes()))
        time.sleep(1)
    assert events.codes() == [EventCode.LINE_LOST]
    assert [record for record in caplog.records if record.name.startswith("pymodbus")] == []
