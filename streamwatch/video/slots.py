"""How many cameras of a process compute at the same time: one a processor, first come, first served."""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

from streamwatch.video.lane import Lane
from streamwatch.video.turns import Turns

__all__ = ["SLOTS", "Slots"]

QUANTUM = 0.1  # seconds after which whoever holds a slot lets those who wait go before
SMOOTH = 0.05  # weight of the newest wait in the mean of them
FULL = 0.85  # of the time that slots are taken from which on they are short, not only wanted by many at once


class Slots:
    """A fair semaphore for threads: held while they decode and until the work that needed it ends, never while waiting
    for a camera.

    Where more threads decode than there are processors, all of them are late, caches are cold, and the thread that
    scores what was decoded waits behind them. Where even so the line is long, ``turns`` says who need not join it.
    ``with slots:`` around a piece of work puts the thread on the ``lane``, too, where it is alone with the interpreter;
    ``computing`` is for what does not need that.
    """

    def __init__(self, count: int, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._count = count
        self._free = count
        self._line: deque[threading.Lock] = deque(maxlen=1_000_000)  # never: a thread waits once
        self._mine = threading.local()  # ``since`` when, if this thread has one
        self._waited = 0.0  # seconds, smoothed; that threads overwrite each other's does not matter
        self._taken = 0.0  # seconds that slots were held, all together
        self._asked, self._taken_then = now(), 0.0
        self.lane = Lane()
        self.turns = Turns(self.strain)

    def strain(self) -> float:
        """Seconds that threads have waited of late, in the mean; 0.0 where slots were free at times since it was last
        asked: many came at once, and the time is there.
        """
        now = self._now()
        taken, seconds = self._taken - self._taken_then, now - self._asked
        self._asked, self._taken_then = now, self._taken
        return self._waited if taken >= FULL * self._count * seconds else 0.0

    def __enter__(self) -> None:
        self._mine.works = True
        self.lane.enter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._mine.works = False
        self.lane.leave()
        if self._has():
            self._give()

    @contextmanager
    def computing(self) -> Iterator[None]:
        """With a slot, which this thread keeps until its piece of work ends, and off the lane."""
        was_on_lane = self.lane.leave()
        if not self._has():
            self._wait()
        try:
            yield
        finally:
            if not getattr(self._mine, "works", False):
                self._give()
            if was_on_lane:
                self.lane.enter()

    def breathe(self) -> None:
        """Let others go before, if this thread has held its slot for QUANTUM."""
        if self._line and self._has() and self._now() - self._mine.since >= QUANTUM:
            was_on_lane = self.lane.leave()
            self._give()
            self._wait()
            if was_on_lane:
                self.lane.enter()

    def _has(self) -> bool:
        return getattr(self._mine, "since", None) is not None

    def _wait(self) -> None:
        asked = self._now()
        gate = self._take()
        if gate is not None:
            gate.acquire()  # opened by whoever hands its slot over
        self._mine.since = since = self._now()
        self._waited += SMOOTH * (since - asked - self._waited)

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
        held, self._mine.since = self._now() - self._mine.since, None
        with self._lock:
            self._taken += held
            if self._line:
                self._line.popleft().release()
            else:
                self._free += 1


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


SLOTS = Slots(_processors())
"""Those of this process, as its processors are."""
