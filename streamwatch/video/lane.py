"""One camera's thread at a time runs Python: the others wait here, and not for the interpreter's lock."""

import threading

__all__ = ["Lane"]

PATIENCE = 0.02  # seconds that anybody waits: who blocks on a silent camera in here holds up nobody for longer


class Lane:
    """Not a lock that anything depends on: after PATIENCE a thread goes on without it.

    A thread that reads packets gives up the interpreter's lock (GIL) at each of them for some microseconds. Whoever
    waits for that lock is woken each time, finds it taken again, and sleeps: several system calls and two changes of
    thread a packet, of which forty still cameras made 226 and 120 a second each. Who waits for the lane is woken once.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._mine = threading.local()

    def enter(self) -> None:
        """Wait for it, unless this thread has it."""
        if not self._has():
            self._mine.has = self._lock.acquire(timeout=PATIENCE)

    def leave(self) -> bool:
        """Let another in; whether this thread had it."""
        if not self._has():
            return False
        self._mine.has = False
        self._lock.release()
        return True

    def _has(self) -> bool:
        return getattr(self._mine, "has", False)
