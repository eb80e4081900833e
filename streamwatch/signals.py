"""SIGTERM and Ctrl-C: the first asks to stop, the second ends at once. SIGHUP asks for the rules to be read again."""

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

__all__ = ["hangups", "stop_on_signals"]


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM or SIGINT sets; the next one ends the process without waiting. Main thread only."""
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    return stop


def hangups() -> Callable[[], bool]:
    """From now on SIGHUP ends nothing; what is returned says whether one came since it was last asked.

    Several between two questions are one. Main thread only.
    """
    came = False

    def on_hangup(number: int, frame: FrameType | None) -> None:
        nonlocal came  # a plain flag: an Event's lock may be held by the very code that the signal interrupts
        came = True

    def ask() -> bool:
        nonlocal came
        if not came:
            return False
        came = False
        return True

    signal.signal(signal.SIGHUP, on_hangup)
    return ask
