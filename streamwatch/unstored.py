"""Alerts that wait in memory, in order, while the store cannot be written."""

from collections import OrderedDict
from collections.abc import Iterator

from streamwatch.rules.alert import Alert, AlertType

__all__ = ["Unstored"]


class Unstored:
    """Some ``limit`` alerts. Beyond that updates are given up, then incidents that began and ended unstored: never an
    ``end`` of what the store has, nor the ``new`` of what is open. So there may be more than ``limit``, by as many as
    there are incidents open at once. Not thread-safe.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._count = 0
        self._alerts: OrderedDict[int, Alert] = OrderedDict()  # by number, in order, as all of these
        self._updates: OrderedDict[int, None] = OrderedDict()
        self._begun: dict[str, int] = {}  # incident → the number of its new
        self._over: dict[str, tuple[int, int]] = {}  # incident → the numbers of its new and its end

    def append(self, alert: Alert) -> tuple[Alert, ...]:
        """Have ``alert`` wait; what is given up for it."""
        gone = self._make_room() if len(self._alerts) >= self._limit else ()
        self._count += 1
        self._alerts[self._count] = alert
        if alert.type is AlertType.NEW:
            self._begun[alert.id] = self._count
        elif alert.type is AlertType.UPDATE:
            self._updates[self._count] = None
        elif alert.id in self._begun:
            self._over[alert.id] = self._begun.pop(alert.id), self._count
        return gone

    def first(self) -> Alert:
        """The longest waiting. Raises StopIteration if none waits."""
        return next(iter(self))

    def stored(self) -> None:
        """The longest waiting waits no more."""
        number = next(iter(self._alerts))
        alert = self._alerts.pop(number)
        self._updates.pop(number, None)
        self._begun.pop(alert.id, None)
        self._over.pop(alert.id, None)  # its end is that of an incident which the store has

    def _make_room(self) -> tuple[Alert, ...]:
        if self._updates:
            return (self._give_up(next(iter(self._updates))),)
        if self._over:
            return tuple(map(self._give_up, self._over.pop(next(iter(self._over)))))
        return ()

    def _give_up(self, number: int) -> Alert:
        self._updates.pop(number, None)
        return self._alerts.pop(number)

    def __iter__(self) -> Iterator[Alert]:
        return iter(self._alerts.values())

    def __len__(self) -> int:
        return len(self._alerts)
