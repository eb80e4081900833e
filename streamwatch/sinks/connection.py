"""One connection to a broker: paho-mqtt behind a queue of events.

A connection is used once. Whatever was in flight when it ends is forgotten with it and read again from the outbox,
so nothing here keeps messages, resends them or reconnects. paho calls back on its own thread, under its own locks;
these callbacks only put events into a queue. (An exception there would end paho's thread while it still calls
itself connected, and a lock of ours around ``publish`` can meet paho's in the other order.)
"""

import logging
import ssl
import threading
import time
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from streamwatch.sinks.endpoint import Endpoint
from streamwatch.sinks.formats import Body
from streamwatch.sinks.tls import explain_tls
from streamwatch.worker import Worker

__all__ = ["HUNG_UP", "WINDOW", "Acknowledged", "Connected", "Connection", "Event", "Lost", "Message", "Refused"]

HUNG_UP = "connection lost"  # the reason where there is no better one
WINDOW = 20  # messages in flight; paho's own limit, so that it never queues or reorders
_KEEPALIVE = 10  # s; paho needs up to two of them to see a broker that neither answers nor hangs up
_CONNECT_LIMIT = 3.0  # s, for TCP and again for TLS
_MESSAGES = 256  # waiting commands; a flood beyond that is dropped here
_KEPT = 4096  # bytes of each: more than any command may have, so that one too long is refused for its length
_HEAD = 512  # bytes; what a PUBLISH adds to topic, payload and properties, amply


@dataclass(frozen=True, slots=True)
class Connected:
    """The broker took us; MQTT 5: it takes ``window`` messages at once, none above ``largest`` bytes."""

    window: int = WINDOW
    largest: int | None = None


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
    """Something arrived under a topic that we subscribed to, after ``dropped`` others for which there was no room."""

    topic: str
    payload: bytes
    retained: bool
    dropped: int = 0


Event = Connected | Refused | Lost | Acknowledged | Message


class Connection:
    """Connects in a thread of its own (name look-up cannot be interrupted), then belongs to the thread that calls.

    ``version`` is 5 or 4 (MQTT 3.1.1); ``will`` is published, retained, if we vanish.
    """

    def __init__(self, endpoint: Endpoint, will: tuple[str, str], version: int) -> None:
        self._endpoint = endpoint
        self.window = WINDOW  # messages that may be in flight
        self._largest: int | None = None
        self._version = version
        self._refusals = 0  # of our own
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
            event = self._events.get(timeout=timeout)
        except Empty:
            return None
        if isinstance(event, Connected):
            self.window, self._largest = event.window, event.largest
        return event

    def events(self, timeout: float) -> list[Event]:
        """All that happened, in order; waits up to ``timeout`` seconds for the first."""
        found: list[Event] = []
        while (event := self.event(0.0 if found else timeout)) is not None:
            found.append(event)
        return found

    def publish(self, topic: str, body: Body, retain: bool, qos: int = 1) -> int | None:
        """Hand over a message: its ``mid``, at QoS 1 answered by Acknowledged; None if the connection is gone."""
        if not self._client.is_connected():
            return None
        if self._largest is not None and _size(topic, body) > self._largest:  # the broker would hang up on it
            self._refusals -= 1  # beside paho's numbers, which are positive
            why = f"{_size(topic, body)} bytes are more than the {self._largest} that the broker takes"
            self._events.put(Acknowledged(self._refusals, time.monotonic(), why))
            return self._refusals
        properties = _properties(body) if self._version == 5 else None
        info = self._client.publish(topic, body.payload, qos=qos, retain=retain, properties=properties)
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
        except ssl.SSLError as error:
            self._events.put(Lost(explain_tls(error), None))
            return
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


class _SocketErrors(logging.Handler):
    """The last error of a connection's socket: paho tells it to a logger alone."""

    def __init__(self) -> None:
        super().__init__()
        self.last: str | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Called on paho's thread."""
        error = record.args[0] if isinstance(record.args, tuple) and record.args else None
        if isinstance(error, ssl.SSLError):  # EOF in mid-stream is one, too, and no news
            self.last = None if isinstance(error, ssl.SSLEOFError) else explain_tls(error)


def _size(topic: str, body: Body) -> int:
    """Bytes of the packet, at most."""
    texts = (topic, body.content_type or "", *(text for pair in body.properties for text in pair))
    payload = body.payload if isinstance(body.payload, bytes) else body.payload.encode()
    return _HEAD + len(payload) + sum(len(text.encode()) for text in texts)


def _properties(body: Body) -> Properties:
    found = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    if isinstance(body.payload, str):
        found.PayloadFormatIndicator = 1  # UTF-8
    if body.content_type is not None:
        found.ContentType = body.content_type
    if body.properties:
        found.UserProperty = list(body.properties)
    return found


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

    dropped = 0
    logger, errors = logging.Logger("paho", logging.ERROR), _SocketErrors()
    logger.addHandler(errors)
    client.enable_logger(logger)

    def on_connect(_c: Client, _u: object, _flags: ConnectFlags, reason: ReasonCode, known: Properties | None) -> None:
        events.put(Refused(str(reason), int(reason.value)) if reason.is_failure else _connected(known))

    def on_disconnect(_c: Client, _u: object, flags: DisconnectFlags, reason: ReasonCode, _p: object) -> None:
        from_broker = flags.is_disconnect_packet_from_server
        events.put(Lost(str(reason), int(reason.value)) if from_broker else Lost(errors.last or HUNG_UP, None))

    def on_publish(_c: Client, _u: object, mid: int, reason: ReasonCode, _p: Properties) -> None:
        events.put(Acknowledged(mid, time.monotonic(), str(reason) if reason.is_failure else None))

    def on_message(_c: Client, _u: object, message: MQTTMessage) -> None:
        nonlocal dropped
        if events.qsize() < _MESSAGES:
            events.put(Message(message.topic, bytes(message.payload[:_KEPT]), message.retain, dropped))
            dropped = 0
        else:
            dropped += 1  # told with the next that finds room

    client.on_connect = on_connect
    client.on_disconnect = on_disconnect
    client.on_publish = on_publish
    client.on_message = on_message
    return client


def _connected(known: Properties | None) -> Connected:
    window = min(WINDOW, getattr(known, "ReceiveMaximum", WINDOW))
    return Connected(window, getattr(known, "MaximumPacketSize", None))
