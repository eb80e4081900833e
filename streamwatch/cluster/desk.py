"""What waits at the site for the next report of a host: acknowledgements that are its own, and whatever makes its
snoozes those of the site.
"""

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice

from streamwatch.cluster.acknowledgements import MOST
from streamwatch.cluster.report import Numbered
from streamwatch.rules.order import Acknowledge, Order, Snooze, Snoozed

__all__ = ["SNOOZES", "Desk"]

SNOOZES = 128  # orders about them that wait for one host; the others wait until it has these
OVER = 0.0  # UTC s; to snooze until then is to end it


class Desk:
    """Orders by host, numbered; they wait until the host has them. Any thread.

    ``in_force`` are the site's snoozes. A host that has others is ordered to have these, whether it was away when they
    came or went, or the site has begun again and knows of none.
    """

    def __init__(self) -> None:
        self.in_force: Sequence[Snoozed] = ()
        self._orders: dict[str, deque[Numbered]] = {}
        self._last = 0
        self._lock = threading.Lock()

    def ask(self, host: str, order: Acknowledge, at: float) -> int:
        """Have ``host`` carry out ``order``, given at ``at`` (UTC s); its number."""
        with self._lock:
            return self._put(host, order, at)

    def take(self, host: str, done: int, held: Sequence[Snoozed] | None, at: float) -> tuple[Numbered, ...]:
        """What ``host``, which has all up to number ``done``, is to carry out. Snoozed there is what is ``held``; None:
        it has other rules than the site, and may not know what a snooze is about.
        """
        with self._lock:
            waiting = [numbered for numbered in self._orders.pop(host, ()) if numbered[0] > done]
            if waiting:
                self._orders[host] = deque(waiting, maxlen=MOST + SNOOZES)
            if held is not None and not any(isinstance(order, Snooze) for _, order in waiting):
                for order in islice(_changes(held, self.in_force, at), SNOOZES):
                    self._put(host, order, at)
            return tuple(self._orders.get(host, ()))

    def forget(self, host: str) -> None:
        """It is gone: what is open there has ended."""
        with self._lock:
            self._orders.pop(host, None)

    def _put(self, host: str, order: Order, at: float) -> int:
        self._last = max(self._last + 1, int(at * 1000))  # rises from one site to the next, too
        self._orders.setdefault(host, deque(maxlen=MOST + SNOOZES)).append((self._last, order))
        return self._last


def _changes(held: Sequence[Snoozed], wanted: Sequence[Snoozed], at: float) -> Iterator[Snooze]:
    """What makes ``wanted`` of ``held``, but for what is over by then anyway."""
    there = {(one.rule, one.camera): one.until for one in held if one.until > at}
    here = {(one.rule, one.camera): one for one in wanted if one.until > at}
    for rule, camera in there.keys() - here.keys():
        yield Snooze(rule, camera, until=OVER)
    for place, one in here.items():
        if there.get(place) != one.until:
            yield Snooze(one.rule, one.camera, until=one.until, by=one.by, note=one.note)
