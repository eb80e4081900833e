"""What a sink is, and those there are."""

import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from streamwatch.config import MqttConfig
from streamwatch.metrics import Metrics
from streamwatch.sinks.outbox import Outbox

__all__ = ["SINKS", "Sink", "Site"]


@dataclass(frozen=True, slots=True)
class Site:
    """The instance's name, its cameras with the names of the rules that watch each, its outbox and its metrics.

    ``now`` gives UTC seconds by the clock that stamps the alerts.
    """

    instance: str
    cameras: Mapping[str, Sequence[str]]
    outbox: Outbox
    metrics: Metrics
    now: Callable[[], float] = time.time


class Sink(Protocol):
    """Takes alerts from the site's outbox to where they are wanted, and acknowledges what has arrived."""

    def run(self, stop: threading.Event) -> None:
        """A worker's body: returns soon after ``stop``; what is not acknowledged by then stays in the outbox."""
        ...


def _mqtt(site: Site, config: MqttConfig) -> Sink:
    from streamwatch.sinks.mqtt import MqttSink

    return MqttSink(site, config)


def _jsonl(site: Site, config: MqttConfig) -> Sink:
    from streamwatch.sinks.jsonl import JsonlSink

    return JsonlSink(site, sys.stdout)


SINKS: dict[str, Callable[[Site, MqttConfig], Sink]] = {
    "mqtt": _mqtt,
    "jsonl": _jsonl,
}
