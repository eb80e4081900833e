"""Whose turn it is where a machine cannot decode all its cameras: a few on time, one after the other, not all late."""

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Turn", "Turns"]

CROWDED = 0.2  # seconds that who decodes waits for a processor: a third of a second of video is decoded in one go
PERIOD = 1.0  # seconds from one look at that to the next
SHRINK = 0.8  # of those that decode may go on, if they wait for longer
NEAR = 4  # so many that have waited longest are let in first; the one whose keyframe comes next
LEAST = 2.0  # seconds after which a camera is let in at its next keyframe, and another leaves for it when it can
OVER = 1.5  # of the room is taken at most until those have left
GONE = 15.0  # seconds without a keyframe after which a camera holds up no other


@dataclass(slots=True)
class _Place:
    since: float
    asked: float


class Turns:
    """Of the cameras of a process. There is ``room`` for all until those that decode wait too long for a processor
    (``waited()``, seconds), then for fewer, step by step; for one more a second as long as they do not. Any thread;
    times are monotonic seconds.
    """

    def __init__(self, waited: Callable[[], float] = lambda: 0.0) -> None:
        self._waited = waited
        self._lock = threading.Lock()
        self._decoding: set[Turn] = set()
        self._line: dict[Turn, _Place] = {}  # who was refused
        self._room = math.inf
        self._looked = -math.inf

    def join(self) -> "Turn":
        """For one more camera."""
        return Turn(self)

    def decodes(self, turn: "Turn", yes: bool) -> None:
        """Take note of whether a camera is decoded just now."""
        with self._lock:
            (self._decoding.add if yes else self._decoding.discard)(turn)

    def begin(self, turn: "Turn", now: float) -> bool:
        """Whether a camera that was left out may be decoded from here on; if not, it is in line."""
        with self._lock:
            self._look(now)
            place = self._line.setdefault(turn, _Place(now, now))
            place.asked = now
            free = self._room * (OVER if now - place.since >= LEAST else 1.0) - len(self._decoding)
            before = sum(other.since < place.since for other in self._waiting(now))
            if free < 1 or before >= max(NEAR, 2 * free):
                return False
            del self._line[turn]
            self._decoding.add(turn)
            return True

    def free(self, now: float) -> bool:
        """Whether one more may be decoded that was idle."""
        with self._lock:
            self._look(now)
            return len(self._decoding) < self._room or not self._waiting(now)

    def swap(self, turn: "Turn", now: float) -> bool:
        """Whether a camera that is decoded, and has been seen, leaves for those that have waited."""
        with self._lock:
            self._look(now)
            if len(self._decoding) <= self._room or not self._waiting(now):
                return False
            self._decoding.discard(turn)
            return True

    def leave(self, turn: "Turn") -> None:
        """Its camera is read no longer."""
        with self._lock:
            self._decoding.discard(turn)
            self._line.pop(turn, None)

    def _waiting(self, now: float) -> list[_Place]:
        return [place for place in self._line.values() if now - place.asked < GONE]

    def _look(self, now: float) -> None:
        if now - self._looked < PERIOD:
            return
        self._looked, waited = now, self._waited()
        if waited > CROWDED:
            self._room = max(1.0, SHRINK * min(self._room, len(self._decoding)))
        elif waited < CROWDED / 2:
            self._room = max(self._room, len(self._decoding) + 1.0)


class Turn:
    """Of one camera, in one thread."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._decoding = False

    def decodes(self, yes: bool) -> None:
        """Take note of whether it is decoded just now."""
        if yes != self._decoding:
            self._turns.decodes(self, yes)
            self._decoding = yes

    def begin(self, now: float) -> bool:
        """Whether it may be decoded again from here."""
        self._decoding = self._turns.begin(self, now)
        return self._decoding

    def free(self, now: float) -> bool:
        """Whether it may be decoded, as something moves now."""
        return self._turns.free(now)

    def swap(self, now: float) -> bool:
        """Whether it makes room for another now."""
        leaves = self._turns.swap(self, now)
        self._decoding = self._decoding and not leaves
        return leaves

    def leave(self) -> None:
        """It is read no longer."""
        self._turns.leave(self)
        self._decoding = False
