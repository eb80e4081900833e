"""Why an alert was decided: each condition of its rule as it was then. Computed only when there is an alert."""

from streamwatch.rules.condition import Condition, Term, standing_of
from streamwatch.rules.part import Part
from streamwatch.rules.tree import children, describe

__all__ = ["MAX_PARTS", "MAX_TEXT", "why"]

MAX_PARTS = 32
"""Conditions told of; those that come later in the rule's text are left out."""
MAX_TEXT = 160
"""Characters of a path or text; a longer one ends with …"""


def why(term: Term, condition: Condition) -> Part:
    """What ``condition``, which is ``term`` at work, knows now."""
    return _Account().of(term, condition, "when")


class _Account:
    """Counts the parts told of."""

    def __init__(self) -> None:
        self._left = MAX_PARTS

    def of(self, term: Term, condition: Condition, path: str) -> Part:
        self._left -= 1
        now = standing_of(condition)
        inside: tuple[Condition, ...] = getattr(condition, "inside", tuple)()
        parts = tuple(
            self.of(inner, part, f"{path}.{place}")
            for (place, inner), part in zip(children(term), inside, strict=False)
            if self._left > 0
        )
        return Part(
            _short(path), _short(describe(term)), now.holds, now.since, now.score, now.threshold, now.times, parts
        )


def _short(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
