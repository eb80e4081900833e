"""What hosts tell of incidents: kept once, and ended when nobody goes on with them.

An incident is its host's: that of which it came, or that says in each report to go on with it. It ends with its host,
or once no host has said so for ``patience`` seconds, whatever the reason: nothing hangs on an ``end`` that may be lost
with whoever wanted to tell it. What has ended here stays so; a host that goes on with it must begin anew.
"""

import logging
import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Protocol

from prometheus_client import Counter

from streamwatch.errors import SinkError
from streamwatch.rules.alert import Alert, AlertType
from streamwatch.rules.restart import ends
from streamwatch.sinks.outbox import Entry

__all__ = ["Incidents", "Store"]

log = logging.getLogger(__name__)

RETRY = 1.0  # seconds between attempts to store while that fails; and three times what an attempt takes


class Store(Protocol):
    """What is asked of the site's outbox."""

    def knows(self, alert: Alert) -> bool:
        """Whether it is kept already. Raises SinkError."""
        ...


@dataclass(slots=True)
class _Open:
    alert: Alert  # the last told
    host: str | None  # who goes on with it, if that is known
    heard: float | None  # when that was last said, monotonic s


class Incidents:
    """Open incidents of hosts, and their alerts on the way to ``store`` by ``deliver``. Any thread.

    ``may_tell(host, camera, at)`` says whether what a host says of a camera counts; ``refused`` counts what does not.
    ``now`` is monotonic s, ``at`` UTC s.
    """

    def __init__(
        self,
        store: Store,
        deliver: Callable[[Alert], object],
        may_tell: Callable[[str, str, float], bool],
        refused: Counter,
        patience: float,
    ) -> None:
        self._store = store
        self._deliver = deliver
        self._may_tell = may_tell
        self._refused = refused
        self._patience = patience
        self._open: dict[str, _Open] = {}  # by incident
        self._ending: dict[str, Alert] = {}  # ends not stored yet: of what was open when the store failed
        self._lock = threading.Lock()
        self._storing = True
        self._again = -math.inf  # nothing is stored before (monotonic s)

    @property
    def cameras(self) -> frozenset[str]:
        """Those on which one is open."""
        return frozenset(one.alert.camera for one in list(self._open.values()))

    def host(self, incident: str) -> str | None:
        """Who goes on with the open ``incident``, if that is known."""
        one = self._open.get(incident)
        return None if one is None else one.host

    def is_open(self, incident: str) -> bool:
        """Whether some host has it; one that was just told of counts, so this waits while alerts are stored."""
        with self._lock:
            return incident in self._open

    def adopt(self, alert: Alert) -> None:
        """An earlier site left it open; its host will say that it goes on with it, if it does."""
        with self._lock:
            self._open[alert.id] = _Open(alert, None, None)

    def take(self, host: str, entries: Sequence[Entry], now: float) -> int:
        """Keep what ``host`` tells; how many from the first on need not be told again."""
        began = time.monotonic()
        with self._lock:
            for entry in entries:
                if (one := self._open.get(entry.alert.id)) is not None:
                    one.host, one.heard = host, now
            kept = 0
            with self._storing_from(now, began):
                for entry in entries if now >= self._again else ():
                    self._keep(host, entry.alert, now)
                    kept += 1
            return kept

    def go_on(self, host: str, going: Mapping[str, str], behind: bool, now: float) -> frozenset[str]:
        """``host`` goes on with ``going`` (incident → camera), of which it has told all; or it is ``behind``, and its
        spool may know more of any. The cameras on which it goes on with what is over here: it must begin anew there.
        """
        with self._lock:
            for incident, one in self._open.items():
                if incident in going or (behind and one.host in (None, host)):
                    one.host, one.heard = host if incident in going else one.host, now
            return frozenset(camera for incident, camera in going.items() if incident not in self._open)

    def lose(self, host: str, now: float, at: float) -> None:
        """``host`` is gone, and goes on with nothing."""
        with self._lock:
            self._end((one for one in list(self._open.values()) if one.host == host), at)
        self.retry(now)

    def expire(self, now: float, at: float) -> None:
        """End what nobody goes on with; store the ends that wait for it."""
        with self._lock:
            for one in self._open.values():
                one.heard = now if one.heard is None else one.heard
            left = [one for one in self._open.values() if now - (one.heard or now) > self._patience]
            self._end(left, at)
        self.retry(now)

    def retry(self, now: float) -> None:
        """Store the ends that wait for it."""
        began = time.monotonic()
        with self._lock, self._storing_from(now, began):
            for alert in list(self._ending.values()) if now >= self._again else ():
                self._store_it(alert)
                del self._ending[alert.id]

    def _end(self, those: Iterable[_Open], at: float) -> None:
        for alert in ends([one.alert for one in those], at):
            del self._open[alert.id]
            self._ending[alert.id] = alert

    def _keep(self, host: str, alert: Alert, now: float) -> None:
        """Once only, and only what goes on with an incident that is open, or may begin one."""
        if self._store.knows(alert):
            return
        if alert.id not in self._open and not self._counts(host, alert):
            self._refused.inc()
            return
        self._store_it(alert)
        if alert.type is AlertType.END:
            self._open.pop(alert.id, None)
        elif alert.end_time is None:
            self._open[alert.id] = _Open(alert, host, now)

    def _counts(self, host: str, alert: Alert) -> bool:
        """Of an incident that is not open: its begin, from whom the camera is or was then; or, after its end, where
        its evidence is. All else would have a hole before it, or open again what has ended.
        """
        if alert.type is AlertType.NEW:
            return self._may_tell(host, alert.camera, alert.time)
        ended = alert.type is AlertType.UPDATE and alert.end_time is not None
        return ended and self._store.knows(replace(alert, seq=alert.seq - 1))

    def _store_it(self, alert: Alert) -> None:
        self._deliver(alert)
        if not self._storing:
            log.info("alerts are stored again")
        self._storing = True

    @contextmanager
    def _storing_from(self, now: float, began: float) -> Iterator[None]:
        """Has the store left alone for a while if it fails: one that takes long for that must not hold up what else
        hosts have to say, who would take the site for lost. ``began`` is what the clock said at ``now``.
        """
        try:
            yield
        except SinkError as error:
            if self._storing:
                log.error("alerts cannot be stored; hosts keep theirs: %s", error)
            self._storing = False
            took = time.monotonic() - began
            self._again = now + took + max(RETRY, 3.0 * took)
