"""Workers that ended or hang: said at once, and given up when they do not come back."""

import logging
from collections.abc import Callable, Sequence

from prometheus_client import Gauge

from streamwatch.errors import WorkerLostError

__all__ = ["GIVE_UP", "Watchdog"]

log = logging.getLogger(__name__)

GIVE_UP = 30.0  # seconds: a disk that stalls comes back before; a hung session or a dead thread never does


class Watchdog:
    """Follows ``lost``, which names the workers that are lost now; ``gauge`` (label ``worker``) shows them."""

    def __init__(self, lost: Callable[[], Sequence[str]], gauge: Gauge) -> None:
        self._lost = lost
        self._gauge = gauge
        self._since: dict[str, float] = {}

    def look(self, now: float) -> Sequence[str]:
        """Who is lost at ``now`` (monotonic seconds).

        Raises WorkerLostError for one that has been lost for GIVE_UP seconds: no thread can be ended from outside, so
        only a new process helps.
        """
        lost = self._lost()
        for name in lost:
            if name not in self._since:
                log.error(
                    "worker %s has ended or does not move; the process ends in %.0f s if it stays so", name, GIVE_UP
                )
                self._gauge.labels(name).set(1)
        for name in [name for name in self._since if name not in lost]:
            log.warning("worker %s moves again after %.1f s", name, now - self._since[name])
            self._gauge.labels(name).set(0)
        self._since = {name: self._since.get(name, now) for name in lost}
        for name, since in self._since.items():
            if now - since >= GIVE_UP:
                raise WorkerLostError(f"worker {name} has not moved for {now - since:.0f} s; start the process again")
        return lost
