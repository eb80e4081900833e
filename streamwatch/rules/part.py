"""Conditions of a rule as they are at one time: what ``rules explain`` prints and the ``why`` of an alert."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Part", "part_of"]


@dataclass(frozen=True, slots=True)
class Part:
    """A condition at one time: whether it held (None: unknown), since when, and the number it was held against.

    ``path`` is its place below ``when``, ``text`` its operator and values. ``score`` is the latest of its event in its
    zone, the motion, or how many it counted; None where it looks at none of these, or saw none. ``times`` (UTC s) are
    when the steps of a sequence matched, or when what was counted began.
    """

    path: str
    text: str
    holds: bool | None
    since: float | None = None
    score: float | None = None
    threshold: float | None = None
    times: tuple[float, ...] = ()
    parts: tuple["Part", ...] = ()

    @property
    def operator(self) -> str:
        """Its word in rule files."""
        return self.text.partition(" ")[0]

    def to_payload(self) -> dict[str, object]:
        """As JSON has it: what there is nothing to say of is left out, but not that it is unknown."""
        found: dict[str, object] = {"path": self.path, "text": self.text, "holds": self.holds}
        numbers = {"since": self.since, "score": self.score, "threshold": self.threshold}
        found |= {name: round(value, 6) for name, value in numbers.items() if value is not None}
        if self.times:
            found["times"] = list(self.times)
        if self.parts:
            found["parts"] = [part.to_payload() for part in self.parts]
        return found


def part_of(found: Mapping[str, Any]) -> Part:
    """The part whose fields ``found`` holds. Raises TypeError, AttributeError if it holds others."""
    values = dict(found)
    values["times"] = tuple(values.get("times", ()))
    values["parts"] = tuple(part_of(inner) for inner in values.get("parts", ()))
    return Part(**values)
