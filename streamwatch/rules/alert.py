"""What leaves the rules: incidents and the alerts about them (contract ``streamwatch.alert/1``)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from streamwatch.models.detection import ModelInfo

__all__ = ["Alert", "AlertType", "Incident", "IncidentState"]


class IncidentState(StrEnum):
    """Prometheus' life cycle of an alert, with an end."""

    PENDING = "pending"
    FIRING = "firing"
    CLOSED = "closed"


class AlertType(StrEnum):
    """The first, further and last message about one incident."""

    NEW = "new"
    UPDATE = "update"
    END = "end"


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
    ``shadow``: of a rule on trial, to be logged and counted but never published.
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
