"""Snoozes in force: which rules nobody wants to hear of for a while, and on which cameras. At most MAX_SNOOZES."""

from collections.abc import Iterable
from math import inf

from streamwatch.document import nearest
from streamwatch.errors import OrderError
from streamwatch.rules.condition import SILENCE
from streamwatch.rules.order import MAX_SNOOZE, Snooze, Snoozed
from streamwatch.rules.rule import Rule

__all__ = ["MAX_SNOOZES", "Snoozes"]

MAX_SNOOZES = 256

Place = tuple[str | None, str | None]


class Snoozes:
    """``listing`` are those in force, as they were given; a new tuple whenever one comes or goes."""

    def __init__(self) -> None:
        self._held: dict[Place, Snoozed] = {}
        self.listing: tuple[Snoozed, ...] = ()

    def order(self, snooze: Snooze, at: float) -> None:
        """Carry out what was ordered at ``at`` (UTC s). Raises OrderError; nothing changes then."""
        place = snooze.rule, snooze.camera
        until = snooze.until if snooze.until is not None else at + (snooze.span or 0.0)
        if until <= at:
            if place not in self._held:
                raise OrderError("nothing to end: no such snooze is in force")
            del self._held[place]
        elif not until - at <= MAX_SNOOZE:  # also if not a number
            raise OrderError(f"a snooze may last {MAX_SNOOZE / 86400:g} days at most")
        elif place not in self._held and len(self._held) >= MAX_SNOOZES:
            raise OrderError(f"{MAX_SNOOZES} snoozes are in force; end one first")
        else:
            self._held[place] = Snoozed(*place, at, until, snooze.by, snooze.note)
        self.listing = tuple(self._held.values())

    def until(self, rule: str, camera: str) -> float:
        """When ``rule`` on ``camera`` may be heard again; -inf if it is not snoozed."""
        places: tuple[Place, ...] = ((rule, camera), (rule, None), (None, camera))
        return max((held.until for place in places if (held := self._held.get(place))), default=-inf)

    def check(self, snooze: Snooze, rules: Iterable[Rule]) -> None:
        """Raises OrderError if ``snooze`` is about none of ``rules``, or about one camera of a rule that joins several.

        Of a rule that is gone, what is snoozed may still be ended.
        """
        named = {rule.name: rule for rule in rules}
        name = snooze.rule
        if name is None or (name, snooze.camera) in self._held:
            return
        if name not in named and all(held.rule != name for held in self.listing):
            raise OrderError(f"no rule is named {name!r}{nearest(name, named)}")
        if snooze.camera is not None and name in named and named[name].scope == "site":
            raise OrderError(f"{name!r} joins cameras: it can be snoozed on all of them only, leave camera out")

    def expire(self, at: float) -> bool:
        """It is ``at``: drop what is over. Whether some end early, because the clock was set back."""
        over = [place for place, held in self._held.items() if held.until <= at]
        lost = [place for place, held in self._held.items() if held.since - at > SILENCE]
        for place in (*over, *lost):
            del self._held[place]
        if over or lost:
            self.listing = tuple(self._held.values())
        return bool(lost)
