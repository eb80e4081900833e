"""The host's side of the conversation: tell the site what there is, do what it says, go on without it."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeVar

from streamwatch.cluster.host import Host
from streamwatch.cluster.ration import Ration
from streamwatch.cluster.report import Picture, Reply, Report, Row, Standing
from streamwatch.errors import SinkError
from streamwatch.sinks.outbox import Entry

__all__ = ["PERIOD", "Link"]

log = logging.getLogger(__name__)

T = TypeVar("T")

PERIOD = 0.5  # seconds between reports; an alert does not wait for that
GLANCE = 0.1  # seconds until one that waits for an alert sees that it is to stop
RETRY = 1.0  # seconds between attempts while the site is away
MEASURE = 5.0  # seconds
ALERTS = 200  # in one report
ROWS = 5000
FAREWELL = 5.0  # seconds to hand on what the spool holds at the end


class Link:
    """Reports for ``host`` by ``call``, which raises SinkError while the site is away. ``run`` is a worker's body.

    What was not taken is told again. Without an answer for ``host.config.cluster.hold`` seconds all cameras are let go:
    somebody else reads them by now.
    """

    def __init__(self, host: Host, call: Callable[[Report], Reply]) -> None:
        self.heard: float | None = None  # monotonic s of the last answer
        self._host = host
        self._call = call
        self._boot, self._turns = time.time_ns(), 0
        self._done = 0  # the last order's number
        self._ration = Ration()
        self._measured = 0.0
        self._told: dict[str, str] = {}  # states that the site knows
        self._draining = False
        self._away = False
        self._patient = False  # the site is there and cannot keep alerts, or the spool does not work
        self._fault = ""  # of the spool, as it was said last
        self._stop = threading.Event()

    def run(self, stop: threading.Event) -> None:
        """Until ``stop``."""
        self._stop = stop
        began = self.heard = time.monotonic()
        last = began - PERIOD
        while not stop.is_set():
            wait = max(0.0, last + (RETRY if self._away else PERIOD) - time.monotonic())
            waiting = self._wait(stop, wait)
            last = time.monotonic()
            self._turn(waiting, last)

    def farewell(self) -> None:
        """Hand on what the spool still holds, and leave. For after ``run``, and after the host's rules have ended: what
        the site wants of it is not done any more.
        """
        self._stop.set()
        deadline = time.monotonic() + FAREWELL
        while waiting := self._pending(0.0):
            if time.monotonic() > deadline or not self._turn(waiting, time.monotonic()):
                log.warning("%d alerts stay in the spool until this host is back", len(self._host.spool))
                break
        self._turn((), time.monotonic(), leaving=True)

    def _wait(self, stop: threading.Event, seconds: float) -> Sequence[Entry]:
        """What waits in the spool: at once if there is any, and the site is there."""
        if self._away or self._patient:
            stop.wait(seconds)
            return self._pending(0.0)
        due = time.monotonic() + seconds
        while not (found := self._pending(max(0.0, min(GLANCE, due - time.monotonic())))):
            if stop.is_set() or self._patient or time.monotonic() >= due:
                break
        return found

    def _pending(self, seconds: float) -> Sequence[Entry]:
        try:
            found = self._host.spool.pending(0, ALERTS, seconds)
        except SinkError as error:
            self._spool_fails(error)
            return ()
        self._patient = False
        return found

    def _turn(self, waiting: Sequence[Entry], now: float, leaving: bool = False) -> bool:
        """One report; whether all of it was taken."""
        host = self._host
        rows: list[Row] = _taken(host.rows, ROWS)
        pictures: list[Picture] = _taken(host.pictures, 4)
        answers = _taken(host.answers, 100)
        states = {name: state for name, state in host.states.copy().items() if self._told.get(name) != state}
        standing, behind = self._standing(now, leaving), len(host.spool) > len(waiting)
        try:
            going = host.spool.going()
        except SinkError as error:
            self._spool_fails(error)
            going, behind = {}, True
        report = Report(
            standing, host.rules_hash, waiting, rows, states, pictures, answers, going, behind, self._done, host.snoozes
        )  # fmt: skip
        try:
            reply = self._call(report)
        except SinkError as error:
            self._missed(error, now)
            host.metrics.cluster_rows_dropped.inc(_put_back(host.rows, rows))
            _put_back(host.pictures, pictures)
            _put_back(host.answers, answers)
            return False
        if self._away:
            log.info("the site answers again")
        self._away, self.heard = False, time.monotonic()
        self._told |= states
        self._patient = self._patient or reply.kept < len(waiting)
        self._acknowledge(waiting[: reply.kept])
        if not self._stop.is_set():
            self._obey(reply)
        return not self._patient

    def _acknowledge(self, kept: Sequence[Entry]) -> None:
        """Take ``kept`` off the spool; where its disk refuses that, they are told again, and the site knows them."""
        try:
            if kept:
                self._host.spool.acknowledge(*(entry.sequence for entry in kept))
        except SinkError as error:
            self._spool_fails(error)

    def _spool_fails(self, error: SinkError) -> None:
        """Said once a trouble; the spool is asked at leisure until it works."""
        if str(error) != self._fault:
            log.error("the spool cannot be used: %s", error)
        self._fault, self._patient = str(error), True

    def _standing(self, now: float, leaving: bool) -> Standing:
        host, ration = self._host, self._ration
        self._turns += 1
        costs = {}
        if now - self._measured >= MEASURE:
            self._measured = now
            counted = (sample for family in host.metrics.clips.collect() for sample in family.samples)
            clips = {sample.labels["camera"]: sample.value for sample in counted if sample.name.endswith("_total")}
            costs = dict(ration.measure(now, host.cameras.spent(), clips))
        address, port = host.http.address
        return Standing(
            host.name, self._boot, time.time(), host.leases(), costs, ration.load, host.capacity, f"{address}:{port}",
            self._draining, leaving, self._turns,
        )  # fmt: skip

    def _missed(self, error: SinkError, now: float) -> None:
        host = self._host
        if not self._away:
            log.warning("the site does not answer; this host goes on without: %s", error)
        self._away = True
        self._told.clear()  # a new one knows nothing
        if self.heard is not None and now - self.heard > host.config.cluster.hold:
            if host.held:
                log.error("no site for %.0f s: %d cameras are let go", now - self.heard, len(host.held))
            host.take({}, frozenset())

    def _obey(self, reply: Reply) -> None:
        host = self._host
        self._draining = reply.draining
        host.take(reply.cameras, reply.disabled)
        self._told = {name: state for name, state in self._told.items() if name in host.states}
        if reply.rules is not None:
            try:
                host.follow(reply.rules)
            except TimeoutError as error:
                log.error("the rules are not reloaded yet: %s", error)
        for number, order in reply.orders:
            if number > self._done:
                self._done = number
                host.obey((number, order))


def _taken(waiting: deque[T], most: int) -> list[T]:
    """The oldest, ``most`` at most, off ``waiting``."""
    return [waiting.popleft() for _ in range(min(most, len(waiting)))]


def _put_back(waiting: deque[T], taken: Sequence[T]) -> int:
    """Have ``taken`` wait again, before what has come since; how many there is no more room for, the oldest."""
    lost = max(0, len(taken) + len(waiting) - (waiting.maxlen or 0))
    waiting.extendleft(reversed(taken[lost:]))
    return lost
