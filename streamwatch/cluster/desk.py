"""What waits at the site for the next report of a host."""

from collections import deque
from collections.abc import Iterable
from dataclasses import replace

from streamwatch.rules.order import Acknowledge, Order, Snooze

__all__ = ["Desk"]

ORDERS = 256  # that wait for one host; the oldest are given up


class Desk:
    """Orders by host. A host that comes, or begins again, is given the snoozes that last, too."""

    def __init__(self) -> None:
        self._orders: dict[str, deque[Order]] = {}
        self._snoozes: dict[tuple[str | None, str | None], Snooze] = {}  # by rule and camera
        self._boots: dict[str, int] = {}

    def give(self, order: Order, hosts: Iterable[str], at: float) -> None:
        """Have ``hosts`` carry out ``order``, given at ``at`` (UTC s)."""
        if not isinstance(order, Acknowledge):
            until = order.until if order.until is not None else at + (order.span or 0.0)
            order = self._snoozes[order.rule, order.camera] = replace(order, until=until, span=None)
        for host in hosts:
            self._orders.setdefault(host, deque(maxlen=ORDERS)).append(order)

    def take(self, host: str, boot: int, at: float) -> tuple[Order, ...]:
        """What this life of ``host`` has not been told."""
        waiting = tuple(self._orders.pop(host, ()))
        self._snoozes = {key: held for key, held in self._snoozes.items() if (held.until or 0.0) > at}
        if self._boots.get(host) == boot:
            return waiting
        self._boots[host] = boot
        return tuple(dict.fromkeys((*self._snoozes.values(), *waiting)))
