"""A subscriber as the contract wants it: a session that lasts, and a replay for whatever is missing."""

import json
import threading
import time
from collections import Counter, deque

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

__all__ = ["Place", "Subscriber"]

Place = tuple[str, int, str]
"""(instance, sequence, id): one alert, however often it comes. The id tells a number that was given out twice."""


class Subscriber:
    """Counts the alerts that arrive on ``port``, each by its place. Reconnects for ever."""

    def __init__(self, port: int) -> None:
        self.copies: Counter[Place] = Counter()
        self.heard = 0  # messages
        self.disorder = 0  # incidents whose alerts first came in the wrong order
        self._recent: deque[float] = deque(maxlen=2000)  # when the last new ones came (monotonic seconds)
        self._highest: dict[tuple[str, str], int] = {}
        self._lock = threading.Lock()
        self._client = Client(CallbackAPIVersion.VERSION2, "campaign-subscriber", clean_session=False)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, data, flags, reason, known: client.subscribe("streamwatch/alerts/#", 1)
        self._client.on_message = lambda client, data, message: self._take(message)
        self._client.connect_async("127.0.0.1", port, keepalive=5)
        self._client.loop_start()

    def _take(self, message: MQTTMessage) -> None:
        alert = json.loads(message.payload)
        place = (alert["instance"], alert["sequence"], alert["id"])
        incident = (alert["instance"], alert["id"])
        with self._lock:
            self.heard += 1
            if place not in self.copies:
                self._recent.append(time.monotonic())
                self.disorder += alert["seq"] < self._highest.get(incident, -1)
                self._highest[incident] = max(alert["seq"], self._highest.get(incident, -1))
            self.copies[place] += 1

    def seen(self) -> set[Place]:
        """All that arrived so far."""
        with self._lock:
            return set(self.copies)

    def first_after(self, moment: float) -> float | None:
        """When the first alert that was new came after ``moment`` (monotonic seconds)."""
        with self._lock:
            return next((at for at in self._recent if at > moment), None)

    def ask(self, after: int) -> None:
        """Have everything above ``after`` published again."""
        self._client.publish("streamwatch/replay/request", json.dumps({"after": after}), qos=1)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
