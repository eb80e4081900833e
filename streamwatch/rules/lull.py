"""Stretches of a log in which nothing can happen: a replay passes over them whole.

While all rules on a camera sleep (``line.py``) the book can say beforehand which detections would wake none. Whoever
reads a log a column at a time asks for it (``RuleBook.calm``), finds the end of the stretch, and tells the book of all
its rows at once (``RuleBook.pass_over``). The alerts are those of a replay row by row: it is sleep, seen from afar.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from streamwatch.models.detection import CameraState, Detection, Gap, ModelInfo
from streamwatch.rules.rest import Band

__all__ = ["Calm", "Lull", "Passed", "begin_of"]

Zones = tuple[tuple[str | None, tuple[Band, ...]], ...]


@dataclass(frozen=True, slots=True)
class Calm:
    """Detections of a camera from ``after`` to ``until`` (UTC s, exclusive) wake no rule if they are of one of
    ``zones``, in order of time within it, no more than SILENCE apart, and all levels lie in the zone's bands.
    """

    after: float
    until: float
    zones: Zones


@dataclass(frozen=True, slots=True)
class Passed:
    """What a lull holds of one ``zone``: the times (UTC s) of its detections, at least one, and their motions."""

    zone: str | None
    times: Sequence[float]
    motions: Sequence[float]

    @property
    def first(self) -> float:
        return self.times[0]

    @property
    def last(self) -> float:
        return self.times[-1]

    @property
    def count(self) -> int:
        return len(self.times)


@dataclass(frozen=True, slots=True)
class Lull:
    """Detections of ``camera`` from ``first`` to ``last`` (UTC s), all by ``model``, that wake no rule."""

    camera: str
    first: float
    last: float
    model: ModelInfo
    zones: tuple[Passed, ...]


def begin_of(entry: Detection | Gap | CameraState | Lull) -> float:
    """When (UTC s) it counts, or begins to."""
    if isinstance(entry, Detection):
        return entry.end
    return entry.first if isinstance(entry, Lull) else entry.at
