"""What the broker should retain for us, and which part of it the broker has not heard yet."""

import threading
from collections.abc import Iterable

from streamwatch.rules.alert import Alert, AlertType, IncidentState

__all__ = ["OpenIncidents", "RetainedStates", "Topics"]


class Topics:
    """The topic names of the contract under one prefix."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.available = f"{prefix}/available"
        self.commands = f"{prefix}/+/enabled/set"
        self.replay = f"{prefix}/replay/request"
        self.replayed = f"{prefix}/replay/answer"
        self.reload = f"{prefix}/rules/reload"
        self.applied = f"{prefix}/rules/applied"
        self.acks = f"{prefix}/alerts/+/ack"
        self.snooze = f"{prefix}/rules/snooze"
        self.snoozed = f"{prefix}/rules/snoozed"
        self.answer = f"{prefix}/answer"

    def alert(self, camera: str, rule: str) -> str:
        """Where alerts of a rule go."""
        return f"{self.prefix}/alerts/{camera}/{rule}"

    def alert_state(self, camera: str, rule: str) -> str:
        """ON while an incident of the rule fires, else OFF."""
        return f"{self.prefix}/{camera}/alert/{rule}/state"

    def snapshot(self, camera: str, rule: str) -> str:
        """A picture of the rule's last incident, JPEG."""
        return f"{self.prefix}/{camera}/alert/{rule}/snapshot"

    def status(self, camera: str) -> str:
        """online, offline, frozen, disabled …"""
        return f"{self.prefix}/{camera}/status"

    def score(self, camera: str, event: str) -> str:
        """The latest probability of an event there."""
        return f"{self.prefix}/{camera}/score/{event}"

    def fps(self, camera: str) -> str:
        """Frames decoded a second."""
        return f"{self.prefix}/{camera}/fps"

    def enabled(self, camera: str) -> str:
        """ON or OFF."""
        return f"{self.prefix}/{camera}/enabled/state"

    def enabled_set(self, camera: str) -> str:
        """Where ON or OFF is asked for."""
        return f"{self.prefix}/{camera}/enabled/set"


class RetainedStates:
    """Newest payload per topic. Setting the payload that a topic has already costs nothing.

    Bounded by the number of topics. Any thread may ``set``; only the thread that publishes takes.
    """

    def __init__(self) -> None:
        self._wanted: dict[str, str] = {}
        self._unsaid: dict[str, None] = {}  # in the order of change
        self._lock = threading.Lock()

    def set(self, topic: str, payload: str) -> None:
        """Have ``payload`` retained under ``topic``."""
        with self._lock:
            if self._wanted.get(topic) != payload:
                self._wanted[topic] = payload
                self._unsaid[topic] = None

    def begin(self, topic: str, payload: str) -> None:
        """Have ``payload`` retained under ``topic`` if nothing is."""
        with self._lock:
            if topic not in self._wanted:
                self._wanted[topic] = payload
                self._unsaid[topic] = None

    def say_all_again(self) -> None:
        """A new connection: the broker may have forgotten everything."""
        with self._lock:
            self._unsaid = dict.fromkeys(self._wanted)

    def say_again(self, topics: Iterable[str]) -> None:
        """The broker did not confirm these."""
        with self._lock:
            self._unsaid.update(dict.fromkeys(topic for topic in topics if topic in self._wanted))

    def take(self) -> tuple[str, str] | None:
        """The topic that has waited longest and its newest payload; None if the broker has heard all."""
        with self._lock:
            topic = next(iter(self._unsaid), None)
            if topic is None:
                return None
            del self._unsaid[topic]
            return topic, self._wanted[topic]

    def __len__(self) -> int:
        with self._lock:
            return len(self._unsaid)


class OpenIncidents:
    """Which incidents fire per (camera, rule): several may at once, one per zone for example.

    One that is pending does not: nobody should switch on a siren for what may be withdrawn.
    """

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], set[str]] = {}

    def observe(self, alert: Alert) -> bool:
        """Take ``alert`` into account; whether its camera and rule now have one that fires."""
        key = alert.camera, alert.rule
        ids = self._open.setdefault(key, set())
        ended = alert.type is AlertType.END or alert.end_time is not None  # or what is said of it after its end
        if ended or alert.state is IncidentState.PENDING:
            ids.discard(alert.id)
        else:
            ids.add(alert.id)
        if not ids:
            del self._open[key]
        return bool(ids)
