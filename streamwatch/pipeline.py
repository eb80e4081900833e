"""From a configuration to running stages: what is built, in which order it starts, in which it stops."""

import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from types import TracebackType

from streamwatch import __version__
from streamwatch.cameras import CameraThreads
from streamwatch.config import Config
from streamwatch.delivery import Delivery
from streamwatch.evaluation import Evaluation
from streamwatch.evidence.keeper import Keeper
from streamwatch.evidence.recorder import Outlet
from streamwatch.folder import FolderLock
from streamwatch.health import Health, Watched
from streamwatch.http import HttpServer, read_token
from streamwatch.mailbox import Mailbox
from streamwatch.metrics import Metrics
from streamwatch.models.detection import CameraState, Detection, Gap
from streamwatch.models.inference import Inference
from streamwatch.models.onnx import OnnxModel
from streamwatch.orders import Orders
from streamwatch.plan import draw_plan
from streamwatch.reload import Reload
from streamwatch.rules.alert import Alert
from streamwatch.rules.book import RuleBook
from streamwatch.rules.order import Acknowledge
from streamwatch.rules.rule import Rule
from streamwatch.sinks.bounds import Bounds
from streamwatch.sinks.broker import EmbeddedBroker
from streamwatch.sinks.mqtt import MqttSink
from streamwatch.sinks.outbox import expose
from streamwatch.sinks.reserve import Reserve
from streamwatch.sinks.scores import open_score_log
from streamwatch.sinks.sink import Site
from streamwatch.sinks.store import SqliteOutbox
from streamwatch.video.camera import Camera
from streamwatch.video.clock import SteadyClock
from streamwatch.video.frame import Clip
from streamwatch.video.window import ClipTiming
from streamwatch.watchdog import Watchdog
from streamwatch.worker import Worker, end_worker

__all__ = ["Pipeline"]

log = logging.getLogger(__name__)

TEND = 10.0  # seconds between looks at the disk's reserve
POLL = 0.2  # seconds between looks at the workers
# seconds each layer may take to end
JOIN = {"cameras": 6.0, "inference": 3.0, "rules": 3.0, "evidence": 4.0, "sinks": 6.0, "http": 3.0}


class Pipeline:
    """All stages of one configuration; its threads live exactly as long as the ``with`` block.

    The constructor builds whatever can fail for a reason that the user can mend, before the first thread starts.
    Iterating gives the alerts as they are decided. Raises ConfigError, PackError, ProviderError, PortInUseError.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.metrics = Metrics()
        self._states: dict[str, str] = dict.fromkeys((camera.name for camera in config.cameras), "connecting")
        self._fatal: list[Worker] = []
        self._stopped = threading.Event()
        self._clock = SteadyClock(time.time(), time.monotonic())
        self._resources = ExitStack()
        with ExitStack() as building:
            building.callback(self._resources.close)
            self._build(config)
            building.pop_all()

    def _build(self, config: Config) -> None:
        keep, metrics = self._resources, self.metrics
        plan = draw_plan(config)
        lock = FolderLock(config.data_dir)
        keep.callback(lock.close)
        self.model = OnnxModel(plan.pack, config.provider, config.strict_provider)
        bounds = Bounds(config.outbox.max_rows, int(config.outbox.max_bytes), config.outbox.keep_days * 86_400)
        pruned = metrics.outbox_pruned
        file = config.data_dir / "alerts.sqlite"
        self.outbox = SqliteOutbox(file, bounds=bounds, on_pruned=lambda rows, why: pruned.labels(why).inc(rows))
        keep.callback(self.outbox.close)
        expose(self.outbox, metrics)
        self._reserve = Reserve(config.data_dir / "reserve")
        self._delivery = Delivery(self.outbox, self._reserve, metrics.alerts_dropped)
        watching, events = self._watching(plan.rules), list(self.model.card.events)
        site = Site(self.outbox.instance, watching, self.outbox, metrics, self._now, events)
        announced = config.data_dir / "announced.json"
        self.sink = MqttSink(site, config.mqtt, self._on_command, on_reload=self.request_reload, announced=announced)
        self._mailbox: Mailbox[str, Clip] = Mailbox(lambda name, why: metrics.clips_dropped.labels(name, why).inc())
        book = RuleBook(plan.rules, salt=self.outbox.instance)
        scores = open_score_log(config, metrics)
        outlet = Outlet(self._delivery.deliver, self.sink.snapshot)
        self._evidence = Keeper(config, outlet, metrics, self._now)
        self._evaluation = Evaluation(book, self._evidence.deliver, metrics, self._now, scores)
        self._evaluation.end(self.outbox.left_open())
        self.orders = Orders(self._evaluation, self._states, self.sink.answer, self.sink.snoozed)
        self.sink.on_order = self.orders.request
        self._reload = Reload(config, plan, self._evaluation, metrics, self._on_reloaded)
        spent = time.thread_time if self.model.provider == "cpu" else time.perf_counter
        self._inference = Inference(self.model, plan.zones, metrics, self._now, spent)
        self._beat = self._tended = time.monotonic()
        self._cameras = self._camera_threads(config)
        self._build_workers()
        health = self._health()
        health.also(lambda: self.orders.degraded)
        self._watchdog = Watchdog(health.lost, metrics.worker_lost)
        token, find = read_token(config.http), self._evidence.find
        self.http = HttpServer(config.http, metrics, health, self.outbox, token=token, evidence=find)
        keep.callback(self.http.close)
        self._http = Worker("http", self.http.run, self._died)
        self.broker = EmbeddedBroker(config.mqtt.port) if config.mqtt.host is None else None
        if self.broker is not None:
            self.broker.start()  # now, so that a port in use is told before anything runs
            keep.callback(self.broker.stop)
        self._broker = [Worker("broker", self.broker.run, self._died)] if self.broker is not None else []

    def _build_workers(self) -> None:
        self._sink = Worker("sink:mqtt", self.sink.run, self._died)
        self._rules = Worker("rules", self._evaluation.run, self._died)
        self._infer = Worker("inference", self._run_inference, self._died)

    def _health(self) -> Health:
        watched = [
            Watched(self._infer, lambda: self._beat),
            Watched(self._rules, lambda: self._evaluation.beat),
            Watched(self._sink),
        ]
        info, sink = self.model.info, self.sink
        return Health(
            watched,
            f"{info.name} {info.version}",
            self.model.provider,
            self._states,
            lambda: sink.state.value,
            lambda: self._evaluation.storing,
        )

    def _camera_threads(self, config: Config) -> CameraThreads:
        card = self.model.card
        timing = ClipTiming(card.size, card.frames, card.clip_seconds, card.stride_seconds)
        cameras = {
            camera.name: Camera(camera, timing, self._take, self._on_status, self.metrics, clock=self._clock)
            for camera in config.cameras
        }
        for name, camera in cameras.items():
            camera.keep(self._evidence.ring(name))
        return CameraThreads(cameras, lambda name: self._on_status(name, "failed"))

    def __enter__(self) -> "Pipeline":
        info = self.model.info
        self.metrics.build_info.labels(__version__, f"{info.name} {info.version}").set(1)
        self.metrics.provider_info.labels(self.model.provider).set(1)
        self.metrics.provider_fallback.set(self.config.provider not in ("auto", self.model.provider))
        self.metrics.disk_free.set_function(lambda: shutil.disk_usage(self.config.data_dir).free)
        self.metrics.rules_loaded.set(time.time())
        for camera in self.config.cameras:
            self.sink.enabled(camera.name, camera.enabled)
        for worker in (*self._broker, self._http, self._sink, self._rules, self._infer):
            worker.start()
        self._evidence.start()
        self._cameras.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __iter__(self) -> Iterator[Alert]:
        """Alerts as they are decided, until the pipeline stops. Raises what ended it, if it was a fault."""
        while True:
            alerts = self._delivery.read(POLL)
            yield from alerts
            if not alerts and self._stopped.is_set():
                return
            if not self._stopped.is_set():
                self.supervise()

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Those in force."""
        return self._reload.rules

    def reload(self) -> dict[str, object]:
        """Read the rule files again and put them in force, or leave all as it is; see ``Reload``. Waits for it."""
        return self._reload()

    def acknowledge(self, incident: str, by: str = "", note: str = "") -> Alert:
        """Take note of an incident, by its id, as over MQTT; what is told of that. Raises OrderError."""
        return self.orders(Acknowledge(incident, by, note))[0]

    def request_reload(self) -> None:
        """Have ``reload`` done soon, by whoever iterates, waits or supervises. From any thread; never blocks."""
        self._reload.request()

    def wait(
        self,
        stop: threading.Event,
        reload: Callable[[], bool] = lambda: False,
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        """Supervise until ``stop`` is set; ``reload`` says whether the rules should be read again.

        ``alive`` is called after each look around that found no worker lost. Raises the first fault that the pipeline
        cannot survive.
        """
        while not stop.wait(POLL):
            if reload():
                self.request_reload()
            if not self.supervise():
                alive()

    def supervise(self) -> Sequence[str]:
        """One look around: failed cameras are retried, rules reloaded if asked for, a fatal fault is raised.

        Returns the names of the workers that do not move just now.
        """
        if self._fatal:
            worker = self._fatal[0]
            log.error("%s failed\n%s", worker.name, worker.trace)
            assert worker.error is not None
            raise worker.error
        now = time.monotonic()
        self._cameras.supervise(now)
        self._reload.turn()
        if now - self._tended >= TEND:
            self._tended = now
            self._reserve.tend()
        return self._watchdog.look(now)

    def stop(self) -> None:
        """The tap first, then drain downwards, each with a limit. Idempotent; logs who did not end."""
        if self._stopped.is_set():
            return
        late = self._cameras.stop(JOIN["cameras"])
        self._mailbox.close()
        late += end_worker(self._infer, JOIN["inference"], drain=True)
        late += end_worker(self._rules, JOIN["rules"])
        late += self._evidence.stop(JOIN["evidence"])
        late += end_worker(self._sink, JOIN["sinks"])
        late += end_worker(self._http, JOIN["http"])
        for worker in self._broker:
            late += end_worker(worker, JOIN["sinks"])
        for name in late:
            log.error("%s did not end in time and was left behind", name)
        self._resources.close()
        self._stopped.set()
        self._delivery.close()

    def _run_inference(self, stop: threading.Event) -> None:
        self._inference.run(self._mailbox, self._detected, stop, self._mark_beat)

    def _now(self) -> float:
        """UTC seconds by the clock that stamps frames: it does not step when the wall clock is set."""
        return self._clock.at(time.monotonic())

    def _mark_beat(self) -> None:
        self._beat = time.monotonic()

    def _take(self, clip: Clip) -> None:
        self._mailbox.put(clip.camera, clip)

    def _detected(self, detection: Detection) -> None:
        self._evidence.put(detection)
        self._evaluation.put(detection)

    def _on_status(self, camera: str, state: str) -> None:
        self._states[camera] = state
        self.sink.status(camera, state)
        if state in ("offline", "failed", "disabled"):
            self._mailbox.discard(camera, "offline")
            self._evaluation.put(Gap(camera, self._now()))
        self._evaluation.put(CameraState(camera, state, self._now()))

    def _on_reloaded(self, outcome: dict[str, object]) -> None:
        if outcome["applied"]:
            self.sink.watch(self._watching(self.rules))
        self.sink.applied(outcome)

    def _watching(self, rules: tuple[Rule, ...]) -> dict[str, list[str]]:
        """Camera → names of the rules that watch it and publish."""
        shown = [rule for rule in rules if not rule.shadow]
        return {name: [rule.name for rule in shown if rule.watches(name)] for name in self._states}

    def _on_command(self, camera: str, enabled: bool) -> None:
        self._cameras.enable(camera, enabled)
        self.sink.enabled(camera, enabled)

    def _died(self, worker: Worker) -> None:
        self._fatal.append(worker)
