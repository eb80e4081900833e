"""Where alerts wait until a sink has handed them on."""

import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Protocol

from streamwatch.rules.alert import Alert

__all__ = ["Entry", "MemoryOutbox", "Outbox"]


@dataclass(frozen=True, slots=True)
class Entry:
    """An alert with its place in the instance's gapless ``sequence`` (from 1) and the time it was put in (UTC s)."""

    sequence: int
    alert: Alert
    stored: float


class Outbox(Protocol):
    """Keeps alerts in order until they are acknowledged. Safe to use from two threads."""

    def append(self, alert: Alert) -> Entry:
        """Keep ``alert`` under the next sequence number."""
        ...

    def pending(self, after: int, limit: int, timeout: float) -> list[Entry]:
        """Up to ``limit`` entries that are not yet acknowledged with a sequence above ``after``, oldest first.

        Waits up to ``timeout`` seconds for the first.
        """
        ...

    def acknowledge(self, sequence: int) -> None:
        """Forget an entry; unknown numbers are ignored."""
        ...
