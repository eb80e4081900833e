"""What a condition is: three-valued, fed with detections, able to name the score that decided.

A *term* is a parsed condition of a rule: frozen, shared by all cameras. ``start`` gives a *condition*: the same with
the small state it needs on one camera. An operator is a file with a term, a condition and a ``parse_…`` function, and
a line in ``operators.OPERATORS``.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from streamwatch.models.detection import Detection

__all__ = ["EPSILON", "MAX_TIMES", "SILENCE", "Condition", "Evidence", "Reasoned", "Standing", "Term", "standing_of"]

SILENCE = 10.0
"""Seconds without a detection after which nothing is believed about a camera (or zone) any more."""

EPSILON = 1e-3
"""Seconds by which lengths of time may fall short: event times near 2e9 carry 2.4e-7 s, stream clocks less."""


MAX_TIMES = 16
"""Times that a condition names at most; the last ones."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """The event that decided: its score, the ``on`` it was held against, its zone (None: the whole picture).

    ``cameras``: those that took part, the last one last, where a condition joins several; then it may be that no
    event decided, and ``event`` and ``threshold`` are None.
    """

    event: str | None
    zone: str | None
    score: float
    threshold: float | None
    cameras: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether a condition holds now (None: unknown), since when (UTC s), the number held against ``threshold``, and
    the ``times`` that count for it.
    """

    holds: bool | None
    since: float | None = None
    score: float | None = None
    threshold: float | None = None
    times: tuple[float, ...] = ()


class Condition(Protocol):
    """A term at work on one camera."""

    def observe(self, detection: Detection) -> bool | None:
        """Whether it holds now; None while unknown. Detections come in order of time within each zone."""
        ...

    def evidence(self) -> Evidence | None:
        """What made it hold at the last ``observe``; None if it does not hold, or by absence alone (``not``)."""
        ...

    def reset(self) -> None:
        """What holds is unknown again. What has happened (a step of a sequence, a thing counted) stays so."""
        ...


@runtime_checkable
class Reasoned(Protocol):
    """A condition that can say why it is as it is."""

    def standing(self) -> Standing:
        """How it is since the last ``observe``."""
        ...

    def inside(self) -> tuple[Condition, ...]:
        """The conditions right inside, in the order of the text."""
        ...


class Term(Protocol):
    """A parsed condition."""

    @property
    def zones(self) -> frozenset[str | None]:
        """The zones whose detections it needs; None is the whole picture."""
        ...

    def start(self) -> Condition:
        """A condition with fresh state."""
        ...


def standing_of(condition: Condition) -> Standing:
    """How ``condition`` is; nothing is known of one that cannot say."""
    standing = getattr(condition, "standing", None)  # quicker than to ask whether it is Reasoned
    found: Standing = Standing(None) if standing is None else standing()
    return found
