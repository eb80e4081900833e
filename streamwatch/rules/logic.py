"""``all``, ``any`` and ``not`` over three values (Kleene's): unknown stays unknown until the known parts decide.

The evidence of ``all`` is that of its weakest part, of ``any`` that of its strongest part that holds (both by score;
the first of equals); ``not`` has none.
"""

from dataclasses import dataclass
from operator import attrgetter

from streamwatch.models.detection import Detection
from streamwatch.rules.condition import Condition, Evidence, Standing, Term, standing_of
from streamwatch.rules.node import Node
from streamwatch.rules.rest import Rest, rest_of, rest_of_all

__all__ = [
    "All",
    "AllCondition",
    "Any",
    "AnyCondition",
    "Not",
    "NotCondition",
    "parse_all",
    "parse_any",
    "parse_not",
]

_by_score = attrgetter("score")


@dataclass(frozen=True, slots=True)
class All:
    """Holds while every part holds."""

    parts: tuple[Term, ...]

    @property
    def zones(self) -> frozenset[str | None]:
        return frozenset[str | None]().union(*(part.zones for part in self.parts))

    def start(self) -> Condition:
        return AllCondition(tuple(part.start() for part in self.parts))


@dataclass(frozen=True, slots=True)
class Any:
    """Holds while at least one part holds."""

    parts: tuple[Term, ...]

    @property
    def zones(self) -> frozenset[str | None]:
        return frozenset[str | None]().union(*(part.zones for part in self.parts))

    def start(self) -> Condition:
        return AnyCondition(tuple(part.start() for part in self.parts))


@dataclass(frozen=True, slots=True)
class Not:
    """Holds while its part is known not to hold."""

    part: Term

    @property
    def zones(self) -> frozenset[str | None]:
        return self.part.zones

    def start(self) -> Condition:
        return NotCondition(self.part.start())


class AllCondition:
    """``all`` at work."""

    __slots__ = ("_holds", "_parts", "_values")

    def __init__(self, parts: tuple[Condition, ...]) -> None:
        self._parts = parts
        self._values: list[bool | None] = []  # of the parts
        self._holds: bool | None = None

    def observe(self, detection: Detection) -> bool | None:
        self._values = [part.observe(detection) for part in self._parts]  # each sees each detection: it has state
        self._holds = False if False in self._values else None if None in self._values else True
        return self._holds

    def evidence(self) -> Evidence | None:
        found = [evidence for part in self._parts if (evidence := part.evidence())] if self._holds else []
        return min(found, key=_by_score, default=None)

    def standing(self) -> Standing:
        """All hold since the last began to, or not since the first that does not."""
        since = [now.since for part in self._parts if (now := standing_of(part)).holds is self._holds and now.since]
        return Standing(self._holds, (max if self._holds else min)(since, default=None))

    def inside(self) -> tuple[Condition, ...]:
        return self._parts

    def rest(self) -> Rest:
        return rest_of_all(self._parts, self._values, decisive=False)

    def reset(self) -> None:
        self._holds = None
        self._values = []
        for part in self._parts:
            part.reset()


class AnyCondition:
    """``any`` at work."""

    __slots__ = ("_parts", "_values")

    def __init__(self, parts: tuple[Condition, ...]) -> None:
        self._parts = parts
        self._values: list[bool | None] = []

    def observe(self, detection: Detection) -> bool | None:
        self._values = [part.observe(detection) for part in self._parts]
        return True if True in self._values else None if None in self._values else False

    def evidence(self) -> Evidence | None:
        return max((evidence for part in self._parts if (evidence := part.evidence())), key=_by_score, default=None)

    def standing(self) -> Standing:
        """One holds since the first that does began to, none since the last ceased to."""
        now = [standing_of(part) for part in self._parts]
        values = {each.holds for each in now}
        holds = True if True in values else None if None in values else False
        since = [each.since for each in now if each.holds is holds and each.since]
        return Standing(holds, (min if holds else max)(since, default=None))

    def inside(self) -> tuple[Condition, ...]:
        return self._parts

    def rest(self) -> Rest:
        return rest_of_all(self._parts, self._values, decisive=True)

    def reset(self) -> None:
        self._values = []
        for part in self._parts:
            part.reset()


class NotCondition:
    """``not`` at work."""

    __slots__ = ("_part",)

    def __init__(self, part: Condition) -> None:
        self._part = part

    def observe(self, detection: Detection) -> bool | None:
        value = self._part.observe(detection)
        return None if value is None else not value

    def evidence(self) -> Evidence | None:
        return None

    def standing(self) -> Standing:
        now = standing_of(self._part)
        return Standing(None if now.holds is None else not now.holds, now.since)

    def inside(self) -> tuple[Condition, ...]:
        return (self._part,)

    def rest(self) -> Rest:
        return rest_of(self._part)

    def reset(self) -> None:
        self._part.reset()


def parse_all(node: Node) -> All:
    """The operator from its mapping. Raises RuleError."""
    node.only("all")
    return All(node.terms("all"))


def parse_any(node: Node) -> Any:
    """The operator from its mapping. Raises RuleError."""
    node.only("any")
    return Any(node.terms("any"))


def parse_not(node: Node) -> Not:
    """The operator from its mapping. Raises RuleError."""
    node.only("not")
    return Not(node.term("not"))
