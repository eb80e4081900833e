"""Threads that run the rows of a batch side by side, and what they spend. For a CPU: a GPU takes a batch as one."""

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import TypeVar

__all__ = ["Crew", "cores", "crew_size"]

_SHARE = 2  # cores to a thread: a clip costs half of what decoding its second does at most, and some wait for the last
_MOST = 16

T = TypeVar("T")
R = TypeVar("R")


def cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def crew_size(cores: int) -> int:
    """Threads that run graphs on ``cores``; one, the caller's, on fewer than four."""
    return min(_MOST, max(1, cores // _SHARE))


class Crew:
    """``size`` threads, begun when first needed; with one the caller does it alone. One thread uses it."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._pool = ThreadPoolExecutor(size, "graphs") if size > 1 else None
        self._spent = 0.0
        self._lock = Lock()

    def map(self, function: Callable[[T], R], items: Sequence[T]) -> list[R]:
        """``function`` of each of ``items``, in their order. Raises what it raises, once none is at work any more."""
        if self._pool is None or len(items) == 1:
            return [function(item) for item in items]
        done = [self._pool.submit(self._do, function, item) for item in items]
        failed = [error for error in (future.exception() for future in done) if error is not None]
        if failed:
            raise failed[0]
        return [future.result() for future in done]

    def spent(self) -> float:
        """CPU seconds of the calling thread and of all in the crew; only differences tell."""
        with self._lock:
            return time.thread_time() + self._spent

    def close(self) -> None:
        """End its threads once they have done what they were given. Idempotent; it does no more work then."""
        if self._pool is not None:
            self._pool.shutdown()

    def _do(self, function: Callable[[T], R], item: T) -> R:
        began = time.thread_time()
        try:
            return function(item)
        finally:
            took = time.thread_time() - began
            with self._lock:
                self._spent += took
