"""The broker's answer to a connect, waited for with a limit."""

import threading
import time

from streamwatch.sinks.connection import HUNG_UP, Connected, Connection, Lost, Refused

__all__ = ["UNANSWERED", "await_answer"]

UNANSWERED = "closed before it answered"

_CONNACK_LIMIT = 10.0  # s


def await_answer(connection: Connection, stop: threading.Event) -> Connected | Refused | Lost | None:
    """The broker's answer to our connect; None if ``stop`` was set first."""
    deadline = time.monotonic() + _CONNACK_LIMIT
    while time.monotonic() < deadline:
        event = connection.event(0.1)  # one at a time: what follows Connected is the relay's
        if isinstance(event, Connected | Refused):
            return event
        if isinstance(event, Lost):
            reached = event.reason == HUNG_UP  # TCP was there, MQTT was not
            return Lost(UNANSWERED, event.code) if reached else event
        if stop.is_set():
            return None
    return Lost(f"no answer for {_CONNACK_LIMIT:.0f} s", None)
