"""Where a decided alert goes: to disk first, then to whoever iterates in this process."""

import logging
import threading
from collections import deque

from prometheus_client import Counter

from streamwatch.errors import SinkError
from streamwatch.rules.alert import Alert
from streamwatch.sinks.outbox import Outbox
from streamwatch.sinks.reserve import Reserve

__all__ = ["UNREAD", "Delivery"]

log = logging.getLogger(__name__)

UNREAD = 1000  # alerts kept for an in-process reader that is slow; the outbox keeps them all


class Delivery:
    """Puts alerts into ``outbox``; on a full disk once more after giving up ``reserve``.

    ``dropped`` (label ``reason``) counts what a slow reader in this process missed.
    """

    def __init__(self, outbox: Outbox, reserve: Reserve, dropped: Counter) -> None:
        self._outbox = outbox
        self._reserve = reserve
        self._dropped = dropped
        self._unread: deque[Alert] = deque(maxlen=UNREAD)
        self._read = False  # whether anybody iterates: only then is an alert pushed out of the queue a drop
        self._news = threading.Condition()
        self._closed = False

    def deliver(self, alert: Alert) -> None:
        """Keep ``alert`` for good and show it to the reader. Raises SinkError if it cannot be kept."""
        try:
            self._outbox.append(alert)
        except SinkError as error:
            if error.busy or not self._reserve.release():  # room does not help against a lock
                raise
            self._outbox.append(alert)
        log.info("alert %s: %s", alert.type.value, alert.summary)
        with self._news:
            if self._read and len(self._unread) == UNREAD:
                self._dropped.labels("unread").inc()
            self._unread.append(alert)
            self._news.notify_all()

    def read(self, timeout: float) -> list[Alert]:
        """What was delivered since the last call; waits up to ``timeout`` seconds for the first."""
        with self._news:
            self._read = True
            self._news.wait_for(lambda: self._unread or self._closed, timeout=timeout)
            alerts = list(self._unread)
            self._unread.clear()
            return alerts

    def close(self) -> None:
        """Wake the reader: nothing more will come. Idempotent."""
        with self._news:
            self._closed = True
            self._news.notify_all()
