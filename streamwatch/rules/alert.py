"""What leaves the rules: incidents and the alerts about them (contract ``streamwatch.alert/1``)."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum

from streamwatch.models.detection import ModelInfo
from streamwatch.rules.part import Part

__all__ = [
    "SCHEMA",
    "Acknowledged",
    "Alert",
    "AlertType",
    "Cause",
    "Incident",
    "IncidentState",
    "to_json",
    "to_payload",
]

SCHEMA = "streamwatch.alert/1"


class IncidentState(StrEnum):
    """Prometheus' life cycle of an alert, with its ends: ``closed`` after it fired, ``withdrawn`` if it never did.

    ``acknowledged``: it fires, and somebody has taken note.
    """

    PENDING = "pending"
    FIRING = "firing"
    ACKNOWLEDGED = "acknowledged"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"


class Cause(StrEnum):
    """What the incident is about: the rule's condition, or that nothing is known of it (``no_data: alert``)."""

    CONDITION = "condition"
    NO_DATA = "no_data"


class AlertType(StrEnum):
    """The first, further and last message about one incident."""

    NEW = "new"
    UPDATE = "update"
    END = "end"


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Who took note of an incident, when (UTC s), and what they had to say; both may be empty."""

    time: float
    by: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Incident:
    """One stretch from pending to closed. Times are UTC seconds of event time."""

    id: str
    rule: str
    camera: str
    state: IncidentState
    since: float
    opened: float | None
    last_matched: float
    peak_score: float


@dataclass(frozen=True, slots=True)
class Alert:
    """A message about an incident; ``seq`` counts 0, 1, 2 … within it.

    ``time`` is the event time at which this message was decided, ``start_time`` when the condition began to
    hold, ``end_time`` when it was last seen to hold (only with ``type`` end). All are UTC seconds. ``threshold``
    is the ``on`` of the event that decided; ``event``, ``zone`` and ``threshold`` are None and ``score`` is 0 where
    no event did (a rule of ``not`` alone). ``annotations`` are rendered; an end has ``end_reason`` among them.
    ``shadow``: of a rule on trial, ``snoozed``: withheld by a snooze; both are to be logged and counted but never
    published. ``snapshot`` and ``clip`` are paths below the data folder, None until there; an update with an
    ``end_time`` is of an incident that has ended, and says where they are. ``state`` is the incident's after this
    message. ``why``: the rule's conditions when it was decided, in a ``new`` or ``update`` that a detection caused or
    that tells what a snooze withheld.
    """

    id: str
    seq: int
    type: AlertType
    camera: str
    rule: str
    event: str | None
    zone: str | None
    severity: str
    score: float
    peak_score: float
    threshold: float | None
    start_time: float
    time: float
    end_time: float | None
    summary: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    model: ModelInfo
    rule_hash: str
    shadow: bool = False
    snapshot: str | None = None
    clip: str | None = None
    snoozed: bool = False
    state: IncidentState = IncidentState.FIRING
    cause: Cause = Cause.CONDITION
    acknowledged: Acknowledged | None = None
    why: Part | None = None


def to_payload(alert: Alert, instance: str, sequence: int) -> dict[str, object]:
    """The contract's fields, in its order. ``sequence`` is the alert's place among all of this ``instance``."""
    return {
        "schema": SCHEMA,
        "id": alert.id,
        "seq": alert.seq,
        "instance": instance,
        "sequence": sequence,
        "type": alert.type.value,
        "state": alert.state.value,
        "cause": alert.cause.value,
        "camera": alert.camera,
        "rule": alert.rule,
        "event": alert.event,
        "zone": alert.zone,
        "severity": alert.severity,
        "score": round(alert.score, 6),
        "peak_score": round(alert.peak_score, 6),
        "threshold": alert.threshold,
        "start_time": alert.start_time,
        "time": alert.time,
        "end_time": alert.end_time,
        "summary": alert.summary,
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "snapshot": alert.snapshot,
        "clip": alert.clip,
        "model": {"name": alert.model.name, "version": alert.model.version, "sha256": alert.model.sha256},
        "rule_hash": alert.rule_hash,
        "acknowledged": None if alert.acknowledged is None else asdict(alert.acknowledged),
        "why": None if alert.why is None else alert.why.to_payload(),
    }


def to_json(alert: Alert, instance: str, sequence: int) -> str:
    """``to_payload`` as JSON on one line; equal alerts give equal text. Raises ValueError for NaN."""
    payload = to_payload(alert, instance, sequence)
    return json.dumps(payload, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
