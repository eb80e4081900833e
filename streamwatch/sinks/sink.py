"""What a sink is, and those there are."""

import sys
import threading
from collections.abc import Callable
from typing import Protocol

from streamwatch.config import MqttConfig
from streamwatch.sinks.site import Site

__all__ = ["SINKS", "Sink"]


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
