"""When a rule need not be evaluated: while all its scores are low and nothing of it is open.

A condition of ``event``, ``k_of_n``, ``all``, ``any`` and ``not`` over one zone, whose events have all been below
``off`` for as many detections as it remembers, is the same as ever after, until a score reaches its ``on``. If it
does not hold then, the rule may sleep. Conditions in which time plays a part are always evaluated.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from streamwatch.rules.condition import Term
from streamwatch.rules.event import Event
from streamwatch.rules.k_of_n import KOfN
from streamwatch.rules.logic import All, Any, Not

__all__ = ["Calm", "calm_of", "may_sleep"]


@dataclass(frozen=True, slots=True)
class Calm:
    """What a condition is while every score is low: whether it ``holds``; how many detections it remembers; below
    which scores it falls asleep (``off``) and from which on it must be woken (``on``), by event.
    """

    holds: bool
    memory: int
    off: Mapping[str, float]
    on: Mapping[str, float]


def may_sleep(term: Term) -> Calm | None:
    """How calm ``term`` can be, or None if it must always be evaluated."""
    calm = calm_of(term)
    return calm if calm is not None and not calm.holds and len(term.zones) == 1 else None


def calm_of(term: Term) -> Calm | None:
    """What ``term`` is while every score is low; None if that changes with time."""
    if isinstance(term, Event):
        return Calm(False, 1, {term.name: term.off}, {term.name: term.on})
    if isinstance(term, Not):
        part = calm_of(term.part)
        return part and Calm(not part.holds, part.memory, part.off, part.on)
    if isinstance(term, KOfN):
        part = calm_of(term.part)
        return part and Calm(part.holds, part.memory + term.of, part.off, part.on)
    if isinstance(term, All | Any):
        parts = [calm_of(part) for part in term.parts]
        known = [part for part in parts if part is not None]
        if len(known) < len(parts):
            return None
        holds = (all if isinstance(term, All) else any)(part.holds for part in known)
        return Calm(holds, max(p.memory for p in known), _least([p.off for p in known]), _least([p.on for p in known]))
    return None


def _least(thresholds: list[Mapping[str, float]]) -> Mapping[str, float]:
    least: dict[str, float] = {}
    for each in thresholds:
        for event, value in each.items():
            least[event] = min(value, least.get(event, value))
    return least
