"""One connection to a broker: paho-mqtt behind a queue of events.

A connection is used once. Whatever was in flight when it ends is forgotten with it and read again from the outbox,
so nothing here keeps messages, resends them or reconnects. paho calls back on its own thread, under its own locks;
these callbacks only put events into a queue. (An exception there would end paho's thread while it still calls
itself connected, and a lock of ours around ``publish`` can meet paho's in the other order.)
"""

import threading
import time
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from streamwatch.sinks.endpoint import Endpoint
from streamwatch.worker import Worker

__all__ = ["HUNG_UP", "WINDOW", "Acknowledged", "Connected", "Connection", "Event", "Lost", "Message", "Refused"]

HUNG_UP = "connection lost"  # the reason where there is no better one
WINDOW = 20  # messages in flight; paho's own limit, so that it never queues or reorders
_KEEPALIVE = 15  # s
_CONNECT_LIMIT = 3.0  # s, for TCP and again for TLS
_MESSAGES = 256  # waiting commands; a flood beyond that is dropped here


@dataclass(frozen=True, slots=True)
class Connected:
    """The broker took us."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The broker answered and said no. ``code`` is MQTT 5's reason code."""

    reason: str
    code: int


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection failed or ended; ``code`` is MQTT 5's reason code if the broker gave one, else None."""

    reason: str
    code: int | None


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The broker answered message ``mid`` at ``at`` (monotonic s); ``refused``: why it would not take it."""

    mid: int
    at: float
    refused: str | None


@dataclass(frozen=True, slots=True)
class Message:
    """Something arrived under a topic that we subscribed to."""

    topic: str
    payload: bytes
    retained: bool


Event = Connected | Refused | Lost | Acknowledged | Message


class Connection:
    """Connects in a thread of its own (name look-up cannot be interrupted), then belongs to the thread that calls.

    ``version`` is 5 or 4 (MQTT 3.1.1); ``will`` is published, retained, if we vanish.
    """

    def __init__(self, endpoint: Endpoint, will: tuple[str, str], version: int) -> None:
        self._endpoint = endpoint
        self._events: SimpleQueue[Event] = SimpleQueue()
        self._client = _client(endpoint, will, version, self._events)
        self._closing = threading.Event()
        self._opener = Worker("mqtt:connect", self._open)

    def open(self) -> None:
        """Begin to connect; Connected, Refused or Lost follows."""
        self._opener.start()

    def event(self, timeout: float) -> Event | None:
        """What happened next; None if nothing did for ``timeout`` seconds."""
        try:
            return self._events.get(timeout=timeout)
        except Empty:
            return None

    def events(self, timeout: float) -> list[Event]:
        """All that happened, in order; waits up to ``timeout`` seconds for the first."""
        found: list[Event] = []
        while (event := self.event(0.0 if found else timeout)) is not None:
            found.append(event)
        return found

    def publish(self, topic: str, payload: str | bytes, retain: bool) -> int | None:
        """Hand over a message at QoS 1: its ``mid``, answered by Acknowledged; None if the connection is gone."""
        if not self._client.is_connected():
            return None
        info = self._client.publish(topic, payload, qos=1, retain=retain)
        return info.mid if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS else None

    def subscribe(self, topic: str) -> None:
        """Have Message events for ``topic``."""
        self._client.subscribe(topic, qos=1)

    def close(self, limit: float) -> bool:
        """Disconnect cleanly; False if that took more than ``limit`` seconds and was left to itself."""
        self._closing.set()
        closer = Worker("mqtt:close", self._close)
        closer.start()
        return closer.join(limit)

    def _open(self, stop: threading.Event) -> None:
        try:
            self._client.connect(self._endpoint.host, self._endpoint.port, keepalive=_KEEPALIVE)
        except (OSError, ValueError) as error:  # ValueError: names that no look-up takes
            text = getattr(error, "strerror", None) or str(error) or type(error).__name__
            self._events.put(Lost(text, None))
            return
        if self._closing.is_set():
            self._client.disconnect()
        else:
            self._client.loop_start()

    def _close(self, stop: threading.Event) -> None:
        if self._opener.join(4 * _CONNECT_LIMIT):
            self._client.disconnect()
            self._client.loop_stop()


def _client(endpoint: Endpoint, will: tuple[str, str], version: int, events: "SimpleQueue[Event]") -> Client:
    """A paho client whose callbacks only feed ``events``; they do not hold it, so that it ends with its owner."""
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id=endpoint.client_id,
        protocol=MQTTv5 if version == 5 else MQTTv311,
        reconnect_on_failure=False,
    )
    client.connect_timeout = _CONNECT_LIMIT
    client.max_inflight_messages_set(WINDOW)
    client.will_set(*will, qos=1, retain=True)
    if endpoint.username is not None:
        client.username_pw_set(endpoint.username, endpoint.password)
    if endpoint.tls is not None:
        client.tls_set_context(endpoint.tls)

    def on_connect(_c: Client, _u: object, _flags: ConnectFlags, reason: ReasonCode, _p: Properties | None) -> None:
        events.put(Refused(str(reason), int(reason.value)) if reason.is_failure else Connected())

    def on_disconnect(_c: Client, _u: object, flags: DisconnectFlags, reason: ReasonCode, _p: object) -> None:
        from_broker = flags.is_disconnect_packet_from_server
        events.put(Lost(str(reason), int(reason.value)) if from_broker else Lost(HUNG_UP, None))

    def on_publish(_c: Client, _u: object, mid: int, reason: ReasonCode, _p: Properties) -> None:
        events.put(Acknowledged(mid, time.monotonic(), str(reason) if reason.is_failure else None))

    def on_message(_c: Client, _u: object, message: MQTTMessage) -> None:
        if events.qsize() < _MESSAGES:
            events.put(Message(message.topic, bytes(message.payload[:1024]), message.retain))

    client.on_connect = on_connect
    client.on_disconnect = on_disconnect
    client.on_publish = on_publish
    client.on_message = on_message
    return client
