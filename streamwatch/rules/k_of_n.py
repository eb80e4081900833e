"""``k_of_n``: a condition held in ``at_least`` of the last ``of`` detections.

``{k_of_n: {event: fall, on: 0.7}, at_least: 3, of: 5}``. It counts detections, not seconds, so it stands single
outliers both ways; its part must listen to one zone, whose detections are those counted. The evidence is the
strongest among the detections counted.
"""

from collections import deque
from dataclasses import dataclass
from math import inf
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from streamwatch.models.detection import Detection
from streamwatch.rules.condition import SILENCE, Condition, Evidence, Standing, Term
from streamwatch.rules.node import Node
from streamwatch.rules.rest import NEVER, Rest, rest_of

__all__ = ["KOfN", "KOfNCondition", "parse_k_of_n"]


class _KOfNKeys(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    k_of_n: object
    at_least: Annotated[int, Field(ge=1)]
    of: Annotated[int, Field(ge=2, le=600)]

    @model_validator(mode="after")
    def _reachable(self) -> "_KOfNKeys":
        if self.at_least > self.of:
            raise ValueError(f"at_least ({self.at_least}) must not be above of ({self.of})")
        return self


@dataclass(frozen=True, slots=True)
class KOfN:
    """The parsed operator."""

    part: Term
    at_least: int
    of: int

    @property
    def zones(self) -> frozenset[str | None]:
        return self.part.zones

    def start(self) -> Condition:
        return KOfNCondition(self)


class KOfNCondition:
    """Holds while enough of the last detections did; unknown before the first."""

    __slots__ = ("_at_least", "_found", "_hits", "_of", "_part", "_seen", "_zone")

    def __init__(self, term: KOfN) -> None:
        self._part = term.part.start()
        (self._zone,) = term.zones
        self._at_least = term.at_least
        self._of = term.of
        self._hits: deque[bool] = deque(maxlen=term.of)
        self._found: deque[Evidence | None] = deque(maxlen=term.of)  # beside each hit, what made it
        self._seen = -inf

    def observe(self, detection: Detection) -> bool | None:
        if detection.zone == self._zone:
            hit = self._part.observe(detection) is True
            self._seen = detection.end
            self._hits.append(hit)
            self._found.append(self._part.evidence() if hit else None)
        elif detection.end - self._seen > SILENCE:
            self.reset()
        return self._hits.count(True) >= self._at_least if self._hits else None

    def evidence(self) -> Evidence | None:
        if self._hits.count(True) < self._at_least:
            return None
        return max((found for found in self._found if found), key=lambda found: found.score, default=None)

    def standing(self) -> Standing:
        if not self._hits:
            return Standing(None)
        hits = self._hits.count(True)
        return Standing(hits >= self._at_least, None, hits, self._at_least)

    def inside(self) -> tuple[Condition, ...]:
        return (self._part,)

    def rest(self) -> Rest:
        if len(self._hits) < self._of or 0 < self._hits.count(True) < self._of or any(self._found):
            return NEVER  # the next detection may push out another one than it brings
        rest = min(rest_of(self._part))
        return Rest(rest, rest)

    def reset(self) -> None:
        self._part.reset()
        self._hits.clear()
        self._found.clear()
        self._seen = -inf


def parse_k_of_n(node: Node) -> KOfN:
    """The operator from its mapping. Raises RuleError."""
    keys = node.read(_KOfNKeys)
    part = node.term("k_of_n")
    if len(part.zones) != 1:
        node.require(f"counts the detections of one zone; its condition listens to {len(part.zones)}", "k_of_n")
    return KOfN(part, keys.at_least, keys.of)
