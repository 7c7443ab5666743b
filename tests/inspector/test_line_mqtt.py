"""Results, state, events and identity through a real broker, which is killed and started again."""

import json
import multiprocessing
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Thread

import pytest

from inspector.camera.base import NOT_SAID, PartIdentity
from inspector.clock import utc_now
from inspector.line.mqtt import MqttLink
from inspector.line.mqtt_messages import OFFLINE
from inspector.line.signals import StationSigns, Trigger
from inspector.pipeline.events import EventCode, StationEvent
from inspector.settings import MqttSettings
from tests.inspector.line_parts import Events, free_port, judged, wait_for
from tests.inspector.mqtt_parts import (
    MOSQUITTO,
    Broker,
    Ear,
    make_certificates,
    password_line,
)
from tests.inspector.pipeline_parts import NOON

pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason="needs mosquitto, a broker, on PATH")

ROOT = "inspector/press 4"
READY = StationSigns(ready=True, inspecting=False, state="Ready")
SECRET = "correct horse"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path, free_port())
    yield broker
    broker.stop()


@pytest.fixture
def ear(broker: Broker) -> Iterator[Ear]:
    with closing(Ear(broker.port)) as ear:
        yield ear


def settings(port: int, **other: object) -> MqttSettings:
    return MqttSettings.model_validate({"host": "127.0.0.1", "port": port, **other})


def link(port: int, events: Events | None = None, **other: object) -> MqttLink:
    return MqttLink(settings(port, **other), "press 4", events or Events(), clock=lambda: NOON)


def write(link: MqttLink, *serials: str) -> None:
    with link.sink() as sink:
        for i, serial in enumerate(serials):
            sink.write(judged(Trigger(i, PartIdentity(serial=serial), 0, 0.0, frame_id=i)))


def serials(ear: Ear) -> list[str]:
    return [json.loads(m)["part"]["serial"] for m in ear.on(f"{ROOT}/result")]


def test_results_state_and_events_arrive(broker: Broker, ear: Ear) -> None:
    with link(broker.port) as station:
        wait_for(lambda: station.connected)
        station.show(READY)
        write(station, "good 1", "bad 2")
        station.tell(StationEvent(EventCode.DISK_LOW, NOON, "5 % free.", {"free": 5}))
        wait_for(lambda: len(ear.on(f"{ROOT}/event")) == 1 and len(serials(ear)) == 2)
    wait_for(lambda: ear.on(f"{ROOT}/state")[-1] == OFFLINE)

    first, second = (json.loads(m) for m in ear.on(f"{ROOT}/result"))
    assert (first["verdict"], first["sequence"], first["score"]) == ("OK", 1, 0.25)
    assert (second["verdict"], second["sequence"], second["reason"]) == ("NG", 2, "defect")
    assert json.loads(ear.on(f"{ROOT}/event")[0])["severity"] == "warning"
    states = [json.loads(m) for m in ear.on(f"{ROOT}/state")]
    assert states[-2]["counters"] == {"ok": 1, "ng": 1, "fault": 0, "dropped": 0}
    assert states[-2]["state"] == "Ready"


def test_what_waits_at_the_close_is_sent_before_the_last_word(broker: Broker, ear: Ear) -> None:
    many = [f"good {i}" for i in range(200)]  # paho has 20 on their way at once
    with link(broker.port) as station:
        wait_for(lambda: station.connected)
        write(station, *many)
    wait_for(lambda: ear.on(f"{ROOT}/state")[-1] == OFFLINE)
    assert serials(ear) == many


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="stops a process as POSIX does")
def test_a_broker_that_confirms_nothing_hears_that_the_station_is_gone(
    broker: Broker, ear: Ear
) -> None:
    with link(broker.port, most_waiting=4) as station:
        wait_for(lambda: station.connected)
        station.show(READY)
        wait_for(lambda: any(b'"Ready"' in m for m in ear.on(f"{ROOT}/state")))
        with broker.holding_its_breath():
            write(station, *(f"good {i}" for i in range(30)))
            assert station.dropped > 0
            station.__exit__(None, None, None)
        wait_for(lambda: ear.on(f"{ROOT}/state")[-1] == OFFLINE)


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="stops a process as POSIX does")
def test_a_full_queue_has_a_moment_too(broker: Broker, ear: Ear) -> None:
    with link(broker.port, most_waiting=30) as station:
        wait_for(lambda: station.connected)
        with broker.holding_its_breath():
            write(station, *(f"good {i}" for i in range(40)))
            assert station.dropped == 10
            closing = Thread(target=station.__exit__, args=(None, None, None))
            closing.start()
            time.sleep(0.3)
        closing.join(10)
        wait_for(lambda: ear.on(f"{ROOT}/state")[-1] == OFFLINE)
    assert serials(ear) == [f"good {i}" for i in range(30)]


def test_who_comes_later_finds_the_newest_state(broker: Broker, ear: Ear) -> None:
    with link(broker.port) as station:
        wait_for(lambda: station.connected)
        station.show(READY)
        wait_for(lambda: any(b'"Ready"' in m for m in ear.on(f"{ROOT}/state")))
        with closing(Ear(broker.port)) as late:
            wait_for(lambda: bool(late.on(f"{ROOT}/state")))
            assert late.heard[0][2] is True
            assert json.loads(late.heard[0][1])["state"] == "Ready"


def test_identity_comes_in_and_is_taken_once(broker: Broker, ear: Ear) -> None:
    with link(broker.port) as station:
        wait_for(lambda: station.connected)
        time.sleep(0.2)  # its subscription
        ear.say(f"{ROOT}/part", b'{"part": "17-A", "lot": "4"}')
        ear.say(f"{ROOT}/part", b'{"part": "17-B", "serial": "0001"}')
        taken: list[PartIdentity] = []

        def newest() -> bool:
            taken.append(station.latest_part(utc_now()))
            return taken[-1].part == "17-B"

        wait_for(newest)
        assert taken[-1] == PartIdentity("17-B", None, "0001")
        assert station.latest_part(utc_now()) == NOT_SAID


def test_the_next_parts_message_does_not_take_the_name_of_one_that_waits(
    broker: Broker, ear: Ear
) -> None:
    with MqttLink(settings(broker.port), "press 4", Events()) as station:
        wait_for(lambda: station.connected)
        time.sleep(0.2)  # its subscription
        pictures = []
        for serial in (b"A", b"B"):
            ear.say(f"{ROOT}/part", b'{"serial": "%s"}' % serial)
            time.sleep(0.2)  # on its way through the broker
            pictures.append(utc_now())
        assert [station.latest_part(taken).serial for taken in pictures] == ["A", "B"]


@pytest.mark.parametrize("retain", [False, True])
def test_a_message_that_is_none_is_an_event_and_no_crash(
    broker: Broker, ear: Ear, retain: bool
) -> None:
    events = Events()
    said = b'{"part": "old"}' if retain else b'{"part": 17'
    if retain:
        ear.say(f"{ROOT}/part", said, retain=True)
    with link(broker.port, events) as station:
        wait_for(lambda: station.connected)
        time.sleep(0.2)
        if not retain:
            ear.say(f"{ROOT}/part", said)
        wait_for(lambda: events.codes() == [EventCode.MESSAGE_REFUSED])
        assert station.latest_part(utc_now()) == NOT_SAID
        ear.say(f"{ROOT}/part", b'{"part": "new"}')
        wait_for(lambda: station.latest_part(utc_now()).part == "new")


def test_a_broker_that_is_restarted_gets_what_waited_and_the_rest_is_counted(
    broker: Broker, ear: Ear
) -> None:
    events = Events()
    with link(broker.port, events, most_waiting=4) as station:
        wait_for(lambda: station.connected)
        station.show(READY)
        write(station, "good 0")
        wait_for(lambda: serials(ear) == ["good 0"])
        broker.stop()
        wait_for(lambda: events.codes() == [EventCode.LINE_LOST])
        start = time.monotonic()
        write(station, *(f"good {i}" for i in range(1, 8)))
        assert time.monotonic() - start < 1  # nobody waits for a broker
        assert station.dropped == 3
        ear.close()
        broker.start()
        with closing(Ear(broker.port)) as again:
            wait_for(lambda: len(serials(again)) == 4)
            assert serials(again) == ["good 1", "good 2", "good 3", "good 4"]
            state = json.loads(again.on(f"{ROOT}/state")[-1])
            assert state["counters"] == {"ok": 8, "ng": 0, "fault": 0, "dropped": 3}
        assert events.codes() == [EventCode.LINE_LOST, EventCode.LINE_BACK]


def test_a_broker_that_is_not_there_at_the_start_is_waited_for(tmp_path: Path) -> None:
    port, events = free_port(), Events()
    with link(port, events) as station:
        wait_for(lambda: events.codes() == [EventCode.LINE_LOST])
        assert f"127.0.0.1:{port} cannot be reached" in events.heard[0][1].text
        broker = Broker(tmp_path, port)
        try:
            assert wait_for(lambda: station.connected) < 5
            wait_for(lambda: events.codes()[-1] is EventCode.LINE_BACK)
        finally:
            broker.stop()


def connect_and_wait(port: int) -> None:
    """A station in a process of its own, which will be killed."""
    with link(port) as station:
        wait_for(lambda: station.connected)
        station.show(READY)
        time.sleep(60)


def test_the_last_will_of_a_killed_station_is_heard(broker: Broker, ear: Ear) -> None:
    child = multiprocessing.get_context("spawn").Process(
        target=connect_and_wait, args=(broker.port,), daemon=True
    )
    child.start()
    wait_for(lambda: any(b'"Ready"' in m for m in ear.on(f"{ROOT}/state")), 30)
    child.kill()
    child.join(10)
    wait_for(lambda: ear.on(f"{ROOT}/state")[-1] == OFFLINE)


def test_a_wrong_password_is_told_without_the_password(tmp_path: Path) -> None:
    (tmp_path / "users").write_text(password_line("press4", "another"), encoding="utf-8")
    users = f"password_file {tmp_path / 'users'}"
    broker = Broker(tmp_path, free_port(), "allow_anonymous false", users)
    events = Events()
    (tmp_path / "secret").write_text(SECRET + "\n", encoding="utf-8")
    secret = {"username": "press4", "password_file": tmp_path / "secret"}
    try:
        with link(broker.port, events, **secret) as station:
            wait_for(lambda: events.codes() == [EventCode.LINE_LOST])
            assert not station.connected
    finally:
        broker.stop()
    (text,) = (event.text for _, event in events.heard)
    assert "refuses us" in text
    assert SECRET not in text


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    make_certificates(folder)
    return folder


def tls_broker(folder: Path, certificates: Path) -> Broker:
    (folder / "users").write_text(password_line("press4", SECRET), encoding="utf-8")
    return Broker(
        folder,
        free_port(),
        "allow_anonymous false",
        f"password_file {folder / 'users'}",
        f"cafile {certificates / 'ca.pem'}",
        f"certfile {certificates / 'broker.pem'}",
        f"keyfile {certificates / 'broker.key'}",
        "require_certificate true",
    )


def test_tls_with_both_sides_known_and_a_password_from_the_environment(
    tmp_path: Path, certificates: Path
) -> None:
    broker = tls_broker(tmp_path, certificates)
    chosen = settings(
        broker.port,
        ca=certificates / "ca.pem",
        cert=certificates / "station.pem",
        key=certificates / "station.key",
        username="press4",
        password_env="MQTT_PASSWORD",
    )
    events, environment = Events(), {"MQTT_PASSWORD": SECRET}
    try:
        with MqttLink(chosen, "press 4", events, environment=environment) as station:
            wait_for(lambda: station.connected)
            write(station, "good 1")
        assert events.codes() == []
    finally:
        broker.stop()


# paho leaves the socket of a handshake that failed to the garbage collector
@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
def test_a_broker_whom_our_ca_does_not_know_is_not_talked_to(
    tmp_path: Path, certificates: Path
) -> None:
    strangers = tmp_path / "strangers"
    strangers.mkdir()
    make_certificates(strangers)
    broker = tls_broker(tmp_path, certificates)
    events = Events()
    try:
        with link(broker.port, events, ca=strangers / "ca.pem") as station:
            wait_for(lambda: events.codes() == [EventCode.LINE_LOST])
            assert not station.connected
    finally:
        broker.stop()


def test_closing_does_not_wait_for_a_broker_that_is_not_there() -> None:
    with link(free_port()) as station:
        write(station, "good 1")
        start = time.monotonic()
    assert time.monotonic() - start < 5


def test_a_listener_that_fails_fails_the_next_write() -> None:
    def broken(event: StationEvent) -> None:
        raise RuntimeError("the listener is broken")

    with MqttLink(settings(free_port()), "press 4", broken) as station:

        def fails() -> bool:
            try:
                write(station, "good 1")
            except RuntimeError as error:
                return "broken" in str(error)
            return False

        wait_for(fails)
