"""The evidence thread: incidents in, clips, snapshots and records out, and one more alert that says where they are."""

import contextlib
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
from streamwatch.errors import EvidenceError
from streamwatch.evidence.case import Case, View
from streamwatch.evidence.last_words import LastWords
from streamwatch.evidence.ledger import Entry, Ledger
from streamwatch.evidence.losses import Losses
from streamwatch.evidence.salvage import salvage
from streamwatch.evidence.space import Space
from streamwatch.evidence.vault import Place, is_incident
from streamwatch.metrics import Metrics
from streamwatch.models.detection import Detection
from streamwatch.rules.alert import Alert, AlertType

__all__ = ["FOLDER", "Outlet", "Recorder"]

FOLDER = "evidence"  # below the data folder
QUEUE = 8192  # alerts and detections that wait for the thread
ALERTS_ONLY = 4096  # of these places are for alerts
OPEN = 64  # incidents at a time whose clips are being gathered
MOST = 512  # incidents at a time: one may last for days, long after its clip is full
RECENT = 64  # detections of each camera kept, since an incident begins before its first alert
HELD = 256 << 20  # bytes of packets that may wait to be encoded
TURN = 0.2  # s
SLICE = 0.5  # s that encoding may take of a turn, and as many that pictures may
RETRY = 5.0  # s until a record that the disk refused is tried again
STUCK = 30.0  # s without a turn that are worth a word
FAREWELL = 2.0  # s that clips get at the end of the process
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
        self._losses = Losses(metrics.evidence_dropped)
        self._words = LastWords(outlet.publish, metrics, self._losses)
        self._turned = time.monotonic()
        metrics.evidence_bytes.set(self._space.used)
        metrics.evidence_writing.set(1)

    def put(self, item: Alert | Detection) -> None:
        """Hear of an alert that was kept, or of a detection; what there is no room for is counted."""
        try:
            if isinstance(item, Detection) and self._queue.qsize() >= ALERTS_ONLY:
                raise queue.Full
            self._queue.put_nowait(item)
        except queue.Full:
            self._losses.count("queue")

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

    @property
    def degraded(self) -> list[str]:
        """What is not as it should be, a line each."""
        found = [] if self._space.free else ["evidence: the disk has less than evidence.min_free left, none is written"]
        still = time.monotonic() - self._turned
        return found if still < STUCK else [*found, f"evidence: its thread has not moved for {still:.0f} s"]

    def run(self, stop: threading.Event) -> None:
        """Gather until ``stop`` is set and nothing is queued; then finish what is open, within about FAREWELL.

        May be run again after it raised: what was open then is closed as it is.
        """
        self._give_up()
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
        while not (stop.is_set() and self._queue.empty()):
            self._take(0.0 if stop.is_set() else TURN if self._cases or self._words else 1.0)
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
        if view is None or alert.id in self._ledger.kept:  # closed because of a fault
            return
        gathering = sum(not case.footage.done for case in self._cases.values())
        if gathering >= OPEN or len(self._cases) >= MOST or not self._space.free:
            self._losses.count("disk" if not self._space.free else "too_many")
            return
        try:
            case = self._cases[alert.id] = Case(alert, view, self._config, self._folder)
        except (EvidenceError, OverflowError, ValueError) as error:  # a time that no calendar has
            self._losses.complain(f"incident {alert.id}: {error}", "error")
            return
        since = alert.start_time - self._config.pre_s
        case.observe(detection for detection in self._recent[alert.camera] if detection.end >= since)

    def _turn(self, patience: float) -> None:
        """One look at everything; pictures and encoding get ``patience`` seconds of it each."""
        now = self._now()
        self._look(now)
        self._draw(now)
        if self._space.free:
            self._photograph(now, time.monotonic() + patience)
        deadline = time.monotonic() + patience
        for case in list(self._cases.values()):  # one at a time, in the order in which they began
            if case.footage.encoded:
                case.footage.work(deadline)
            self._tell(case)
            if case.ended and case.footage.done:
                self._close(case)
        self._words.turn()
        for name, view in self._views.items():
            self._metrics.evidence_ring_bytes.labels(name).set(view.ring.size)

    def _draw(self, now: float) -> None:
        """All that the rings will forget, first; then the copies, which are quick and need no room of the others."""
        for case in self._cases.values():
            encoding = sum(other.footage.held for other in self._cases.values() if other.footage.encoded)
            case.footage.draw(now, HELD - encoding if case.footage.encoded else HELD)
            case.aim(now)
        for case in self._cases.values():
            if not case.footage.encoded:
                case.footage.work(inf)

    def _photograph(self, now: float, deadline: float) -> None:
        """Pictures that are wanted, one at least; an incident that has none comes first. Each decodes a whole GOP."""
        for case in sorted(self._cases.values(), key=lambda case: case.shot):
            try:
                still = case.take_snapshot(now)
            except EvidenceError as error:
                self._losses.complain(
                    f"incident {case.alert.id} at {case.alert.camera}: no snapshot: {error}", "snapshot"
                )
                continue
            if still is None:
                continue
            self._metrics.evidence_files.labels(case.alert.camera, "snapshot").inc()
            self._outlet.picture(case.alert.camera, case.alert.rule, still.small)
            if time.monotonic() >= deadline:
                return

    def _tell(self, case: Case) -> None:
        """Have the incident's next alerts name what is there."""
        snapshot = None if case.snapshot is None else f"{FOLDER}/{case.place.name('snapshot')}"
        clip = f"{FOLDER}/{case.place.name('clip')}" if case.footage.written else None
        if snapshot or clip:
            self._told[case.alert.id] = snapshot, clip

    def _close(self, case: Case, last: bool = False) -> None:
        """Let go of it once its record is written. What the disk refuses is tried again, but not the ``last`` time."""
        if not last and time.monotonic() < case.due:
            return
        kept = self._record(case)
        if not case.told:
            case.told = True
            self._announce(case)
        if not kept and not last:
            case.due = time.monotonic() + RETRY
            return
        if not kept:
            self._losses.count("record")
        self._cases.pop(case.alert.id, None)
        self._told.pop(case.alert.id, None)
        self._metrics.evidence_bytes.set(self._space.used)

    def _record(self, case: Case) -> bool:
        alert = case.alert
        entry = Entry(0, case.place, alert.start_time, alert.end_time or alert.time, self._now(), 0, "", "")
        try:
            self._ledger.add(case.close(self._ledger.next(entry)))
        except EvidenceError as error:
            case.withdraw()
            self._losses.say(f"incident {alert.id} at {alert.camera}: no record yet: {error}", "record")
            return False
        except ValueError as error:  # scores that JSON cannot hold
            self._losses.complain(f"incident {alert.id} at {alert.camera}: no record: {error}", "record")
        return True

    def _announce(self, case: Case) -> None:
        """Have its last alert say what there is."""
        alert, footage, now = case.alert, case.footage, self._now()
        snapshot, clip = self._told.get(alert.id, (None, None))
        if clip is not None:
            self._metrics.evidence_files.labels(alert.camera, "clip").inc()
            self._metrics.evidence_delay.observe(max(0.0, now - (footage.until or now)))
        else:
            self._losses.complain(f"incident {alert.id} at {alert.camera}: no clip", footage.cut or "no_packets")
        if snapshot or clip:
            kind = AlertType.UPDATE
            self._words.add(replace(alert, seq=alert.seq + 1, type=kind, time=now, snapshot=snapshot, clip=clip))

    def _look(self, now: float) -> None:
        try:
            if not self._space.tend(now):
                return
        except (EvidenceError, OSError) as error:
            self._losses.complain(f"old evidence: {error}", "retention")
        if not self._space.free:
            for case in self._cases.values():
                case.footage.stop("disk")
        self._metrics.evidence_bytes.set(self._space.used)
        self._metrics.evidence_writing.set(self._space.free)

    def _finish(self) -> None:
        """The end: what was taken becomes a clip; what cannot be encoded in time is given up."""
        for case in self._cases.values():
            case.footage.draw(self._now(), HELD)
            case.footage.end("shutdown")
        self._turn(FAREWELL / 2)
        for case in list(self._cases.values()):
            case.footage.stop("shutdown")
            self._tell(case)
            self._close(case, last=True)
        self._words.end()

    def _give_up(self) -> None:
        """Close what a fault left open, each taken away first: it may be the one that the fault is in."""
        while self._cases:
            _, case = self._cases.popitem()
            case.footage.stop("fault")
            self._tell(case)
            self._close(case, last=True)
