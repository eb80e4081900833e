"""Why an alert was decided: each condition of its rule as it was then. Computed only when there is an alert."""

from dataclasses import dataclass

from streamwatch.rules.condition import Condition, Term, standing_of
from streamwatch.rules.part import Part
from streamwatch.rules.tree import children, describe

__all__ = ["MAX_PARTS", "MAX_TEXT", "Reasons"]

MAX_PARTS = 32
"""Conditions told of; those that come later in the rule's text are left out."""
MAX_TEXT = 160
"""Characters of a path or text; a longer one ends with …"""


class Reasons:
    """What ``condition``, which is ``term`` at work, knows."""

    __slots__ = ("_condition", "_outline", "_term")

    def __init__(self, term: Term, condition: Condition) -> None:
        self._term = term
        self._condition = condition
        self._outline: _Outline | None = None  # not before there is an alert

    def now(self) -> Part:
        """That at this time."""
        if self._outline is None:
            self._outline = _Drawing().of(self._term, "when")
        return _why(self._outline, self._condition)


@dataclass(frozen=True, slots=True)
class _Outline:
    """What does not change of a Part: its place, its words, those inside."""

    path: str
    text: str
    inside: tuple["_Outline", ...]


def _why(outline: _Outline, condition: Condition) -> Part:
    now = standing_of(condition)
    inside: tuple[Condition, ...] = getattr(condition, "inside", tuple)()
    parts = tuple([_why(inner, part) for inner, part in zip(outline.inside, inside, strict=False)])
    return Part(outline.path, outline.text, now.holds, now.since, now.score, now.threshold, now.times, parts)


class _Drawing:
    """Counts the parts told of."""

    def __init__(self) -> None:
        self._left = MAX_PARTS

    def of(self, term: Term, path: str) -> _Outline:
        self._left -= 1
        inside = tuple(self.of(inner, f"{path}.{place}") for place, inner in children(term) if self._left > 0)
        return _Outline(_short(path), _short(describe(term)), inside)


def _short(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
