"""What waits at the site for the next report of a host."""

import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import replace

from streamwatch.cluster.report import Numbered
from streamwatch.rules.order import Acknowledge, Order, Snooze

__all__ = ["Desk"]

ORDERS = 256  # that wait for one host; the oldest are given up


class Desk:
    """Orders by host, numbered; they wait until the host has them. One that comes, or begins again, is given the
    snoozes that last, too. Any thread.
    """

    def __init__(self) -> None:
        self._orders: dict[str, deque[Numbered]] = {}
        self._snoozes: dict[tuple[str | None, str | None], Snooze] = {}  # by rule and camera
        self._boots: dict[str, int] = {}
        self._last = 0
        self._lock = threading.Lock()

    def give(self, order: Order, hosts: Iterable[str], at: float) -> None:
        """Have ``hosts`` carry out ``order``, given at ``at`` (UTC s)."""
        with self._lock:
            if not isinstance(order, Acknowledge):
                until = order.until if order.until is not None else at + (order.span or 0.0)
                order = self._snoozes[order.rule, order.camera] = replace(order, until=until, span=None)
            for host in hosts:
                self._put(host, order, at)

    def take(self, host: str, boot: int, done: int, at: float) -> tuple[Numbered, ...]:
        """What this life of ``host`` has not carried out; it has all up to number ``done``."""
        with self._lock:
            self._snoozes = {key: held for key, held in self._snoozes.items() if (held.until or 0.0) > at}
            waiting = [numbered for numbered in self._orders.pop(host, ()) if numbered[0] > done]
            if self._boots.get(host) != boot:
                self._boots[host] = boot
                told = [order for _, order in waiting]
                for order in dict.fromkeys((*self._snoozes.values(), *told)):
                    self._put(host, order, at)
            elif waiting:
                self._orders[host] = deque(waiting, maxlen=ORDERS)
            return tuple(self._orders.get(host, ()))

    def forget(self, host: str) -> None:
        """It is gone: what is open there has ended."""
        with self._lock:
            self._orders.pop(host, None)
            self._boots.pop(host, None)

    def _put(self, host: str, order: Order, at: float) -> None:
        self._last = max(self._last + 1, int(at * 1000))  # rises from one site to the next, too
        self._orders.setdefault(host, deque(maxlen=ORDERS)).append((self._last, order))
