"""Whose turn it is to be decoded where the machine is too slow for all of its cameras. Pure: time is an argument.

Were all decoded at once then, all would be late: each at a share of the speed that it comes with. A few at a time are
on time, and each gets its turn. Not connected in ``assembly``: on two processors that only just do not hold their
cameras it let them idle, so each camera is alone with its turn.
"""

import math
import threading

__all__ = ["Turn", "Turns"]

FEW = 2  # cameras that must show strain within a SPAN: one alone may have a slow network
SHARE = 0.1  # or this share of all; at least so many are decoded at once: most of a turn is waiting for a keyframe
SPAN = 1.0  # seconds
SHRINK = 0.7  # of those that are decoded, once a SPAN at most


class Turns:
    """Shared by the cameras of a process. As long as nothing strains the machine everybody is decoded all the time.

    How many are decoded at once is found as TCP finds its window: it shrinks by a share where pictures get old, and
    grows by one a round where they do not.
    """

    def __init__(self, cameras: int) -> None:
        self._cameras = cameras
        self._least = max(FEW, math.ceil(SHARE * cameras))
        self._decoded: dict[str, bool] = {}  # camera → whether its turn was counted as one that went well
        self._waiting: dict[str, None] = {}  # the one that waits longest first
        self._strained: dict[str, float] = {}  # camera → when
        self._shrunk = -math.inf
        self._limit = float(cameras)
        self._lock = threading.Lock()

    @property
    def limit(self) -> float:
        """How many cameras may be decoded at once."""
        return self._limit

    def strain(self, camera: str, now: float) -> None:
        """A picture of ``camera`` was too old at ``now`` (monotonic s)."""
        with self._lock:
            self._strained[camera] = now
            if now - self._shrunk < SPAN:
                return
            self._strained = {name: at for name, at in self._strained.items() if now - at <= SPAN}
            if len(self._strained) >= self._least:
                self._limit = max(float(self._least), SHRINK * min(self._limit, float(len(self._decoded))))
                self._shrunk = now

    def take(self, camera: str) -> bool:
        """``camera`` is at a keyframe; whether its turn begins. Those that have waited longest come first, about: the
        longest third, as keyframes come when they come."""
        with self._lock:
            self._waiting.setdefault(camera)
            place = list(self._waiting).index(camera)
            if len(self._decoded) >= int(self._limit) or place > len(self._waiting) // 3:
                return False
            del self._waiting[camera]
            self._decoded[camera] = False
            return True

    def over(self, camera: str, on_time: bool) -> bool:
        """``camera`` has been decoded for a clip at least; whether its turn is over, because another one waits."""
        if not self._waiting:
            return False
        with self._lock:
            if on_time and not self._decoded.get(camera, True):
                self._decoded[camera] = True
                self._limit = min(float(self._cameras), self._limit + 1 / self._limit)
            if len(self._decoded) < int(self._limit):
                return False
            self._wait(camera)
            return True

    def lose(self, camera: str) -> None:
        """``camera`` cannot go on: it is too late."""
        with self._lock:
            self._wait(camera)

    def enter(self, camera: str) -> None:
        """``camera`` is connected; it is decoded until somebody else waits."""
        with self._lock:
            self._decoded[camera] = False

    def leave(self, camera: str) -> None:
        """``camera`` is away. Idempotent."""
        with self._lock:
            self._decoded.pop(camera, None)
            self._waiting.pop(camera, None)

    def _wait(self, camera: str) -> None:
        self._decoded.pop(camera, None)
        self._waiting.pop(camera, None)
        self._waiting[camera] = None


class Turn:
    """One camera's part in ``turns``; by default it is alone."""

    def __init__(self, turns: Turns | None = None, camera: str = "") -> None:
        self._turns = turns or Turns(1)
        self._camera = camera
        self._shown = False

    def enter(self) -> None:
        """As of Turns."""
        self._turns.enter(self._camera)

    def leave(self) -> None:
        """As of Turns."""
        self._turns.leave(self._camera)

    def take(self) -> bool:
        """As of Turns."""
        self._shown = False
        return self._turns.take(self._camera)

    def show(self) -> None:
        """A clip was cut: the turn has not been in vain."""
        self._shown = True

    def over(self, on_time: bool) -> bool:
        """As of Turns, once a clip was cut."""
        return self._shown and self._turns.over(self._camera, on_time)

    def lose(self, now: float) -> None:
        """It is too late at ``now``: that strains the machine, or is its own network's fault."""
        self._turns.strain(self._camera, now)
        self._turns.lose(self._camera)
