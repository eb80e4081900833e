"""The evidence thread: incidents in, clips, snapshots and records out, and one more alert that says where they are."""

import contextlib
import logging
import os
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path

from streamwatch.config import EvidenceConfig
from streamwatch.errors import EvidenceError, SinkError
from streamwatch.evidence.case import Case, View
from streamwatch.evidence.ledger import Entry, Ledger
from streamwatch.evidence.salvage import salvage
from streamwatch.evidence.space import Space
from streamwatch.evidence.vault import Place, is_incident
from streamwatch.metrics import Metrics
from streamwatch.models.detection import Detection
from streamwatch.rules.alert import Alert, AlertType

__all__ = ["FOLDER", "Outlet", "Recorder"]

log = logging.getLogger(__name__)

FOLDER = "evidence"  # below the data folder
QUEUE = 8192  # alerts and detections that wait for the thread
ALERTS_ONLY = 4096  # of these places are for alerts
OPEN = 64  # incidents at a time
RECENT = 64  # detections of each camera kept, since an incident begins before its first alert
HELD = 256 << 20  # bytes of packets that may wait to be encoded
TURN = 0.2  # s
SLICE = 0.5  # s that encoding may take of a turn
LOOK = 5.0  # s between looks at the disk
PRUNE = 60.0  # s
FAREWELL = 2.0  # s that clips get at the end of the process
UNTOLD = 1000  # alerts that wait for the store
NICE = 5  # of this thread: cameras and inference come first


@dataclass(frozen=True, slots=True)
class Outlet:
    """Where evidence is told: ``publish(alert)`` keeps an alert for good or raises SinkError, ``picture(camera, rule,
    jpeg)`` shows a snapshot. Both are called on the evidence thread and must not block."""

    publish: Callable[[Alert], None]
    picture: Callable[[str, str, bytes], None]


class Recorder:
    """``put``, ``decorate`` and ``find`` are for any thread and never block; ``run`` is a worker's body.

    ``views`` are the cameras; ``now`` gives UTC seconds by their clock. Raises EvidenceError if the ledger in
    ``folder`` cannot be read.
    """

    def __init__(
        self,
        folder: Path,
        config: EvidenceConfig,
        views: Mapping[str, View],
        outlet: Outlet,
        metrics: Metrics,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._config = config
        self._views = views
        self._outlet = outlet
        self._metrics = metrics
        self._now = now
        folder.mkdir(parents=True, exist_ok=True)
        self._ledger = Ledger(folder)
        salvage(folder, self._ledger)
        self._space = Space(folder, config, self._ledger)
        self._queue: queue.Queue[Alert | Detection] = queue.Queue(maxsize=QUEUE)
        self._cases: dict[str, Case] = {}
        self._recent: dict[str, deque[Detection]] = {name: deque(maxlen=RECENT) for name in views}
        self._told: dict[str, tuple[str | None, str | None]] = {}  # incident → snapshot, clip
        self._untold: deque[Alert] = deque(maxlen=UNTOLD)
        self._complained: set[str] = set()
        self._turned = self._looked = self._pruned = -PRUNE
        metrics.evidence_bytes.set(self._space.used)
        metrics.evidence_writing.set(1)

    def put(self, item: Alert | Detection) -> None:
        """Hear of an alert that was kept, or of a detection; what there is no room for is counted."""
        try:
            if isinstance(item, Detection) and self._queue.qsize() >= ALERTS_ONLY:
                raise queue.Full
            self._queue.put_nowait(item)
        except queue.Full:
            self._drop("queue")

    def decorate(self, alert: Alert) -> Alert:
        """``alert`` with what is there of its incident's snapshot and clip."""
        snapshot, clip = self._told.get(alert.id, (None, None))
        return alert if snapshot is None and clip is None else replace(alert, snapshot=snapshot, clip=clip)

    def find(self, incident: str, kind: str) -> Path | None:
        """The file of ``kind``, one of vault.KINDS, of an incident; None if there is none."""
        if not is_incident(incident):
            return None
        entry, case = self._ledger.kept.get(incident), self._cases.get(incident)
        place: Place | None = entry.place if entry is not None else case.place if case is not None else None
        path = None if place is None else place.path(self._folder, kind)
        return path if path is not None and path.is_file() else None

    def run(self, stop: threading.Event) -> None:
        """Gather until ``stop`` is set and nothing is queued; then finish what is open, within about FAREWELL."""
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
        while not (stop.is_set() and self._queue.empty()):
            self._take(0.0 if stop.is_set() else TURN if self._cases or self._untold else 1.0)
            if time.monotonic() - self._turned >= TURN or stop.is_set():
                self._turned = time.monotonic()
                self._turn(SLICE)
        self._finish()

    def _take(self, timeout: float) -> None:
        """Everything that is queued; waits up to ``timeout`` s for the first."""
        try:
            self._hear(self._queue.get(timeout=timeout) if timeout else self._queue.get_nowait())
            for _ in range(QUEUE):
                self._hear(self._queue.get_nowait())
        except queue.Empty:
            return

    def _hear(self, item: Alert | Detection) -> None:
        if isinstance(item, Detection):
            recent = self._recent.get(item.camera)
            if recent is not None:
                recent.append(item)
            for case in self._cases.values():
                if case.alert.camera == item.camera and not case.ended:
                    case.observe([item])
        elif item.id in self._cases:
            self._cases[item.id].hear(item)
        elif item.end_time is None:
            self._open(item)

    def _open(self, alert: Alert) -> None:
        view = self._views.get(alert.camera)
        if view is None:
            return
        if len(self._cases) >= OPEN or not self._space.free:
            self._drop("disk" if not self._space.free else "too_many")
            return
        try:
            case = self._cases[alert.id] = Case(alert, view, self._config, self._folder)
        except (EvidenceError, OverflowError, ValueError) as error:  # a time that no calendar has
            self._complain(f"incident {alert.id}: {error}", "error")
            return
        since = alert.start_time - self._config.pre_s
        case.observe(detection for detection in self._recent[alert.camera] if detection.end >= since)

    def _turn(self, patience: float) -> None:
        """One look at everything; encoding gets ``patience`` seconds of it."""
        now = self._now()
        self._look(now)
        for case in self._cases.values():
            case.footage.draw(now, HELD - sum(other.footage.held for other in self._cases.values()))
            if self._space.free:
                self._photograph(case, now)
        deadline = time.monotonic() + patience
        # copies first, they are quick; of the others one at a time, in the order in which they began
        for case in sorted(self._cases.values(), key=lambda case: case.footage.encoded):
            case.footage.work(deadline if case.footage.encoded else inf)
            self._tell(case)
            if case.ended and case.footage.done:
                self._close(case)
        self._publish()
        for name, view in self._views.items():
            self._metrics.evidence_ring_bytes.labels(name).set(view.ring.size)

    def _photograph(self, case: Case, now: float) -> None:
        try:
            still = case.take_snapshot(now)
        except EvidenceError as error:
            self._complain(f"incident {case.alert.id} at {case.alert.camera}: no snapshot: {error}", "snapshot")
            return
        if still is not None:
            self._metrics.evidence_files.labels(case.alert.camera, "snapshot").inc()
            self._outlet.picture(case.alert.camera, case.alert.rule, still.small)

    def _tell(self, case: Case) -> None:
        """Have the incident's next alerts name what is there."""
        snapshot = None if case.snapshot is None else f"{FOLDER}/{case.place.name('snapshot')}"
        clip = f"{FOLDER}/{case.place.name('clip')}" if case.footage.written else None
        if snapshot or clip:
            self._told[case.alert.id] = snapshot, clip

    def _close(self, case: Case) -> None:
        alert, footage, now = case.alert, case.footage, self._now()
        entry = Entry(0, case.place, alert.start_time, alert.end_time or alert.time, now, 0, "", "")
        try:
            self._ledger.add(case.close(self._ledger.next(entry)))
        except (EvidenceError, ValueError) as error:
            self._complain(f"incident {alert.id} at {alert.camera}: no record: {error}", "record")
        del self._cases[alert.id]
        snapshot, clip = self._told.pop(alert.id, (None, None))
        if clip is not None:
            self._metrics.evidence_files.labels(alert.camera, "clip").inc()
            self._metrics.evidence_delay.observe(max(0.0, now - (footage.until or now)))
        else:
            self._complain(f"incident {alert.id} at {alert.camera}: no clip", footage.cut or "no_packets")
        self._metrics.evidence_bytes.set(self._space.used)
        if snapshot or clip:
            kind = AlertType.UPDATE
            self._tell_later(replace(alert, seq=alert.seq + 1, type=kind, time=now, snapshot=snapshot, clip=clip))

    def _tell_later(self, alert: Alert) -> None:
        if len(self._untold) == UNTOLD:
            self._drop("untold")
        self._untold.append(alert)

    def _publish(self) -> None:
        try:
            while self._untold:
                alert = self._untold[0]
                self._outlet.publish(alert)
                self._untold.popleft()
                self._metrics.alerts.labels(alert.camera, alert.rule, alert.type.value).inc()
        except SinkError:  # said by whoever else stores alerts
            return

    def _look(self, now: float) -> None:
        if time.monotonic() - self._looked < LOOK:
            return
        self._looked = time.monotonic()
        try:
            if not self._space.look():
                for case in self._cases.values():
                    case.footage.stop("disk")
            if time.monotonic() - self._pruned >= PRUNE:
                self._pruned = time.monotonic()
                if gone := self._space.prune(now):
                    log.info("evidence of %d incidents was older than %g days or beyond its size, and deleted",
                             gone, self._config.keep_days)  # fmt: skip
                self._metrics.evidence_bytes.set(self._space.used)
        except (EvidenceError, OSError) as error:
            self._complain(f"old evidence: {error}", "retention")
        self._metrics.evidence_writing.set(self._space.free)

    def _finish(self) -> None:
        """The end: what was taken becomes a clip; what cannot be encoded in time is given up."""
        for case in self._cases.values():
            case.footage.draw(self._now(), HELD)
            case.footage.end("shutdown")
        self._turn(FAREWELL)
        for case in list(self._cases.values()):
            case.footage.stop("shutdown")
            self._tell(case)
            self._close(case)
        self._publish()
        for _ in self._untold:
            self._drop("untold")

    def _drop(self, reason: str) -> None:
        self._metrics.evidence_dropped.labels(reason).inc()

    def _complain(self, text: str, reason: str) -> None:
        """Count it, and say it if it is the first of its reason."""
        self._drop(reason)
        if reason not in self._complained:
            self._complained.add(reason)
            log.error("evidence: %s (%s; further ones are counted only)", text, reason)
