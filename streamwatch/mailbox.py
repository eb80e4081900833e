"""Newest value per key, longest-waiting key first: the one place that drops data on purpose."""

import threading
import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from streamwatch.errors import MailboxClosedError

__all__ = ["Mailbox"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Mailbox(Generic[K, V]):
    """Holds at most one value per key. ``put`` replaces an unread value and reports the drop.

    Bounded by the number of keys. A key that is replaced keeps its place in the line, so that a busy camera
    cannot push back a quiet one. ``on_drop(key, reason)`` is called without the lock held.
    """

    def __init__(self, on_drop: Callable[[K, str], None]) -> None:
        self._on_drop = on_drop
        self._values: dict[K, V] = {}  # insertion order is the line
        self._closed = False
        self._ready = threading.Condition()

    def put(self, key: K, value: V) -> None:
        """Leave ``value`` for ``key``, replacing an unread one. Raises MailboxClosedError after ``close``."""
        with self._ready:
            if self._closed:
                raise MailboxClosedError(f"mailbox is closed; the value of {key!r} was not taken")
            replaced = key in self._values
            self._values[key] = value
            self._ready.notify()
        if replaced:
            self._on_drop(key, "replaced")

    def discard(self, key: K, reason: str) -> None:
        """Drop what waits for ``key`` (a camera that reconnects or goes away), counted under ``reason``."""
        with self._ready:
            held = self._values.pop(key, None) is not None
        if held:
            self._on_drop(key, reason)

    def take(self, limit: int, timeout: float) -> list[V]:
        """Up to ``limit`` values, longest-waiting first; [] after ``timeout`` seconds without any.

        Raises MailboxClosedError once the mailbox is closed and empty.
        """
        deadline = time.monotonic() + timeout
        with self._ready:
            while not self._values:
                if self._closed:
                    raise MailboxClosedError("mailbox is closed")
                left = deadline - time.monotonic()
                if left <= 0 or not self._ready.wait(left):
                    return []
            keys = list(self._values)[:limit]
            return [self._values.pop(key) for key in keys]

    def close(self) -> None:
        """Refuse further values and wake whoever waits. Idempotent; what is inside can still be taken."""
        with self._ready:
            self._closed = True
            self._ready.notify_all()

    def __len__(self) -> int:
        with self._ready:
            return len(self._values)
