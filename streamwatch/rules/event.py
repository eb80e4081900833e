"""``event``: an event's score crossed its threshold, with hysteresis: ``{event: fall, on: 0.8, off: 0.6, zone: bed}``.

It begins to hold at ``score >= on`` and holds until ``score < off``. ``off`` is 0.75 · ``on`` if left out: calibrated
scores of overlapping windows wander by some 10 % while nothing changes, and a quarter is clear of that.
"""

from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from streamwatch.rules.condition import Condition
from streamwatch.rules.hysteresis import Hysteresis, Threshold, fault_of_off, off_of
from streamwatch.rules.node import Node

__all__ = ["Event", "parse_event"]

_Name = Annotated[str, Field(max_length=64)]


class _EventKeys(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    event: _Name
    on: Annotated[float, Field(gt=0, le=1)]
    off: Annotated[float, Field(gt=0, le=1)] | None = None
    zone: _Name | None = None

    @model_validator(mode="after")
    def _hysteresis(self) -> "_EventKeys":
        if fault := fault_of_off("on", self.on, self.off):
            raise ValueError(fault)
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
        return Hysteresis(Threshold(self.name, self.zone, self.on, self.off))


def parse_event(node: Node) -> Event:
    """The operator from its mapping. Raises RuleError."""
    keys = node.read(_EventKeys)
    node.require(node.vocabulary.fault_of_event(keys.event), "event")
    node.require_zone(keys.zone)
    return Event(keys.event, keys.on, off_of(keys.on, keys.off), keys.zone)
