"""Alerts and states to an MQTT broker: at least once, in order, over broker outages."""

import json
import logging
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path

from streamwatch.config import MqttConfig
from streamwatch.errors import SinkError
from streamwatch.rules.alert import Alert
from streamwatch.rules.order import Acknowledge, Order, Snooze, Snoozed
from streamwatch.sinks.announced import Announced
from streamwatch.sinks.answer import UNANSWERED, await_answer
from streamwatch.sinks.commands import Command, CommandGate, ReloadRules, ReplayAlerts
from streamwatch.sinks.complaints import Complaints
from streamwatch.sinks.connection import Connected, Connection, Lost, Message, Refused
from streamwatch.sinks.discovery import BIRTH, Discovery
from streamwatch.sinks.endpoint import Endpoint
from streamwatch.sinks.formats import FORMATS, Body, write_structured
from streamwatch.sinks.readings import Readings
from streamwatch.sinks.relay import Book, Relay
from streamwatch.sinks.replay import Replay
from streamwatch.sinks.sink import Site
from streamwatch.sinks.states import OpenIncidents, RetainedStates, Topics

__all__ = ["LinkState", "MqttSink"]

log = logging.getLogger(__name__)

_BACKOFF = (1.0, 15.0)  # s
_STABLE = 30.0  # s; a shorter conversation counts as a failure, so that two clients of one name calm down
_BRIEF = 3  # such conversations running, and we say what is likely
_DRAIN_LIMIT = 3.0  # s; with the three below: stop within 5 s
_DRAIN_PATIENCE = 1.2
_FAREWELL_LIMIT = 0.5
_CLOSE_LIMIT = 1.0
_BIRTHS = 5.0  # s; a birth message sooner after the last one is ignored
_UNSUPPORTED_VERSION = 132  # MQTT 5 reason codes
_UNAUTHORIZED = (134, 135, 138)  # bad user name or password, not authorized, banned
_TAKEN_OVER = 142


class LinkState(StrEnum):
    """How the sink stands with the broker."""

    IDLE = "idle"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    UNREACHABLE = "unreachable"
    UNAUTHORIZED = "unauthorized"
    REFUSED = "refused"
    TAKEN_OVER = "taken_over"
    STOPPED = "stopped"


class MqttSink:
    """Relays the site's outbox and states to a broker. ``run`` is a worker's body; all else is safe from any thread.

    Speaks MQTT 5, or 3.1.1 to a broker that does not (and to the embedded one), unless ``config.protocol`` says which.
    No session is kept: what is not acknowledged is in the outbox, and a command sent while we are away is not carried
    out later. Without ``config.host`` the broker is the embedded one on 127.0.0.1. If ``config.commands``,
    ``on_command(camera, enabled)`` is called for ``<prefix>/<camera>/enabled/set``, ``on_reload()`` for
    ``<prefix>/rules/reload`` and ``on_order(order)`` for acknowledgements and snoozes, on the sink's thread: they must
    neither block nor raise; and alerts are published again for those who ask on ``<prefix>/replay/request``.

    ``announced`` is the file that remembers the devices announced to Home Assistant, so that those of cameras that are
    gone are taken back, and all of them once ``config.discovery`` is off.
    Raises ConfigError if password file or certificates cannot be used.
    """

    def __init__(
        self,
        site: Site,
        config: MqttConfig,
        on_command: Callable[[str, bool], None] = lambda camera, enabled: None,
        *,
        on_reload: Callable[[], None] = lambda: None,
        announced: Path | None = None,
    ) -> None:
        self.state = LinkState.IDLE
        self._site = site
        self._endpoint = Endpoint.read(config)
        self._topics = topics = Topics(config.topic_prefix)
        self._states = RetainedStates()
        self._readings = Readings(site.metrics, topics, config.readings_every)
        scored = site.events if config.readings_every else ()
        self._discovery = discovery = Discovery(topics, self._states, Announced(announced), scored)
        replay = Replay(site.outbox)
        self._book = Book(topics, self._states, OpenIncidents(), self._write, replay, discovery.confirmed)
        self._format = FORMATS[config.format]
        self._gate = CommandGate(config.topic_prefix, site.cameras) if config.commands else None
        self._on_command = on_command
        self._on_reload = on_reload
        self.on_order: Callable[[Order], None] = lambda order: None
        self._version = self._endpoint.versions[0]
        self._failures = 0
        self._brief = 0
        self._complaints = Complaints(f"MQTT {self._endpoint}")
        self._born = -_BIRTHS  # when Home Assistant last said that it had started (monotonic s)
        self._discoverable = config.discovery == "homeassistant"
        for result in ("acked", "failed"):
            site.metrics.mqtt_published.labels(result)
        self.watch(site.cameras)  # whatever an earlier run left at the broker is stale
        for camera in site.cameras:
            self._states.set(topics.status(camera), "offline")

    def status(self, camera: str, status: str) -> None:
        """Have ``status`` (online, offline, frozen, disabled …) retained for ``camera``; newest wins, never blocks."""
        self._states.set(self._topics.status(self._known(camera)), status)

    def enabled(self, camera: str, enabled: bool) -> None:
        """Have ON or OFF retained for ``camera``."""
        self._states.set(self._topics.enabled(self._known(camera)), "ON" if enabled else "OFF")

    def watch(self, cameras: Mapping[str, Sequence[str]]) -> None:
        """These rules watch the site's cameras from now on: what is retained and announced follows."""
        self._discovery.announce(cameras if self._discoverable else {}, self._gate is not None)
        for camera, rules in cameras.items():
            for rule in rules:
                self._states.begin(self._topics.alert_state(self._known(camera), rule), "OFF")

    def snapshot(self, camera: str, rule: str, jpeg: bytes) -> None:
        """Have ``jpeg`` retained as the picture of the rule's last incident there. Newest wins, never blocks.

        Raises ValueError for more than ``pictures.SIZE_LIMIT`` bytes.
        """
        self._book.pictures.set(self._topics.snapshot(self._known(camera), rule), jpeg)

    def applied(self, document: Mapping[str, object]) -> None:
        """Publish what became of a reload, as JSON, once. Never blocks; raises ValueError for NaN."""
        self._book.notices.put(self._topics.applied, json.dumps(dict(document), allow_nan=False))

    def answer(self, document: Mapping[str, object]) -> None:
        """Publish what became of an order, likewise."""
        self._book.notices.put(self._topics.answer, json.dumps(dict(document), allow_nan=False))

    def snoozed(self, snoozes: Sequence[Snoozed]) -> None:
        """Have those in force retained. Never blocks."""
        self._states.set(self._topics.snoozed, json.dumps([held.to_payload() for held in snoozes], allow_nan=False))

    def run(self, stop: threading.Event) -> None:
        """Connect, relay, reconnect until ``stop``; then drain for a moment, say ``stopped`` and return within 5 s."""
        self._site.metrics.mqtt_connected.set(0)
        while not stop.is_set():
            if self.state is LinkState.TAKEN_OVER:  # lives on, so that nobody restarts the process for it
                stop.wait(_BACKOFF[1])
                continue
            self._connect(stop)
            stop.wait(self._delay())
        self.state = LinkState.STOPPED

    def _connect(self, stop: threading.Event) -> None:
        """One connection from beginning to end."""
        self.state = LinkState.CONNECTING if not self._failures else self.state
        connection = Connection(self._endpoint, (self._topics.available, "offline"), self._version)
        connection.open()
        try:
            answer = await_answer(connection, stop)
            if isinstance(answer, Connected):
                self._converse(connection, stop)
            elif answer is not None:
                self._failed(answer)
        except SinkError as error:  # the outbox cannot be read or written just now
            self._failures += 1
            self.state = LinkState.CONNECTING
            self._say_once(f"outbox: {error}; tried again")
        finally:
            self._site.metrics.mqtt_connected.set(0)
            if not connection.close(_CLOSE_LIMIT):
                log.warning("MQTT %s: the connection did not close in time and was left", self._endpoint)

    def _converse(self, connection: Connection, stop: threading.Event) -> None:
        self._arrived(connection)
        begun = time.monotonic()
        relay = Relay(connection, self._site, self._book)
        try:
            while relay.lost is None and not stop.is_set():
                for message in relay.turn():
                    self._take(message, relay)
                self._readings.say(connection, time.monotonic())
                if relay.complaint:
                    self._say_once(f"refused a message for {relay.complaint}; tried again every few seconds")
            if stop.is_set() and relay.lost is None:
                relay.drain(_DRAIN_LIMIT, _DRAIN_PATIENCE)
                relay.say(self._topics.available, "stopped", _FAREWELL_LIMIT)
        finally:
            relay.abandon()
        if time.monotonic() - begun > _STABLE:
            self._failures = self._brief = 0
            self._complaints.forget()
        if relay.lost is not None:
            self._brief += 1
            self._failed(relay.lost)

    def _arrived(self, connection: Connection) -> None:
        log.info("MQTT %s: connected, MQTT %s", self._endpoint, _name(self._version))
        self.state = LinkState.CONNECTED
        self._site.metrics.mqtt_connected.set(1)
        self._states.set(self._topics.available, "online")
        self._states.say_all_again()
        self._book.pictures.say_all_again()
        if self._discoverable:
            connection.subscribe(BIRTH)
        if self._gate is not None:
            topics = self._topics
            for topic in (topics.commands, topics.replay, topics.reload, topics.acks, topics.snooze):
                connection.subscribe(topic)

    def _failed(self, answer: Refused | Lost) -> None:
        self._failures += 1
        if answer.code == _TAKEN_OVER:
            self.state = LinkState.TAKEN_OVER
            log.error(
                "MQTT %s: another client took over the name %r; this one keeps away and alerts wait in the outbox. "
                "Give each instance its own mqtt.client_id and restart",
                self._endpoint, self._endpoint.client_id,
            )  # fmt: skip
        elif answer.code == _UNSUPPORTED_VERSION or (isinstance(answer, Lost) and answer.reason == UNANSWERED):
            self.state = LinkState.UNREACHABLE
            self._other_version(answer.reason)
        elif answer.code in _UNAUTHORIZED:
            self.state = LinkState.UNAUTHORIZED
            self._say_once(f"{answer.reason}: check mqtt.username and mqtt.password_file; alerts wait in the outbox")
        else:
            self.state = LinkState.REFUSED if isinstance(answer, Refused) else LinkState.UNREACHABLE
            hint = f", soon after each connect: is {self._endpoint.client_id!r} the mqtt.client_id of another client?"
            self._say_once(f"{answer.reason}{hint if self._brief >= _BRIEF else ''}; alerts wait in the outbox")

    def _other_version(self, reason: str) -> None:
        """A broker of MQTT 3 may refuse 5, or only hang up; so may one that wants TLS."""
        versions = self._endpoint.versions
        self._version = versions[(versions.index(self._version) + 1) % len(versions)]
        secure = self._endpoint.tls is not None
        hint = f" (does that port want {'mqtt.tls.cert_file' if secure else 'mqtt.tls'}?)"
        other = "; MQTT 5 and 3.1.1 are tried in turn" if len(versions) > 1 else f" MQTT {_name(self._version)}"
        self._say_once(f"{reason}{other}{hint}; alerts wait in the outbox")

    def _write(self, alert: Alert, instance: str, sequence: int) -> Body:
        """In the configured format; a CloudEvent's binary form needs MQTT 5."""
        binary = self._format is FORMATS["cloudevents-binary"]
        return (write_structured if binary and self._version == 4 else self._format)(alert, instance, sequence)

    def _delay(self) -> float:
        """Seconds until the next attempt: doubling from 1 to 15, with jitter so that instances do not come together."""
        least, most = _BACKOFF
        return min(most, least * 2.0 ** min(max(0, self._failures - 1), 8)) * random.uniform(0.5, 1.0)

    def _take(self, message: Message, relay: Relay) -> None:
        now = time.monotonic()
        if message.topic == BIRTH:
            if message.payload == b"online" and not message.retained and now - self._born >= _BIRTHS:
                self._born = now
                self._states.say_all_again()
        elif self._gate is not None:
            self._command(self._gate.read(message.topic, message.payload, message.retained, now), message, relay)

    def _command(self, command: Command | str, message: Message, relay: Relay) -> None:
        count = self._site.metrics.mqtt_commands
        count.labels("refused" if isinstance(command, str) else "taken").inc()
        count.labels("dropped").inc(message.dropped)
        if isinstance(command, str):
            self._say_once(f"ignored a message for {message.topic[:100]!r}: {command}")
        elif isinstance(command, ReplayAlerts):
            log.info("MQTT %s: asked for the alerts after %d", self._endpoint, command.after)
            relay.replay(command.after)
        elif isinstance(command, ReloadRules):
            log.info("MQTT %s: asked to read the rules again", self._endpoint)
            self._on_reload()
        elif isinstance(command, Acknowledge | Snooze):
            self.on_order(command)
        else:
            self._on_command(command.camera, command.enabled)

    def _known(self, camera: str) -> str:
        if camera not in self._site.cameras:
            raise ValueError(f"camera {camera!r} is not one of {', '.join(self._site.cameras)}")
        return camera

    def _say_once(self, text: str) -> None:
        self._complaints.say(text, time.monotonic())


def _name(version: int) -> str:
    return "5" if version == 5 else "3.1.1"
