"""Results, state and events to a broker, and part identity from it.

Nothing here holds up a part: what cannot be sent waits in memory up to a bound, and is counted
beyond it. Who must not lose a result reads the database's outbox.
"""

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from threading import Lock, Thread
from types import MappingProxyType, TracebackType
from typing import Any, Final, Self

from paho.mqtt.client import (
    MQTT_ERR_QUEUE_SIZE,
    Client,
    ConnectFlags,
    DisconnectFlags,
    MQTTMessage,
    MQTTMessageInfo,
)
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from engine.types import InputError
from inspector.camera.base import PartIdentity
from inspector.clock import utc_now
from inspector.line.identities import Identities
from inspector.line.mqtt_access import read_password, tls_context
from inspector.line.mqtt_messages import (
    OFFLINE,
    event_message,
    read_part,
    result_message,
    state_message,
    topic_level,
)
from inspector.line.signals import LineCounts, StationSigns
from inspector.line.watch import Listener
from inspector.pipeline.events import EventCode, StationEvent
from inspector.pipeline.inspection import Inspection
from inspector.settings import MqttSettings

MOST_WAIT_S: Final = 2
CLOSE_S: Final = 2.0
TURN_S: Final = 0.02
MQTT: Final = MappingProxyType({"link": "mqtt"})


class MqttLink:
    """Open it once for the life of a station; each run has a :meth:`sink` of its own.

    ``station`` is the station's name; ``listener`` is called with LINE_LOST, LINE_BACK and
    MESSAGE_REFUSED on paho's thread; it may call :meth:`tell`. Birth raises
    :class:`engine.types.InputError` where password or certificates cannot be read. A broker that
    is not there is no error: it is tried again every 2 s.
    """

    def __init__(
        self,
        settings: MqttSettings,
        station: str,
        listener: Listener,
        *,
        clock: Callable[[], datetime] = utc_now,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._settings, self._station = settings, station
        self._listener, self._clock = listener, clock
        self._root = f"{settings.prefix}/{topic_level(station)}"
        self._lock = Lock()  # over the few values that follow
        self._signs, self._counts = StationSigns(), LineCounts()
        self._sequence = self._dropped = 0
        self._identities = Identities()
        self._lost = False
        self._failure: Exception | None = None
        self._client = self._new_client(read_password(settings, environment))

    def __enter__(self) -> Self:
        s = self._settings
        self._client.connect_async(s.host, s.port, s.keepalive_s)
        self._client.loop_start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give what waits a moment to be sent, and say that the station is offline.

        Said once more without a queue where what is to be confirmed found no way out behind all
        that waits: a link that is closed in good order leaves no will behind it.
        """
        if self._client.is_connected() and not self._say_offline():
            last = self._client.publish(self._topic("state"), OFFLINE, qos=0, retain=True)
            with suppress(RuntimeError):  # lost a moment ago
                last.wait_for_publish(CLOSE_S)
        self._client.disconnect()
        stopper = Thread(target=self._client.loop_stop, daemon=True)  # it may wait for a keepalive
        stopper.start()
        stopper.join(CLOSE_S)

    @property
    def dropped(self) -> int:
        """Messages that found the queue full since the link was opened."""
        return self._dropped

    @property
    def connected(self) -> bool:
        return self._client.is_connected()

    def show(self, signs: StationSigns) -> None:
        """What the station says of itself from now on; from any thread."""
        with self._lock:
            self._signs = signs
        self._say_state()

    def tell(self, event: StationEvent) -> None:
        """Send an event; from any thread."""
        self._send("event", event_message(event))

    def latest_part(self, before: datetime) -> PartIdentity:
        """The newest identity said until ``before``, when the picture was taken, and not taken
        yet, which is taken with this; or none. One said later waits for a later picture."""
        return self._identities.take(before)

    def sink(self) -> "MqttSink":
        """For one run, after the sink that commits the record."""
        return MqttSink(self._write)

    def _write(self, inspection: Inspection) -> None:
        if self._failure is not None:
            raise self._failure
        with self._lock:
            self._sequence += 1
            self._counts = self._counts.with_record(inspection.verdict)
        self._send("result", result_message(self._station, self._sequence, inspection))
        self._say_state()

    def _send(self, topic: str, message: bytes) -> None:
        sent = self._client.publish(self._topic(topic), message, qos=1)
        if sent.rc == MQTT_ERR_QUEUE_SIZE:
            with self._lock:
                self._dropped += 1

    def _say_state(self) -> None:
        """Without a queue: whoever comes back gets the newest. Under the lock, so that what is
        sent last is what holds last, whichever thread says it."""
        if not self._client.is_connected():
            return
        with self._lock:
            message = state_message(self._signs, self._counts, self._dropped, self._clock())
            self._client.publish(self._topic("state"), message, qos=0, retain=True)

    def _say_offline(self) -> bool:
        """Whether that went out in time, after all that was to be confirmed before it: where the
        queue is full, that has to become shorter first."""
        ends = time.monotonic() + CLOSE_S
        while (left_s := ends - time.monotonic()) > 0:
            last = self._client.publish(self._topic("state"), OFFLINE, qos=1, retain=True)
            if last.rc != MQTT_ERR_QUEUE_SIZE:
                return _is_out(last, left_s)
            time.sleep(TURN_S)
        return False

    def _topic(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _new_client(self, password: str | None) -> Client:
        s = self._settings
        name = s.client_id or f"inspector-{topic_level(self._station)}"
        client = Client(CallbackAPIVersion.VERSION2, name)
        if s.username is not None:
            client.username_pw_set(s.username, password)
        context = tls_context(s)
        if context is not None:
            client.tls_set_context(context)
        client.will_set(self._topic("state"), OFFLINE, qos=1, retain=True)
        client.reconnect_delay_set(1, MOST_WAIT_S)
        client.max_queued_messages_set(s.most_waiting)
        client.on_connect = self._guarded(self._on_connect)
        client.on_connect_fail = self._guarded(self._on_connect_fail)
        client.on_disconnect = self._guarded(self._on_disconnect)
        client.on_message = self._guarded(self._on_message)
        return client

    def _guarded(self, callback: Callable[..., None]) -> Callable[..., None]:
        """What fails on paho's thread fails the next write, instead of ending it in silence."""

        def call(*arguments: Any) -> None:
            try:
                callback(*arguments)
            except Exception as error:  # noqa: BLE001 (the thread's border: raised by _write)
                self._failure = error

        return call

    def _on_connect(
        self,
        client: Client,
        data: Any,
        flags: ConnectFlags,
        code: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if code.is_failure:
            self._lose(f"refuses us: {code}.")
            return
        client.subscribe(self._topic("part"), qos=1)
        self._say_state()
        if self._lost:
            self._lost = False
            self._report(EventCode.LINE_BACK, "is connected again.")

    def _on_connect_fail(self, client: Client, data: Any) -> None:
        self._lose("cannot be reached: results wait in memory.")

    def _on_disconnect(
        self,
        client: Client,
        data: Any,
        flags: DisconnectFlags,
        code: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if code.is_failure:
            self._lose("was lost: results wait in memory.")

    def _on_message(self, client: Client, data: Any, message: MQTTMessage) -> None:
        """An identity. A retained one is of a part long gone."""
        try:
            if message.retain:
                raise InputError("A part message was retained: send it without.")
            part = read_part(bytes(message.payload))
        except InputError as error:
            self._listener(StationEvent(EventCode.MESSAGE_REFUSED, self._clock(), str(error), MQTT))
            return
        self._identities.put(part, self._clock())

    def _lose(self, text: str) -> None:
        if not self._lost:
            self._lost = True
            self._report(EventCode.LINE_LOST, text)

    def _report(self, code: EventCode, text: str) -> None:
        said = f"The MQTT broker {self._settings.host}:{self._settings.port} {text}"
        self._listener(StationEvent(code, self._clock(), said, MQTT))


def _is_out(message: MQTTMessageInfo, timeout_s: float) -> bool:
    """Whether it is confirmed in time; not where the link was lost a moment ago."""
    try:
        message.wait_for_publish(timeout_s)
        return message.is_published()
    except RuntimeError:
        return False


class MqttSink:
    """One run's: tells each inspection, and adds what that took as the stage "mqtt"."""

    def __init__(
        self,
        tell: Callable[[Inspection], None],
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._tell, self._timer = tell, timer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """The link stays open: it is the station's, not the run's."""

    def write(self, inspection: Inspection) -> Inspection:
        start = self._timer()
        self._tell(inspection)
        spent_ms = (self._timer() - start) * 1000
        return replace(inspection, stages_ms={**inspection.stages_ms, "mqtt": spent_ms})
