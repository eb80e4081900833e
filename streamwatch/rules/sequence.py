"""``sequence … within``: one thing after another: ``{sequence: [{event: fall, on: 0.8}, …], within: 60s}``.

It holds at a detection at which its last step holds, if the steps before held at earlier detections, in order, the
first no longer than ``within`` ago; whatever happened in between does not matter (skip till next match). Two steps
never match at one and the same time, and a step that holds for long may be matched at any moment of it. So it goes on
holding while the last step does, until the first is too long ago.

**Overlap.** Of two partial matches that have come equally far only that whose first step was later is kept: whatever
completes the other completes it too. So there are never more than one a step, and none is lost for lack of room.

What has happened stays so: a gap or silence makes the steps unknown, but does not undo those already matched. Its
evidence is that of the last step that has any.
"""

from dataclasses import dataclass
from math import inf
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from streamwatch.models.detection import Detection
from streamwatch.rules.condition import EPSILON, SILENCE, Condition, Evidence, Standing, Term
from streamwatch.rules.duration import Duration
from streamwatch.rules.node import Node
from streamwatch.rules.rest import NEVER, Rest, rest_of

__all__ = ["MAX_STEPS", "Sequence", "SequenceCondition", "parse_sequence"]

MAX_STEPS = 16


class _SequenceKeys(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    sequence: Annotated[list[object], Field(min_length=2, max_length=MAX_STEPS)]
    within: Annotated[Duration, Field(gt=0)]


@dataclass(frozen=True, slots=True)
class Sequence:
    """The parsed operator; ``within`` is in seconds."""

    steps: tuple[Term, ...]
    within: float

    @property
    def zones(self) -> frozenset[str | None]:
        return frozenset[str | None]().union(*(step.zones for step in self.steps))

    def start(self) -> Condition:
        return SequenceCondition(self)


@dataclass(frozen=True, slots=True)
class _Match:
    """The steps up to one of them matched: when each did, and the last evidence among them."""

    times: tuple[float, ...]
    evidence: Evidence | None

    @property
    def began(self) -> float:
        """When the first did."""
        return self.times[0]


class SequenceCondition:
    """``sequence`` at work."""

    __slots__ = ("_complete", "_holds", "_matched", "_new", "_now", "_steps", "_values", "_within")

    def __init__(self, term: Sequence) -> None:
        self._steps = tuple(step.start() for step in term.steps)
        self._within = term.within + EPSILON
        self._matched: list[_Match | None] = [None] * len(self._steps)  # by step, at times before now
        self._new: dict[int, _Match] = {}  # at the time that is now
        self._now = -inf
        self._complete: _Match | None = None
        self._holds: bool | None = None
        self._values: list[bool | None] = []  # of the steps

    def observe(self, detection: Detection) -> bool | None:
        self._values = values = [step.observe(detection) for step in self._steps]  # each step sees each detection
        self._advance(detection.end)
        for i, value in enumerate(values):
            if value and (match := self._match(i)):
                self._new[i] = match
        self._complete = self._new.get(len(self._steps) - 1) if values[-1] else None
        self._holds = None if values[-1] is None else self._complete is not None
        return self._holds

    def evidence(self) -> Evidence | None:
        return self._complete.evidence if self._complete else None

    def standing(self) -> Standing:
        times = self._complete.times if self._complete else ()
        return Standing(self._holds, self._complete.began if self._complete else None, times=times)

    def inside(self) -> tuple[Condition, ...]:
        return self._steps

    def rest(self) -> Rest:
        """A step that holds is matched again at each moment: that can rest if it is the first alone, and unscored."""
        for i, match in self._new.items():
            if i > 0 or self._values[1] or match.evidence is not None:
                return NEVER
        rest = min(min(rest_of(step)) for step in self._steps)
        return Rest(rest, rest)

    def catch_up(self, at: float) -> None:
        """The first step held at each detection up to ``at``, if it held at the last that was heard."""
        if self._new and self._values[0] and at > self._now:
            self._now = at
            self._new[0] = _Match((at,), None)

    def reset(self) -> None:
        self._settle()
        self._now = -inf
        self._complete = self._holds = None
        for step in self._steps:
            step.reset()

    def _match(self, i: int) -> _Match | None:
        """The match that step ``i`` makes now, if those before it allow one."""
        found = self._steps[i].evidence()
        if i == 0:
            return _Match((self._now,), found)
        before = self._matched[i - 1]
        if before is None or self._now - before.began > self._within:
            return None
        return _Match((*before.times, self._now), found or before.evidence)

    def _advance(self, at: float) -> None:
        if at <= self._now:  # another zone is ahead
            return
        self._settle()
        newest = max((match.began for match in self._matched if match), default=-inf)
        if newest - at > SILENCE:  # the clock was set back
            self._matched = [None] * len(self._steps)
            newest = -inf
        self._now = max(at, newest)

    def _settle(self) -> None:
        for i, match in self._new.items():
            self._matched[i] = match
        self._new.clear()


def parse_sequence(node: Node) -> Sequence:
    """The operator from its mapping. Raises RuleError."""
    keys = node.read(_SequenceKeys)
    return Sequence(node.terms("sequence"), keys.within)
