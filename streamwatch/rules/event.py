"""``event``: an event's score crossed its threshold, with hysteresis: ``{event: fall, on: 0.8, off: 0.6, zone: bed}``.

It begins to hold at ``score >= on`` and holds until ``score < off``. ``off`` is 0.75 · ``on`` if left out: calibrated
scores of overlapping windows wander by some 10 % while nothing changes, and a quarter is clear of that.
"""

from dataclasses import dataclass
from math import inf
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from streamwatch.models.detection import Detection
from streamwatch.rules.condition import SILENCE, Condition, Evidence
from streamwatch.rules.node import Node

__all__ = ["Event", "EventCondition", "parse_event"]

_Name = Annotated[str, Field(max_length=64)]


class _EventKeys(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    event: _Name
    on: Annotated[float, Field(gt=0, le=1)]
    off: Annotated[float, Field(gt=0, le=1)] | None = None
    zone: _Name | None = None

    @model_validator(mode="after")
    def _hysteresis(self) -> "_EventKeys":
        if self.off is not None and self.off >= self.on:
            raise ValueError(f"off ({self.off:g}) must be below on ({self.on:g})")
        return self


@dataclass(frozen=True, slots=True)
class Event:
    """The parsed operator."""

    name: str
    on: float
    off: float
    zone: str | None

    @property
    def zones(self) -> frozenset[str | None]:
        return frozenset((self.zone,))

    def start(self) -> Condition:
        return EventCondition(self)


class EventCondition:
    """Holds from ``score >= on`` to ``score < off``; unknown before its zone's first detection and after silence."""

    __slots__ = ("_active", "_name", "_off", "_on", "_score", "_seen", "_zone")

    def __init__(self, event: Event) -> None:
        self._name = event.name
        self._on = event.on
        self._off = event.off
        self._zone = event.zone
        self._active: bool | None = None
        self._score = 0.0
        self._seen = -inf

    def observe(self, detection: Detection) -> bool | None:
        if detection.zone != self._zone:
            if detection.end - self._seen > SILENCE:
                self._active = None
            return self._active
        score = detection.scores[self._name]
        self._seen = detection.end
        self._score = score
        if score >= self._on:
            self._active = True
        elif score < self._off:
            self._active = False
        elif score != score:  # noqa: PLR0124 - cheaper than isnan, and only between off and on
            raise ValueError(f"camera {detection.camera}: score of {self._name} is not a number")
        else:
            self._active = self._active is True
        return self._active

    def evidence(self) -> Evidence | None:
        return Evidence(self._name, self._zone, float(self._score), self._on) if self._active else None

    def reset(self) -> None:
        self._active = None
        self._seen = -inf


def parse_event(node: Node) -> Event:
    """The operator from its mapping. Raises RuleError."""
    keys = node.read(_EventKeys)
    node.require(node.vocabulary.fault_of_event(keys.event), "event")
    if keys.zone is not None:
        node.require(node.vocabulary.fault_of_zone(keys.zone, node.cameras), "zone")
    return Event(keys.event, keys.on, 0.75 * keys.on if keys.off is None else keys.off, keys.zone)
