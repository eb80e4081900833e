"""What a rule remembers of an incident while it is open, and what the incident is called."""

import hashlib
from dataclasses import dataclass
from math import inf

from ulid import ULID

from streamwatch.models.detection import ModelInfo
from streamwatch.rules.alert import Acknowledged, Incident, IncidentState
from streamwatch.rules.condition import Evidence
from streamwatch.rules.part import Part

__all__ = ["Stretch", "incident_id"]


@dataclass(slots=True)
class Stretch:
    """An open incident: since it began to hold until its end is certain. Times are UTC s of event time.

    Where the rule joins cameras, ``camera`` is the one that completed it and ``cameras`` all that took part.
    """

    since: float
    last_matched: float
    model: ModelInfo
    evidence: Evidence | None = None
    peak: float = 0.0
    filled: float = 0.0  # of the newest window
    interrupted: float | None = None
    reason: str = "ended"  # why it would end, if the interruption lasts
    id: str = ""
    opened: float | None = None  # when it began to fire
    seq: int = 0
    sent: float = -inf  # time of the last message
    reported: float = 0.0  # peak in the last message
    severity: str = ""
    announced: bool = False  # its ``new`` was decided …
    told: bool = False  # … and not withheld
    owed: bool = False  # something was withheld since the last message
    acknowledged: Acknowledged | None = None
    why: Part | None = None
    camera: str = ""
    cameras: tuple[str, ...] = ()

    def state(self) -> IncidentState:
        """While it is open."""
        if self.opened is None:
            return IncidentState.PENDING
        return IncidentState.FIRING if self.acknowledged is None else IncidentState.ACKNOWLEDGED

    def incident(self, rule: str, camera: str) -> Incident:
        """It as others may see it."""
        return Incident(
            self.id, rule, self.camera or camera, self.state(), self.since, self.opened, self.last_matched, self.peak
        )

    def labels(self) -> dict[str, str]:
        """What of it its alerts bear as labels."""
        severity = {"severity": self.severity}
        return severity | {"cameras": ",".join(self.cameras)} if self.cameras else severity

    def join(self, cameras: tuple[str, ...]) -> bool:
        """Add ``cameras``; whether any of them is new."""
        new = tuple(camera for camera in cameras if camera not in self.cameras)
        self.cameras += new
        return bool(new)


def incident_id(salt: str, rule: str, camera: str, start: float) -> str:
    """A ULID of ``start`` (UTC s) whose 80 bits of chance are a hash, so that a replay repeats it."""
    digest = hashlib.sha256(f"{salt}\0{rule}\0{camera}\0{start!r}".encode()).digest()
    return str(ULID.from_bytes(int(start * 1000).to_bytes(6, "big") + digest[:10]))
