"""What hosts tell of incidents: kept once, and ended when nobody goes on with them."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from prometheus_client import Counter

from streamwatch.errors import SinkError
from streamwatch.rules.alert import Alert, AlertType
from streamwatch.rules.restart import ends
from streamwatch.sinks.outbox import Entry

__all__ = ["Incidents", "Store"]

log = logging.getLogger(__name__)

UNSTORED = 10_000  # ends that wait while the store cannot be written; as many incidents may be open


class Store(Protocol):
    """What is asked of the site's outbox."""

    def knows(self, alert: Alert) -> bool:
        """Whether it is kept already. Raises SinkError."""
        ...


class Incidents:
    """Open incidents of hosts, and their alerts on the way to ``store`` by ``deliver``. Any thread.

    ``may_tell(host, camera, at)`` says whether what a host says of a camera counts; ``refused`` counts what does not.
    """

    def __init__(
        self,
        store: Store,
        deliver: Callable[[Alert], object],
        may_tell: Callable[[str, str, float], bool],
        refused: Counter,
    ) -> None:
        self._store = store
        self._deliver = deliver
        self._may_tell = may_tell
        self._refused = refused
        self._open: dict[str, Alert] = {}  # by incident: its last alert
        self._ending: dict[str, Alert] = {}  # ends not stored yet
        self._lock = threading.Lock()
        self._storing = True

    @property
    def cameras(self) -> frozenset[str]:
        """Those on which one is open."""
        return frozenset(alert.camera for alert in list(self._open.values()))

    def camera(self, incident: str) -> str | None:
        """Where the open ``incident`` is."""
        alert = self._open.get(incident)
        return None if alert is None else alert.camera

    def adopt(self, alert: Alert) -> None:
        """An earlier site left it open; its host goes on with it."""
        with self._lock:
            self._note(alert)

    def take(self, host: str, entries: Sequence[Entry]) -> int:
        """Keep what ``host`` tells; how many from the first on need not be told again."""
        with self._lock:
            for number, entry in enumerate(entries):
                try:
                    self._keep(host, entry.alert)
                except SinkError as error:
                    self._failed(error)
                    return number
            if entries:
                self._worked()
            return len(entries)

    def end(self, cameras: Iterable[str]) -> None:
        """Nobody goes on with what is open on ``cameras``."""
        gone = set(cameras)
        with self._lock:
            for alert in ends([alert for alert in self._open.values() if alert.camera in gone], time.time()):
                del self._open[alert.id]
                if len(self._ending) < UNSTORED:
                    self._ending[alert.id] = alert
        self.retry()

    def retry(self) -> None:
        """Store the ends that wait for it."""
        with self._lock:
            for alert in list(self._ending.values()):
                try:
                    self._deliver(alert)
                except SinkError as error:
                    self._failed(error)
                    return
                del self._ending[alert.id]

    def _keep(self, host: str, alert: Alert) -> None:
        """Once only, and only from whom the camera is, or was at that time."""
        if self._store.knows(alert):
            return
        if alert.id not in self._open and not self._may_tell(host, alert.camera, alert.time):
            self._refused.inc()
            return
        self._deliver(alert)
        self._note(alert)

    def _note(self, alert: Alert) -> None:
        if alert.type is AlertType.END:
            self._open.pop(alert.id, None)
        elif alert.end_time is None:
            self._open[alert.id] = alert

    def _failed(self, error: SinkError) -> None:
        if self._storing:
            log.error("alerts cannot be stored; hosts keep theirs: %s", error)
        self._storing = False

    def _worked(self) -> None:
        if not self._storing:
            log.info("alerts are stored again")
        self._storing = True
