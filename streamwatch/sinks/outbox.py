"""Where alerts wait until a sink has handed them on."""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from streamwatch.errors import SinkError
from streamwatch.metrics import Metrics
from streamwatch.rules.alert import Alert
from streamwatch.sinks.bounds import Held

__all__ = ["Backlog", "Entry", "MemoryOutbox", "Outbox", "expose"]


@dataclass(frozen=True, slots=True)
class Entry:
    """An alert with its place in the instance's gapless ``sequence`` (from 1) and the time it was put in (UTC s).

    ``earlier`` marks one that an earlier run of the process left behind: its incident is no longer open here.
    """

    sequence: int
    alert: Alert
    stored: float
    earlier: bool = False


class Outbox(Protocol):
    """Keeps alerts in order until they are acknowledged. Safe to use from several threads."""

    def append(self, alert: Alert) -> Entry:
        """Keep ``alert`` under the next sequence number. Raises SinkError if it cannot be kept."""
        ...

    def pending(self, after: int, limit: int, timeout: float) -> list[Entry]:
        """Up to ``limit`` entries that are not yet acknowledged with a sequence above ``after``, oldest first.

        Waits up to ``timeout`` seconds for the first.
        """
        ...

    def acknowledge(self, *sequences: int) -> None:
        """Take entries off the line; unknown numbers are ignored."""
        ...

    def alerts_after(self, sequence: int, limit: int) -> list[Entry]:
        """Up to ``limit`` entries above ``sequence`` that are still held, acknowledged or not, oldest first."""
        ...

    def held(self, after: int) -> Held:
        """What can be asked for above ``after``, and what was given up there."""
        ...


class Backlog(Protocol):
    """How much waits, and since when."""

    def __len__(self) -> int: ...

    def oldest(self) -> float | None:
        """When the oldest entry not yet acknowledged was put in (UTC s), None if nothing waits. Raises SinkError."""
        ...


def expose(backlog: Backlog, metrics: Metrics) -> None:
    """Let ``streamwatch_outbox_pending`` and ``…_oldest_seconds`` ask ``backlog`` whenever they are scraped."""

    def age() -> float:
        try:
            oldest = backlog.oldest()
        except SinkError:  # a scrape must not fail because the store does
            return math.nan
        return 0.0 if oldest is None else max(0.0, time.time() - oldest)

    metrics.outbox_pending.set_function(lambda: len(backlog))
    metrics.outbox_oldest.set_function(age)


class MemoryOutbox:
    """An outbox that lives as long as the process. Holds ``limit`` entries; a full one gives up its oldest.

    ``on_drop(entry, reason)`` hears of each entry given up, without the lock held.
    """

    def __init__(self, limit: int = 10_000, on_drop: Callable[[Entry, str], None] | None = None) -> None:
        if limit < 1:
            raise ValueError(f"an outbox of {limit} entries holds nothing; at least 1")
        self._limit = limit
        self._on_drop = on_drop
        self._entries: OrderedDict[int, Entry] = OrderedDict()
        self._last = 0
        self._arrived = threading.Condition()

    def append(self, alert: Alert) -> Entry:
        """Keep ``alert`` under the next sequence number; never waits."""
        dropped = None
        with self._arrived:
            self._last += 1
            entry = self._entries[self._last] = Entry(self._last, alert, time.time())
            if len(self._entries) > self._limit:
                dropped = self._entries.popitem(last=False)[1]
            self._arrived.notify_all()
        if dropped is not None and self._on_drop is not None:
            self._on_drop(dropped, "full")
        return entry

    def pending(self, after: int, limit: int, timeout: float) -> list[Entry]:
        """See :meth:`Outbox.pending`."""
        with self._arrived:
            self._arrived.wait_for(lambda: self._newest() > after, timeout)
        return self.alerts_after(after, limit)

    def alerts_after(self, sequence: int, limit: int) -> list[Entry]:
        """As :meth:`Outbox.alerts_after`: only what is not acknowledged is still held."""
        with self._arrived:
            found = (entry for number, entry in self._entries.items() if number > sequence)
            return [entry for entry, _ in zip(found, range(limit), strict=False)]

    def held(self, after: int) -> Held:
        """See :meth:`Outbox.held`: nothing is known of what is not held."""
        with self._arrived:
            return Held(next(iter(self._entries), self._last + 1), self._last)

    def acknowledge(self, *sequences: int) -> None:
        """Forget entries; unknown numbers are ignored."""
        with self._arrived:
            for sequence in sequences:
                self._entries.pop(sequence, None)

    def oldest(self) -> float | None:
        """When the oldest entry was put in (UTC s), None if nothing waits."""
        with self._arrived:
            return next(iter(self._entries.values())).stored if self._entries else None

    def __len__(self) -> int:
        with self._arrived:
            return len(self._entries)

    def _newest(self) -> int:
        return next(reversed(self._entries), 0)
