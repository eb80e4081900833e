"""One incident: what is gathered about it from its first alert to its record."""

import contextlib
import hashlib
import json
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from streamwatch.config import EvidenceConfig
from streamwatch.errors import EvidenceError
from streamwatch.evidence.film import Polygons
from streamwatch.evidence.footage import Footage, Span
from streamwatch.evidence.ledger import Entry
from streamwatch.evidence.still import Still, take_still
from streamwatch.evidence.vault import Place, digest, place_of, write_file
from streamwatch.models.detection import Detection
from streamwatch.rules.alert import Alert, AlertType, to_payload
from streamwatch.video.packets import Packet, PacketRing

__all__ = ["SCHEMA", "Case", "View"]

SCHEMA = "streamwatch.evidence/1"
SCORES = 4000  # detections kept of one incident: more than an hour
PAUSE = 2.0  # seconds between two snapshots of one incident
STEP = 0.02  # by which a score must rise to be worth another
LATE = 3.0  # seconds that a picture may be late
BROWSERS = ("h264",)


@dataclass(frozen=True, slots=True)
class View:
    """A camera as evidence sees it: its ring and its masks."""

    ring: PacketRing
    masks: Polygons = ()


class Case:
    """The incident that ``alert`` began. Owned by the evidence thread."""

    def __init__(self, alert: Alert, view: View, config: EvidenceConfig, folder: Path) -> None:
        self.alert = alert
        self.place: Place = place_of(alert.camera, alert.id, alert.start_time)
        self.snapshot: dict[str, object] | None = None
        self._view = view
        self._config = config
        self._folder = folder
        span = Span(alert.start_time - config.pre_s, config.max_s)
        self.footage = Footage(view.ring, self.place.path(folder, "clip"), span, view.masks)
        self._scores: deque[Detection] = deque(maxlen=SCORES)
        self._heard = 0
        self._best = -1.0
        self._wanted: float | None = alert.time  # UTC s of the picture to take
        self._aimed: tuple[float, list[Packet]] | None = None  # its time, and the GOP that it is in
        self.shot = -PAUSE  # when the last was taken (monotonic s)
        self.told = False  # whether its last alert was given
        self.due = 0.0  # when its record may be tried (monotonic s)

    def hear(self, alert: Alert) -> None:
        """A further alert of the incident."""
        self.alert = alert
        if alert.type is AlertType.END:
            self.footage.until = (alert.end_time or alert.time) + self._config.post_s

    def observe(self, detections: Iterable[Detection]) -> None:
        """Scores of the camera, in order. The picture of the highest one of the rule's event is wanted."""
        for detection in detections:
            self._scores.append(detection)
            self._heard += 1
            score = detection.scores.get(self.alert.event or "")
            if detection.zone != self.alert.zone or score is None or detection.end < self.alert.start_time:
                continue
            if score > self._best + STEP:
                self._best, self._wanted = score, detection.end

    def aim(self, now: float) -> None:
        """Take hold of the picture that is wanted as soon as it is there: the ring will forget it."""
        wanted = self._wanted
        if wanted is None:
            return
        packets = self._view.ring.around(wanted)
        if now >= wanted + LATE or (packets and packets[-1].at > wanted):
            self._wanted, self._aimed = None, (wanted, packets)

    def take_snapshot(self, now: float) -> Still | None:
        """The picture that is wanted, once it is there; it is on the disk then. Raises EvidenceError."""
        self.aim(now)
        if self._aimed is None or time.monotonic() - self.shot < PAUSE:
            return None
        (at, packets), self._aimed = self._aimed, None
        self.shot = time.monotonic()
        still = take_still(packets, at, self._view.masks)
        write_file(self.place.path(self._folder, "snapshot"), still.full)
        self.snapshot = {
            "file": self.place.name("snapshot"),
            "sha256": hashlib.sha256(still.full).hexdigest(),
            "bytes": len(still.full),
            "time": still.at,
            "score": max(self._best, 0.0) if self.alert.event else None,
            "masked": bool(self._view.masks),
        }
        return still

    @property
    def ended(self) -> bool:
        """Whether the incident is over."""
        return self.footage.until is not None

    def close(self, entry: Entry) -> Entry:
        """Write the record as ``entry`` of the chain; the entry with its hash. Raises EvidenceError."""
        clip = self._clip()
        record: dict[str, Any] = {
            "schema": SCHEMA,
            "number": entry.number,
            "previous": entry.previous,
            "id": self.alert.id,
            "camera": self.alert.camera,
            "closed": entry.closed,
            "alert": to_payload(self.alert, "", 0),
            "snapshot": self.snapshot,
            "clip": clip,
            "cut": self.footage.cut,
            "scores": [_scores(detection) for detection in self._scores],
            "scores_left_out": self._heard - len(self._scores),
        }
        for name in ("schema", "instance", "sequence"):
            del record["alert"][name]
        data = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")
        write_file(self.place.path(self._folder, "json"), data)
        size = len(data) + sum(int(str(part["bytes"])) for part in (clip, self.snapshot) if part is not None)
        return replace(entry, bytes=size, sha256=hashlib.sha256(data).hexdigest())

    def withdraw(self) -> None:
        """Take the record back: the ledger could not be written, and its number is the next incident's."""
        with contextlib.suppress(OSError):
            self.place.path(self._folder, "json").unlink(missing_ok=True)

    def _clip(self) -> dict[str, object] | None:
        footage = self.footage
        if not footage.written:
            return None
        path = self.place.path(self._folder, "clip")
        try:
            size, sha256 = path.stat().st_size, digest(path)
        except OSError as error:
            raise EvidenceError(f"{path}: {error.strerror}") from error
        return {
            "file": self.place.name("clip"),
            "sha256": sha256,
            "bytes": size,
            "codec": footage.codec,
            "plays_in_browsers": footage.codec in BROWSERS,
            "masked": bool(self._view.masks),
            "start": footage.first,
            "end": footage.last,
            "cut": footage.cut,
            "gaps": [{"time": at, "seconds": seconds} for at, seconds in footage.gaps],
            "packets_lost": footage.lost,
        }


def _scores(detection: Detection) -> dict[str, object]:
    scores = {event: round(score, 6) for event, score in detection.scores.items()}
    return {"time": detection.end, "zone": detection.zone, "motion": round(detection.motion, 3), **scores}
