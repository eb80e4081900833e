"""The rules thread's work: detections and time into the rule book, its alerts into the outbox."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from streamwatch.errors import OrderError, SinkError
from streamwatch.learnt import LearntFile
from streamwatch.metrics import Metrics
from streamwatch.models.detection import CameraState, Detection, Gap
from streamwatch.rules.alert import Alert
from streamwatch.rules.book import RuleBook
from streamwatch.rules.order import Acknowledge, Order, Snoozed
from streamwatch.rules.restart import ends
from streamwatch.rules.rule import Rule, hash_of
from streamwatch.sinks.in_force import InForce
from streamwatch.sinks.scores import ScoreLog
from streamwatch.sinks.states import OpenIncidents
from streamwatch.unstored import Unstored

__all__ = ["Evaluation"]

log = logging.getLogger(__name__)

QUEUE = 64  # detections: a few seconds of a full machine; then inference waits, and so the mailbox drops
ORDERS = 64
BACKLOG = 10_000  # alerts kept in memory while the store cannot be written
TICK = 1.0  # seconds
RETRY = 1.0  # seconds between attempts to store while that fails; or three times what an attempt takes
SLICE = 0.5  # seconds that storing may take of the rules' time at once; then the rules have as much
FAREWELL = 2.0  # seconds that a store that fails gets at the end
NAMED = 50  # of the alerts that are lost then are named in the log


@dataclass(frozen=True, slots=True)
class _Replacement:
    """``rules`` to put in force; ``applied`` will hold when that was (UTC s)."""

    rules: Sequence[Rule]
    applied: "Future[float]"


@dataclass(frozen=True, slots=True)
class _Given:
    """An order, and what will hold the alerts that it causes, or the OrderError."""

    order: Order
    done: "Future[tuple[Alert, ...]]"


class _Wake:
    """Put into the queue to be looked for other things."""


class Evaluation:
    """Owns the rule book. ``put`` blocks while the queue is full; ``run`` is the rules thread's body.

    ``deliver`` keeps an alert for good; while it raises SinkError, alerts wait in memory, in order. ``now`` gives
    UTC seconds by the cameras' clock. ``scores`` keeps what was evaluated, after its alerts are on their way, and
    ``learnt`` what rules learn from it. ``on_snoozes`` hears on the rules thread which snoozes are in force, first
    that there are none.
    """

    def __init__(
        self,
        book: RuleBook,
        deliver: Callable[[Alert], object],
        metrics: Metrics,
        now: Callable[[], float] = time.time,
        scores: ScoreLog | None = None,
        learnt: LearntFile | None = None,
    ) -> None:
        self._now = now
        self._book = book
        self._deliver = deliver
        self._metrics = metrics
        self._scores = scores
        self._learnt = learnt
        self._queue: queue.Queue[Detection | Gap | CameraState | _Replacement | _Wake] = queue.Queue(maxsize=QUEUE)
        self._orders: queue.Queue[_Given] = queue.Queue(maxsize=ORDERS)
        self.on_snoozes: Callable[[Sequence[Snoozed]], None] = lambda snoozes: None
        self._snoozes: Sequence[Snoozed] | None = None  # those told of
        self._open = OpenIncidents()
        self._left: tuple[Alert, ...] = ()
        self._backlog = Unstored(BACKLOG)
        self._done = threading.Event()
        self._errors: dict[str, int] = {}
        self._complained: set[str] = set()  # rules whose fault was logged
        self._ticked = time.monotonic()
        self._spent = 0.0  # CPU seconds of the thread that have been counted
        self.beat = time.monotonic()
        self.storing = True
        self._retry = 0.0  # nothing is stored before (monotonic s)

    def put(self, item: Detection | Gap | CameraState) -> None:
        """Hand on ``item``; waits for room as long as the rules thread lives."""
        while not self._done.is_set():
            try:
                self._queue.put(item, timeout=0.5)
            except queue.Full:
                continue
            return

    def replace(self, rules: Sequence[Rule], limit: float) -> float:
        """Have ``rules`` in force after what is queued now; when that was (UTC s).

        Waits up to ``limit`` seconds for room and as long for the rules thread, then takes them back and raises
        TimeoutError.
        """
        applied: Future[float] = Future()
        try:
            if self._done.is_set():
                raise TimeoutError
            self._queue.put(_Replacement(rules, applied), timeout=limit)
            return applied.result(limit)
        except (queue.Full, TimeoutError):
            if applied.cancel():
                raise TimeoutError("the rules thread does not answer") from None
            return applied.result(limit)  # it began that very moment

    def order(self, order: Order) -> "Future[tuple[Alert, ...]]":
        """Have ``order`` carried out before the next detection; the alerts that it causes. Never blocks.

        Raises OrderError if too many wait; the future does if it cannot be carried out.
        """
        given = _Given(order, Future())
        try:
            if self._done.is_set():
                raise queue.Full
            self._orders.put_nowait(given)
            self._queue.put_nowait(_Wake())
        except queue.Full:
            if self._done.is_set() or self._orders.full():
                raise OrderError("the rules thread is busy or has stopped; try again") from None
        return given.done

    def end(self, left: Iterable[Alert]) -> None:
        """End what an earlier run left open, before anything else: ``left`` are the last alerts. Before ``run``."""
        self._left = ends(left, self._now())

    def run(self, stop: threading.Event) -> None:
        """Evaluate until ``stop`` is set and the queue is drained; then end what still fires."""
        try:
            if self._left:
                log.warning("an earlier run ended without ending %d incidents; they end now", len(self._left))
            self._keep(self._left)
            self._note_rules(self._now())
            self._spent = time.thread_time()
            while not (stop.is_set() and self._queue.empty()):
                self.beat = time.monotonic()
                self._turn(0.01 if stop.is_set() else SLICE if self._backlog else TICK)
            self._keep(self._book.close(self._now(), "shutdown"))
            self._insist()
            if self._learnt is not None:
                self._learnt.write(self._book)
        finally:
            self._done.set()
            while not self._orders.empty():
                self._orders.get_nowait().done.cancel()
            if self._backlog:
                log.error("%d alerts could not be stored before the end and are lost", len(self._backlog))
                for alert in list(self._backlog)[:NAMED]:
                    log.error("lost: %s of incident %s: %s", alert.type.value, alert.id, alert.summary)
                self._metrics.alerts_dropped.labels("shutdown").inc(len(self._backlog))
            if self._scores is not None:
                self._scores.close()

    def _turn(self, timeout: float) -> None:
        if time.monotonic() - self._ticked >= TICK:  # also while others are busy: a silent camera's incident must end
            self._ticked = time.monotonic()
            self._keep(self._book.tick(self._now()))
            if self._scores is not None:
                self._scores.tick(self._now())
            if self._learnt is not None:
                self._learnt.tick(self._book, self._now())
        self._carry_out()
        if self._backlog:
            self._store()
        try:
            item = self._queue.get(timeout=timeout)
        except queue.Empty:
            return
        if isinstance(item, _Wake):
            return
        if isinstance(item, _Replacement):
            self._replace(item)
            return
        self._keep(self._evaluate(item))
        if self._scores is not None:
            self._scores.add(item)
        spent = time.thread_time()
        self._metrics.stage_seconds.labels("rules").observe(spent - self._spent)
        self._spent = spent

    def _replace(self, item: _Replacement) -> None:
        if not item.applied.set_running_or_notify_cancel():
            return
        at = self._now()
        self._keep(self._book.replace(item.rules, at))
        self._note_rules(at)
        self._complained.clear()  # a rule may have been mended, or not
        item.applied.set_result(at)

    def _note_rules(self, at: float) -> None:
        if self._scores is not None:
            self._scores.in_force(InForce(at, hash_of(self._book.rules), len(self._book.rules)))

    def _carry_out(self) -> None:
        while not self._orders.empty():
            given = self._orders.get_nowait()
            if not given.done.set_running_or_notify_cancel():
                continue
            try:
                alerts = self._obey(given.order)
            except OrderError as error:
                given.done.set_exception(error)
                continue
            self._keep(alerts)
            given.done.set_result(alerts)
        if self._book.snoozes is not self._snoozes:
            self._snoozes = self._book.snoozes
            self._metrics.rules_snoozed.set(len(self._snoozes))
            self.on_snoozes(self._snoozes)

    def _obey(self, order: Order) -> tuple[Alert, ...]:
        at = self._now()
        return self._book.acknowledge(order, at) if isinstance(order, Acknowledge) else self._book.snooze(order, at)

    def _evaluate(self, item: Detection | Gap | CameraState) -> tuple[Alert, ...]:
        if isinstance(item, Gap):
            return self._book.gap(item.camera, item.at)
        if isinstance(item, CameraState):
            return self._book.camera(item.camera, item.state, item.at)
        return self._book.observe(item)

    def _keep(self, alerts: tuple[Alert, ...]) -> None:
        for alert in alerts:
            self._metrics.alerts.labels(alert.camera, alert.rule, alert.type.value).inc()
            firing = self._metrics.incidents_active.labels(alert.camera, alert.rule)
            firing.set(self._open.observe(alert))
            if alert.shadow or alert.snoozed:  # evaluated, logged and counted, never published
                why = "shadow" if alert.shadow else "snoozed"
                self._metrics.alerts_withheld.labels(why).inc()
                log.info("%s alert %s: %s", why, alert.type.value, alert.summary)
                continue
            if gone := self._backlog.append(alert):
                self._metrics.alerts_dropped.labels("backlog_full").inc(len(gone))
        self._store()
        self._count_errors()

    def _insist(self) -> None:
        """The last chance: a store that was only busy must not cost an alert."""
        deadline = time.monotonic() + FAREWELL
        while self._backlog and (self.storing or time.monotonic() < deadline):
            if not self.storing:
                time.sleep(0.1)
            self._retry = 0.0
            self._store()

    def _store(self) -> None:
        began = time.monotonic()
        if began < self._retry:  # each attempt may last as long as the disk likes
            return
        self._retry = 0.0
        try:
            while self._backlog:
                self._deliver(self._backlog.first())
                self._backlog.stored()
                self.beat = now = time.monotonic()
                if now - began > SLICE:  # thousands may wait after a long trouble
                    self._retry = now + SLICE
                    break
        except SinkError as error:
            if self.storing:
                log.error("alerts cannot be stored; some %d are kept in memory: %s", BACKLOG, error)
            self.storing = False
            now = time.monotonic()
            self._retry = now + max(RETRY, 3.0 * (now - began))
        else:
            if not self.storing:
                log.info("alerts are stored again")
            self.storing = True

    def _count_errors(self) -> None:
        for rule, count in self._book.errors.items():
            new = count - self._errors.get(rule, 0)
            if new:
                if rule not in self._complained:
                    self._complained.add(rule)
                    log.error("rule %s failed; the other rules go on: %s", rule, self._book.last_errors.get(rule, ""))
                self._metrics.rule_errors.labels(rule).inc(new)
                self._errors[rule] = count
