"""What is said once, to those who listen now: answers to commands."""

import threading
from collections import deque

__all__ = ["Notices"]

_LIMIT = 64  # more than the commands taken at once; a broker that is away for long gets the newest


class Notices:
    """Topics with payloads in the order in which they were put; a full one gives up its oldest. Any thread."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[str, str]] = deque(maxlen=_LIMIT)
        self._lock = threading.Lock()

    def put(self, topic: str, payload: str) -> None:
        """Have ``payload`` published under ``topic``, not retained."""
        with self._lock:
            self._waiting.append((topic, payload))

    def put_back(self, taken: list[tuple[str, str]]) -> None:
        """These were taken, in this order, and did not arrive."""
        with self._lock:
            self._waiting = deque([*taken, *self._waiting], maxlen=_LIMIT)

    def take(self) -> tuple[str, str] | None:
        """The oldest; None if there is none."""
        with self._lock:
            return self._waiting.popleft() if self._waiting else None

    def __len__(self) -> int:
        with self._lock:
            return len(self._waiting)
