"""What conditions learn over days (``anomaly``), so that it can be kept over a restart.

What cannot be read, or is of a rule whose text has changed, is forgotten: the condition warms up anew.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from streamwatch.rules.watch import Watch

__all__ = ["Learner", "Learnt", "Memory"]


@runtime_checkable
class Learner(Protocol):
    """A condition that learns."""

    def learnt(self) -> bytes:
        """All that it has learnt."""
        ...

    def recall(self, learnt: bytes) -> None:
        """Go on from what one of the same rule had learnt. Raises ValueError; nothing changes then."""
        ...


@dataclass(frozen=True, slots=True)
class Learnt:
    """What the learning conditions of a rule know of ``camera``, in the order of the rule's text.

    Conditions inside ``on_cameras`` are not among them.
    """

    rule: str
    rule_hash: str
    camera: str
    states: tuple[bytes, ...]


class Memory:
    """What was learnt in an earlier run, until the watch comes to which it belongs."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str, str], Learnt] = {}

    def remember(self, known: Iterable[Learnt]) -> None:
        """Keep ``known`` for watches to come."""
        self._waiting |= {(each.rule, each.rule_hash, each.camera): each for each in known}

    def keep(self, hashes: Mapping[str, str]) -> None:
        """Forget what is of other rules than these, by name, with these hashes."""
        self._waiting = {key: each for key, each in self._waiting.items() if hashes.get(each.rule) == each.rule_hash}

    def recall(self, watch: Watch) -> None:
        """Tell ``watch`` what is known of its rule and camera, once."""
        rule = watch.rule
        known = self._waiting.pop((rule.name, rule.rule_hash, watch.camera), None)
        learners = tuple(_learners(watch))
        if known is None or len(known.states) != len(learners):
            return
        for learner, state in zip(learners, known.states, strict=True):
            with suppress(ValueError):
                learner.recall(state)

    def of(self, watches: Iterable[Watch]) -> Iterator[Learnt]:
        """What ``watches`` know, and what still waits."""
        yield from self._waiting.values()
        for watch in watches:
            states = tuple(learner.learnt() for learner in _learners(watch))
            if states and watch.camera:
                yield Learnt(watch.rule.name, watch.rule.rule_hash, watch.camera, states)


def _learners(watch: Watch) -> Iterator[Learner]:
    return (part for part in watch.resting.parts if isinstance(part, Learner))
