"""``count … in … at_least``: something happened again: ``{count: {event: fight, on: 0.8}, in: 1h, at_least: 3}``.

It counts how often its condition *began* to hold and holds while ``at_least`` of these beginnings lie less than
``in`` ago. What held no more than 10 s ago and holds again after a gap has not begun anew. What has happened stays
so: gaps and silence do not undo what was counted. Only the last ``at_least`` beginnings are kept.

It goes on holding after the condition has ended; to alert only while it lasts, join both with ``all``. Its evidence
is that of the last beginning.
"""

from collections import deque
from dataclasses import dataclass
from math import inf
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from streamwatch.models.detection import Detection
from streamwatch.rules.condition import EPSILON, MAX_TIMES, SILENCE, Condition, Evidence, Standing, Term
from streamwatch.rules.duration import Duration
from streamwatch.rules.node import Node
from streamwatch.rules.rest import Rest, rest_of

__all__ = ["Count", "CountCondition", "parse_count"]


class _CountKeys(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    count: object
    span: Annotated[Duration, Field(gt=0)] = Field(alias="in")
    at_least: Annotated[int, Field(ge=2, le=1000)]


@dataclass(frozen=True, slots=True)
class Count:
    """The parsed operator; ``span`` is the file's ``in`` in seconds."""

    part: Term
    span: float
    at_least: int

    @property
    def zones(self) -> frozenset[str | None]:
        return self.part.zones

    def start(self) -> Condition:
        return CountCondition(self)


class CountCondition:
    """``count`` at work."""

    __slots__ = ("_at_least", "_began", "_evidence", "_held", "_holds", "_now", "_on", "_part", "_span", "_value")

    def __init__(self, term: Count) -> None:
        self._part = term.part.start()
        self._span = term.span - EPSILON
        self._at_least = term.at_least
        self._began: deque[float] = deque(maxlen=term.at_least)
        self._value: bool | None = None  # of the part
        self._on = False  # the last thing known of it
        self._held = -inf  # when it last held
        self._evidence: Evidence | None = None
        self._holds = False
        self._now = -inf

    def observe(self, detection: Detection) -> bool | None:
        self._value = value = self._part.observe(detection)
        if detection.end > self._now:
            self._advance(detection.end)
        at = self._now
        if value:
            if not self._on or at - self._held > SILENCE:
                self._began.append(at)
                self._evidence = self._part.evidence()
            self._held = at
        if value is not None:
            self._on = value
        self._holds = len(self._began) == self._at_least and at - self._began[0] < self._span
        return True if self._holds else None if value is None else False

    def evidence(self) -> Evidence | None:
        return self._evidence if self._holds else None

    def standing(self) -> Standing:
        counted = tuple(at for at in self._began if self._now - at < self._span)
        since = counted[0] if counted else None
        return Standing(self._holds, since, len(counted), self._at_least, counted[-MAX_TIMES:])

    def inside(self) -> tuple[Condition, ...]:
        return (self._part,)

    def rest(self) -> Rest:
        part = rest_of(self._part)
        same = min(part.same, self._began[0] + self._span - EPSILON) if self._holds else part.same
        return Rest(same, min(part))

    def catch_up(self, at: float) -> None:
        """The part held at each detection up to ``at``, if it held at the last that was heard."""
        if self._value and at > self._now:
            self._now = self._held = at

    def reset(self) -> None:
        self._part.reset()
        self._value = None
        self._holds = False
        self._now = -inf

    def _advance(self, at: float) -> None:
        if self._held - at > SILENCE:  # the clock was set back
            self._began.clear()
            self._held = -inf
        self._now = max(at, self._held)


def parse_count(node: Node) -> Count:
    """The operator from its mapping. Raises RuleError."""
    keys = node.read(_CountKeys)
    return Count(node.term("count"), keys.span, keys.at_least)
