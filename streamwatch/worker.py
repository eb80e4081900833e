"""A named thread with a stop event, a join limit and a place for its exception."""

import threading
import time
import traceback
from collections.abc import Callable

__all__ = ["Worker", "end_worker", "join_all"]


class Worker:
    """Runs ``body(stop)`` in one named thread; ``body`` returns when ``stop`` is set or its input is closed.

    An exception that leaves the body is kept in ``error`` (with its text in ``trace``) and reported once through
    ``on_error``; whoever owns the worker decides whether that is fatal.
    """

    def __init__(
        self,
        name: str,
        body: Callable[[threading.Event], None],
        on_error: Callable[["Worker"], None] | None = None,
    ) -> None:
        self.name = name
        self.stop_event = threading.Event()
        self.error: Exception | None = None
        self.trace = ""
        self._body = body
        self._on_error = on_error
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread; once only."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the body to return. Idempotent, returns at once."""
        self.stop_event.set()

    def join(self, timeout: float) -> bool:
        """Wait up to ``timeout`` seconds; True if the thread has ended (or never began)."""
        if self._thread.ident is None:
            return True
        self._thread.join(max(0.0, timeout))
        return not self._thread.is_alive()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def spent(self) -> float:
        """CPU seconds of the thread so far; 0.0 before it begins and after it has ended."""
        ident = self._thread.ident
        if ident is None or not self._thread.is_alive():
            return 0.0
        try:
            return time.clock_gettime(time.pthread_getcpuclockid(ident))
        except OSError:  # it ended that very moment
            return 0.0

    def _run(self) -> None:
        try:
            self._body(self.stop_event)
        except Exception as error:  # the one place where a thread's failure is kept
            self.error = error
            self.trace = traceback.format_exc()
            if self._on_error is not None:
                self._on_error(self)


def join_all(workers: list[Worker], limit: float) -> list[str]:
    """Join ``workers`` within ``limit`` seconds in all; return the names of those that did not end."""
    deadline = time.monotonic() + limit
    return [worker.name for worker in workers if not worker.join(deadline - time.monotonic())]


def end_worker(worker: Worker, limit: float, drain: bool = False) -> list[str]:
    """Stop ``worker`` and wait up to ``limit`` seconds; its name if it did not end.

    ``drain`` first gives it the chance to end by itself, because its input is closed.
    """
    if drain and worker.join(limit):
        return []
    worker.stop()
    return [] if worker.join(limit) else [worker.name]
