"""``absent … for``: a condition has not held for a while: ``{absent: {motion: 1.5}, for: 20s}``.

It begins to hold with the first detection at which the condition has been known not to hold for so long, without a
break, and holds until the condition does. While the condition is unknown – never scored, after a gap or silence –
nothing is absent, and the time starts again: what was not looked at may have been there.
"""

from dataclasses import dataclass
from math import inf

from pydantic import BaseModel, ConfigDict, Field

from streamwatch.models.detection import Detection
from streamwatch.rules.condition import EPSILON, Condition, Evidence, Standing, Term, standing_of
from streamwatch.rules.duration import Duration
from streamwatch.rules.node import Node
from streamwatch.rules.rest import Rest, rest_of

__all__ = ["Absent", "AbsentCondition", "parse_absent"]


class _AbsentKeys(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    absent: object
    hold: Duration = Field(alias="for")


@dataclass(frozen=True, slots=True)
class Absent:
    """The parsed operator; ``hold`` is the file's ``for`` in seconds."""

    part: Term
    hold: float

    @property
    def zones(self) -> frozenset[str | None]:
        return self.part.zones

    def start(self) -> Condition:
        return AbsentCondition(self)


class AbsentCondition:
    """``absent`` at work."""

    __slots__ = ("_hold", "_now", "_part", "_since")

    def __init__(self, term: Absent) -> None:
        self._part = term.part.start()
        self._hold = term.hold - EPSILON
        self._since: float | None = None  # since when the part has been known not to hold
        self._now = -inf

    def observe(self, detection: Detection) -> bool | None:
        value = self._part.observe(detection)
        self._now = at = max(self._now, detection.end)
        if value is not False:
            self._since = None
            return None if value is None else False
        if self._since is None:
            self._since = at
        return at - self._since >= self._hold

    def evidence(self) -> Evidence | None:
        return None

    def standing(self) -> Standing:
        if self._since is None:
            inner = standing_of(self._part)
            return Standing(None if inner.holds is None else False, inner.since)
        return Standing(self._now - self._since >= self._hold, self._since)

    def inside(self) -> tuple[Condition, ...]:
        return (self._part,)

    def rest(self) -> Rest:
        part = rest_of(self._part)
        if self._since is None or self._now - self._since >= self._hold:
            return Rest(part.same, min(part))
        return Rest(min(part.same, self._since + self._hold - EPSILON), min(part))

    def reset(self) -> None:
        self._part.reset()
        self._since = None
        self._now = -inf


def parse_absent(node: Node) -> Absent:
    """The operator from its mapping. Raises RuleError."""
    keys = node.read(_AbsentKeys)
    return Absent(node.term("absent"), keys.hold)
