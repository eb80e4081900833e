"""Who reads what, and whose incidents are open: what a report says of both, and what the time that passes does."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from streamwatch.cluster.incidents import Incidents
from streamwatch.cluster.report import Report
from streamwatch.cluster.roster import Lost, Roster

__all__ = ["Heard", "Seating"]


@dataclass(frozen=True, slots=True)
class Heard:
    """What becomes of a report: the ``cameras`` (→ term) that its host reads from now on, who is ``lost`` by it,
    whether the host is ``draining``, and how many alerts were ``kept``. Of a report that is ``outdated`` only alerts
    count.
    """

    cameras: Mapping[str, int]
    lost: tuple[Lost, ...]
    draining: bool
    kept: int
    outdated: bool = False


class Seating:
    """Joins ``roster``, which ``lock`` guards, and ``incidents``. Any thread. ``now`` is monotonic s, ``at`` UTC s."""

    def __init__(self, roster: Roster, incidents: Incidents, lock: threading.Lock) -> None:
        self._roster, self._incidents, self._lock = roster, incidents, lock

    def hear(self, report: Report, now: float, at: float) -> Heard:
        """Take what a host tells. It may not read where it goes on with an incident that is over here: it lets go, and
        is then given the camera again, of which it knows nothing any more.
        """
        standing, host = report.standing, report.standing.host
        with self._lock:
            outdated = self._roster.outdated(standing)
            cameras, lost = self._roster.hear(standing, now, at)
            draining = self._roster.drains(host)
        for one in lost:
            self._incidents.lose(one.host, now, at)
        kept = self._incidents.take(host, report.alerts, now)
        if outdated:
            return Heard({}, (), draining, kept, outdated)
        # What it reads no longer it must have ended, or has yet to tell.
        going = {incident: camera for incident, camera in report.going.items() if camera in standing.held}
        over = self._incidents.go_on(host, going, report.behind, now)
        return Heard({c: term for c, term in cameras.items() if c not in over}, lost, draining, kept)

    def tick(self, now: float, at: float) -> tuple[Lost, ...]:
        """Time passes: who is lost."""
        pinned = self._incidents.cameras
        with self._lock:
            lost = self._roster.tick(now, at, pinned)
        for one in lost:
            self._incidents.lose(one.host, now, at)
        self._incidents.expire(now, at)
        return lost
