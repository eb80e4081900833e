"""Acknowledgements on their way to whoever has the incident; each is answered once.

One waits until a report comes of the host that goes on with its incident: that host carries it out and answers. Of an
incident that no host has, it is the site's, or nobody's any more.
"""

import threading
from collections import deque
from collections.abc import Callable

from streamwatch.rules.order import Acknowledge

__all__ = ["MOST", "Acknowledgements"]

MOST = 128  # not answered yet; the gate of commands lets through twenty at once and two a second


class Acknowledgements:
    """Those that were not answered yet. Any thread."""

    def __init__(self) -> None:
        self._waiting: list[Acknowledge] = []
        self._asked: dict[int, tuple[str, Acknowledge]] = {}  # by number: of whom
        self._answered: deque[int] = deque(maxlen=2 * MOST)  # those last: a host tells again what it got no receipt for
        self._closed = False
        self._lock = threading.Lock()

    def add(self, order: Acknowledge) -> bool:
        """Have ``order`` wait; False if too many do, or after ``close``. Never blocks."""
        with self._lock:
            if self._closed or len(self._waiting) + len(self._asked) >= MOST:
                return False
            self._waiting.append(order)
            return True

    def claim(self, which: Callable[[Acknowledge], bool]) -> list[Acknowledge]:
        """Those that wait of ``which`` this is true: they wait no longer."""
        with self._lock:
            waiting = list(self._waiting)
        wanted = [order for order in waiting if which(order)]  # without the lock: it may take its time
        with self._lock:
            return [order for order in wanted if self._take(order)]

    def ask(self, host: str, number: int, order: Acknowledge) -> None:
        """``host`` is to carry out ``order``, which it knows as ``number``."""
        with self._lock:
            self._asked[number] = host, order

    def answer(self, number: int) -> bool:
        """It was answered; False if it had been. One that an earlier site asked for is as good as any."""
        with self._lock:
            if number in self._answered:
                return False
            self._answered.append(number)
            self._asked.pop(number, None)
            return True

    def lose(self, host: str) -> list[Acknowledge]:
        """``host`` is gone: what it has not answered, and will not be heard on any more."""
        with self._lock:
            left = {number: order for number, (whom, order) in self._asked.items() if whom == host}
            self._answered.extend(left)
            for number in left:
                del self._asked[number]
            return list(left.values())

    def close(self) -> list[Acknowledge]:
        """Nobody will be asked any more: all that was not answered."""
        with self._lock:
            left = [*self._waiting, *(order for _, order in self._asked.values())]
            self._waiting, self._asked, self._closed = [], {}, True
            return left

    def _take(self, order: Acknowledge) -> bool:
        if order not in self._waiting:
            return False
        self._waiting.remove(order)
        return True
