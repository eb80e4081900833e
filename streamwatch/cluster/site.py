"""What a site has one of: the roster of its cameras, rules across them, the outbox, MQTT, the page of targets.

It sees detections and alerts, never a picture but the snapshots that it publishes.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack

from streamwatch.cluster.acknowledgements import Acknowledgements
from streamwatch.cluster.census import Census, targets
from streamwatch.cluster.desk import Desk
from streamwatch.cluster.incidents import Incidents
from streamwatch.cluster.report import Reply, Report, Standing, Welcome
from streamwatch.cluster.roster import Lost, Roster
from streamwatch.cluster.seating import Seating
from streamwatch.config import Config
from streamwatch.delivery import Delivery
from streamwatch.evaluation import Evaluation
from streamwatch.folder import FolderLock
from streamwatch.health import Health, Watched
from streamwatch.http import HttpServer, read_token
from streamwatch.metrics import Metrics
from streamwatch.models.detection import CameraState, Gap
from streamwatch.orders import STOPPED, Orders
from streamwatch.plan import draw_plan, published
from streamwatch.reload import Reload
from streamwatch.rules.book import RuleBook, Share
from streamwatch.rules.order import Order, Snooze, Snoozed
from streamwatch.rules.rule import Rule, hash_of
from streamwatch.sinks.broker import EmbeddedBroker
from streamwatch.sinks.mqtt import MqttSink
from streamwatch.sinks.outbox import expose
from streamwatch.sinks.reserve import Reserve
from streamwatch.sinks.sink import Site as Speaker
from streamwatch.sinks.stores import open_store
from streamwatch.watchdog import Watchdog
from streamwatch.worker import Worker, end_worker

__all__ = ["Site"]

log = logging.getLogger(__name__)

TURN = 0.5  # seconds between looks at the roster
PATIENCE = 2.0  # leases until an incident ends with which no host says to go on
TEND = 10.0  # seconds between looks at the disk's reserve
JOIN = {"roster": 3.0, "rules": 3.0, "sinks": 6.0, "http": 3.0}  # seconds


class Site:
    """All of it, joined and not yet started. ``report`` is called by hosts, on any thread, several at once.

    Raises ConfigError, PackError, PortInUseError; nothing stays open then.
    """

    def __init__(self, config: Config, died: Callable[[Worker], None]) -> None:
        self.config, self.metrics = config, Metrics()
        self._died = died
        self._states = dict.fromkeys((camera.name for camera in config.cameras), "connecting")
        self._lock = threading.Lock()  # the roster's
        self._desk, self._noted = Desk(), Acknowledgements()
        self._disabled = {camera.name for camera in config.cameras if not camera.enabled}
        self._counted: dict[str, int] = {}  # leases, by reason
        self._tended = time.monotonic()
        self._resources = ExitStack()
        with ExitStack() as building:
            building.callback(self._resources.close)
            self._build()
            building.pop_all()

    def _build(self) -> None:
        config, metrics = self.config, self.metrics
        plan = draw_plan(config)
        lock = FolderLock(config.data_dir)
        self._resources.callback(lock.close)
        self.broker = EmbeddedBroker(config.mqtt.port) if config.mqtt.host is None else None
        if self.broker is not None:
            self.broker.start()
            self._resources.callback(self.broker.stop)
        self.outbox = open_store(config, metrics)
        self._resources.callback(self.outbox.close)
        expose(self.outbox, metrics)
        self.reserve = Reserve(config.data_dir / "reserve")
        self.delivery = Delivery(self.outbox, self.reserve, metrics.alerts_dropped)
        self.roster = Roster(self._states, config.cluster.lease)
        refused, patience = metrics.cluster_alerts_refused, PATIENCE * config.cluster.lease
        self.incidents = Incidents(self.outbox, self.delivery.deliver, self._may_tell, refused, patience)
        self._seating = Seating(self.roster, self.incidents, self._lock)
        self._build_sink(plan.rules, plan.pack.card.events)
        book = RuleBook(plan.rules, salt=self.outbox.instance, share=Share.ACROSS)
        self.evaluation = Evaluation(book, self.delivery.deliver, metrics, time.time)
        self._part_left_open(plan.rules)
        self.orders = Orders(self.evaluation, self._states, self.sink.answer, self._on_snoozes)
        self.reload = Reload(config, plan, self.evaluation, metrics, self._on_reloaded)
        self.rules_worker = Worker("rules", self.evaluation.run, self._died)
        self.sink_worker = Worker("sink:mqtt", self.sink.run, self._died)
        self.roster_worker = Worker("roster", self._tend, self._died)
        self._build_http(f"{plan.pack.card.name} {plan.pack.card.version}")

    def _build_sink(self, rules: tuple[Rule, ...], events: Iterable[str]) -> None:
        watching = published(rules, self._states)
        speaker = Speaker(self.outbox.instance, watching, self.outbox, self.metrics, time.time, list(events))
        announced = self.config.data_dir / "announced.json"
        self.sink = MqttSink(
            speaker, self.config.mqtt, self.on_command, on_reload=self._request_reload, announced=announced
        )
        self.sink.on_order = self.on_order

    def _build_http(self, model: str) -> None:
        workers = self.rules_worker, self.sink_worker, self.roster_worker
        watched = [Watched(workers[0], lambda: self.evaluation.beat), *map(Watched, workers[1:])]
        health = Health(
            watched, model, "cluster", self._states, lambda: self.sink.state.value, lambda: self.evaluation.storing
        )
        health.also(lambda: self.orders.degraded)
        health.also(lambda: self.census().faults())
        self.watchdog = Watchdog(health.lost, self.metrics.worker_lost)
        token = read_token(self.config.http)
        self.http = HttpServer(self.config.http, self.metrics, health, self.outbox, token=token)
        self.http.pages["/targets"] = lambda: targets(self.census())
        self._resources.callback(self.http.close)
        self.http_worker = Worker("http", self.http.run, self._died)

    def start(self) -> None:
        """Begin to listen to hosts."""
        self.metrics.rules_loaded.set(time.time())
        for camera in self.config.cameras:
            self.sink.enabled(camera.name, camera.enabled)
        brokers = [] if self.broker is None else [Worker("broker", self.broker.run, self._died)]
        self.broker_workers = brokers
        for worker in (*brokers, self.http_worker, self.sink_worker, self.rules_worker, self.roster_worker):
            worker.start()

    def stop(self) -> list[str]:
        """Once the hosts have gone: end what is open, drain, close; who did not end in time."""
        late = end_worker(self.roster_worker, JOIN["roster"])
        for order in self._noted.close():
            self.orders.refuse(order, STOPPED)
        late += end_worker(self.rules_worker, JOIN["rules"])
        late += end_worker(self.sink_worker, JOIN["sinks"])
        late += end_worker(self.http_worker, JOIN["http"])
        for worker in self.broker_workers:
            late += end_worker(worker, JOIN["sinks"])
        self._resources.close()
        return late

    def supervise(self) -> None:
        """One look around. Raises WorkerLostError for a worker that never moves again."""
        self.watchdog.look(time.monotonic())

    def welcome(self) -> Welcome:
        """What a host must know before it begins."""
        return Welcome(self.outbox.instance, self.reload.rules)

    def report(self, report: Report) -> Reply:
        """Take what a host tells; what cannot be kept must be told again."""
        standing, host = report.standing, report.standing.host
        for number, answer in report.answers:
            if self._noted.answer(number):
                self.sink.answer(answer)
        heard = self._seating.hear(report, time.monotonic(), time.time())
        if heard.outdated:
            return Reply(kept=heard.kept)
        for one in heard.lost:
            self._on_lost(one, standing)
        for row in report.rows:
            self.evaluation.put(row)
        for camera, state in report.states.items():
            if self.roster.owner(camera) == host:
                self._states[camera] = state
                self.sink.status(camera, state)
        for picture in report.pictures:
            self.sink.snapshot(picture.camera, picture.rule, picture.jpeg)
        for order in self._noted.claim(lambda order: self.incidents.host(order.id) == host):
            self._noted.ask(host, self._desk.ask(host, order, time.time()), order)
        off, rules = frozenset(self._disabled & heard.cameras.keys()), self.reload.rules
        changed = None if hash_of(rules) == report.rules else rules
        orders = self._desk.take(host, report.done, report.snoozes if changed is None else None, time.time())
        return Reply(heard.cameras, off, changed, orders, heard.draining, heard.kept)

    def _may_tell(self, host: str, camera: str, at: float) -> bool:
        with self._lock:
            return self.roster.may_tell(host, camera, at)

    def census(self) -> Census:
        """Who is there, and how."""
        with self._lock:
            return Census(self.roster.seats(time.monotonic(), time.time()), self.roster.unplaced, dict(self._states))

    def drain(self, host: str, on: bool) -> bool:
        """Have ``host`` give all its cameras away, a few at a time; False if it is not known."""
        with self._lock:
            return self.roster.drain(host, on)

    def on_command(self, camera: str, enabled: bool) -> None:
        """``camera`` is to be watched, or not."""
        (self._disabled.discard if enabled else self._disabled.add)(camera)
        self.sink.enabled(camera, enabled)

    def on_order(self, order: Order) -> None:
        """Acknowledge where the incident is; snooze here, hosts follow. Never blocks."""
        if isinstance(order, Snooze):
            self.orders.request(order)
        elif not self._noted.add(order):
            self.orders.refuse(order, "too many were not answered yet, or the site stops; try again")

    def _on_snoozes(self, snoozes: Sequence[Snoozed]) -> None:
        self._desk.in_force = snoozes
        self.sink.snoozed(snoozes)

    def _part_left_open(self, rules: tuple[Rule, ...]) -> None:
        """What an earlier site left open: hosts go on with theirs, those across cameras end."""
        across = {rule.name for rule in rules if rule.scope != "camera"}
        left = self.outbox.left_open()
        theirs = [alert for alert in left if alert.rule not in across and alert.camera in self._states]
        for alert in theirs:
            self.incidents.adopt(alert)
        self.evaluation.end(alert for alert in left if alert not in theirs)

    def _tend(self, stop: threading.Event) -> None:
        """The roster's thread."""
        while not stop.wait(TURN):
            now = time.monotonic()
            for one in self._seating.tick(now, time.time()):
                log.error("host %s is lost: %d cameras go to others", one.host, len(one.cameras))
                self._on_lost(one, None)
            for order in self._noted.claim(lambda order: not self.incidents.is_open(order.id)):
                self.orders.request(order)  # of an incident across cameras, or of none
            self._count()
            self.reload.turn()
            if now - self._tended >= TEND:
                self._tended = now
                self.reserve.tend()

    def _on_lost(self, lost: Lost, standing: Standing | None) -> None:
        self._desk.forget(lost.host)
        for order in self._noted.lose(lost.host):
            self.orders.refuse(order, f"host {lost.host} is gone, and what was open there has ended")
        if standing is not None:
            log.warning("host %s %s", lost.host, "leaves" if standing.leaving else "began again")
        for camera in lost.cameras:
            self._states[camera] = "connecting"
            self.sink.status(camera, "connecting")
            self.evaluation.put(Gap(camera, time.time()))
            self.evaluation.put(CameraState(camera, "connecting", time.time()))

    def _count(self) -> None:
        census, moves = self.census(), self.roster.moves
        self.metrics.cluster_hosts.set(len(census.seats))
        self.metrics.cluster_cameras_unplaced.set(len(census.unplaced))
        for reason, count in (("lost", moves.lost), ("given", moves.given - moves.lost)):
            counter = self.metrics.cluster_leases.labels(reason)
            counter.inc(count - self._counted.get(reason, 0))
            self._counted[reason] = count

    def _request_reload(self) -> None:
        self.reload.request()

    def _on_reloaded(self, outcome: dict[str, object]) -> None:
        if outcome["applied"]:
            self.sink.watch(published(self.reload.rules, self._states))
        self.sink.applied(outcome)
