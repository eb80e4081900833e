"""How many cameras of a process compute at the same time: one a processor, first come, first served."""

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType

from streamwatch.video.turns import Turns

__all__ = ["SLOTS", "Slots"]

QUANTUM = 0.1  # seconds after which whoever holds a slot lets those who wait go before
SMOOTH = 0.05  # weight of the newest wait in the mean of them


class Slots:
    """A fair semaphore for threads, held while there is something to compute and never while waiting for a camera.

    Where more threads decode than there are processors, all of them are late, caches are cold, and the thread that
    scores what was decoded waits behind them. Where even so the line is long, ``turns`` says who need not join it.
    """

    def __init__(self, count: int, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._free = count
        self._line: deque[threading.Lock] = deque(maxlen=1_000_000)  # never: a thread waits once
        self._held = threading.local()
        self._waited = 0.0  # seconds, smoothed; that threads overwrite each other's does not matter
        self.turns = Turns(lambda: self.waited)

    @property
    def waited(self) -> float:
        """Seconds that threads have waited of late, in the mean."""
        return self._waited if self._line else 0.0

    def __enter__(self) -> None:
        asked = self._now()
        gate = self._take()
        if gate is not None:
            gate.acquire()  # opened by whoever hands its slot over
        self._held.since = since = self._now()
        self._waited += SMOOTH * (since - asked - self._waited)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._give()

    def breathe(self) -> None:
        """Let others go before, if this thread has held its slot for QUANTUM."""
        if self._line and self._now() - self._held.since >= QUANTUM:
            self._give()
            self.__enter__()

    def _take(self) -> "threading.Lock | None":
        """None: there was a free one; else what to wait for."""
        with self._lock:
            if self._free:
                self._free -= 1
                return None
            gate = threading.Lock()
            gate.acquire()
            self._line.append(gate)
            return gate

    def _give(self) -> None:
        with self._lock:
            if self._line:
                self._line.popleft().release()
            else:
                self._free += 1


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


SLOTS = Slots(_processors())
"""Those of this process, as its processors are."""
