"""From a configuration to stages that are ready to start: what is built, and how one hears of another."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from streamwatch.cameras import CameraThreads
from streamwatch.config import Config
from streamwatch.delivery import Delivery
from streamwatch.evaluation import Evaluation
from streamwatch.evidence.keeper import Keeper
from streamwatch.evidence.recorder import Outlet
from streamwatch.folder import FolderLock
from streamwatch.health import Health, Watched
from streamwatch.http import HttpServer, read_token
from streamwatch.learnt import LearntFile
from streamwatch.mailbox import Mailbox
from streamwatch.metrics import Metrics
from streamwatch.models.detection import CameraState, Detection, Gap
from streamwatch.models.inference import Inference
from streamwatch.models.onnx import OnnxModel
from streamwatch.models.provider import ENGINES, Gpu
from streamwatch.orders import Orders
from streamwatch.overload import Overload, totals
from streamwatch.plan import Plan, draw_plan, published
from streamwatch.reload import Reload
from streamwatch.rules.book import RuleBook
from streamwatch.sinks.broker import EmbeddedBroker
from streamwatch.sinks.mqtt import MqttSink
from streamwatch.sinks.outbox import expose
from streamwatch.sinks.reserve import Reserve
from streamwatch.sinks.scores import open_score_log
from streamwatch.sinks.sink import Site
from streamwatch.sinks.stores import open_store
from streamwatch.video.camera import Camera
from streamwatch.video.clock import SteadyClock
from streamwatch.video.frame import Clip
from streamwatch.video.window import ClipTiming
from streamwatch.watchdog import Watchdog
from streamwatch.worker import Worker

__all__ = ["Assembly"]


class Assembly:
    """All stages of ``config``, joined and not yet started; each is an attribute, ``close`` lets go of what they hold.

    ``died(worker)`` hears, on the worker's thread, of a fault that the process cannot survive.
    Raises ConfigError, PackError, ProviderError, PortInUseError; nothing stays open then.
    """

    def __init__(self, config: Config, died: Callable[[Worker], None]) -> None:
        self.metrics = Metrics()
        self._died = died
        self._states: dict[str, str] = dict.fromkeys((camera.name for camera in config.cameras), "connecting")
        self._clock = SteadyClock(time.time(), time.monotonic())
        self._mailbox: Mailbox[str, Clip] = Mailbox(
            lambda name, why: self.metrics.clips_dropped.labels(name, why).inc()
        )
        self._beat = time.monotonic()  # of inference
        self._resources = ExitStack()
        with ExitStack() as building:
            building.callback(self._resources.close)
            self._build(config, draw_plan(config))
            building.pop_all()

    def close(self) -> None:
        """Files, the folder's lock, ports. Idempotent."""
        self._resources.close()

    def _build(self, config: Config, plan: Plan) -> None:
        """From the disk outwards: whoever is told of something exists before whoever tells. No camera opens yet."""
        lock = FolderLock(config.data_dir)
        self._resources.callback(lock.close)
        with ThreadPoolExecutor(1, "model") as beside:  # while the broker's process starts
            gpu = Gpu(config.data_dir / ENGINES, config.gpu.cuda_graph, any(plan.zones.values()))
            loading = beside.submit(OnnxModel, plan.pack, config.provider, config.strict_provider, gpu)
            self._build_broker(config)
            self.model = loading.result()
        self._resources.callback(self.model.close)
        self._build_store(config)
        self._build_sink(config, plan)
        self._build_rules(config, plan)
        self._build_inference(plan)
        self.cameras = self._camera_threads(config)
        self._build_http(config)

    def _build_store(self, config: Config) -> None:
        self.outbox = open_store(config, self.metrics)
        self._resources.callback(self.outbox.close)
        expose(self.outbox, self.metrics)
        self.reserve = Reserve(config.data_dir / "reserve")
        self.delivery = Delivery(self.outbox, self.reserve, self.metrics.alerts_dropped)

    def _build_sink(self, config: Config, plan: Plan) -> None:
        watching, events = published(plan.rules, self._states), list(self.model.card.events)
        site = Site(self.outbox.instance, watching, self.outbox, self.metrics, self._now, events)
        announced = config.data_dir / "announced.json"
        self.sink = MqttSink(site, config.mqtt, self.on_command, on_reload=self._request_reload, announced=announced)
        self.sink_worker = Worker("sink:mqtt", self.sink.run, self._died)

    def _build_rules(self, config: Config, plan: Plan) -> None:
        metrics = self.metrics
        scores = open_score_log(config, metrics)
        outlet = Outlet(self.delivery.deliver, self.sink.snapshot)
        self.evidence = Keeper(config, outlet, metrics, self._now)
        book = RuleBook(plan.rules, salt=self.outbox.instance)
        learnt = LearntFile(config.data_dir)
        learnt.recall(book)
        self.evaluation = Evaluation(book, self.evidence.deliver, metrics, self._now, scores, learnt)
        self.evaluation.end(self.outbox.left_open())
        self.orders = Orders(self.evaluation, self._states, self.sink.answer, self.sink.snoozed)
        self.sink.on_order = self.orders.request
        self.reload = Reload(config, plan, self.evaluation, metrics, self._on_reloaded)
        self.rules_worker = Worker("rules", self.evaluation.run, self._died)

    def _build_inference(self, plan: Plan) -> None:
        inference = Inference(self.model, plan.zones, self.metrics, self._now, self.model.spent)

        def run(stop: threading.Event) -> None:
            self.model.warm_up(self._mark_beat)  # cameras connect meanwhile; what they show waits in the mailbox
            inference.run(self._mailbox, self._on_detection, stop, self._mark_beat, self.model.max_batch)

        self.inference_worker = Worker("inference", run, self._died)

    def _camera_threads(self, config: Config) -> CameraThreads:
        card = self.model.card
        timing = ClipTiming(card.size, card.frames, card.clip_seconds, card.stride_seconds)
        cameras = {
            camera.name: Camera(camera, timing, self._take, self._on_status, self.metrics, clock=self._clock)
            for camera in config.cameras
        }
        for name, camera in cameras.items():
            camera.keep(self.evidence.ring(name))
        return CameraThreads(cameras, lambda name: self._on_status(name, "failed"))

    def _build_http(self, config: Config) -> None:
        health = self._health()
        self.overload = Overload(lambda: totals(self.metrics))
        health.also(self.overload.degraded)
        self.watchdog = Watchdog(health.lost, self.metrics.worker_lost)
        token, find = read_token(config.http), self.evidence.find
        self.http = HttpServer(config.http, self.metrics, health, self.outbox, token=token, evidence=find)
        self._resources.callback(self.http.close)
        self.http_worker = Worker("http", self.http.run, self._died)

    def _health(self) -> Health:
        watched = [
            Watched(self.inference_worker, lambda: self._beat),
            Watched(self.rules_worker, lambda: self.evaluation.beat),
            Watched(self.sink_worker),
        ]
        info, sink = self.model.info, self.sink
        health = Health(
            watched,
            f"{info.name} {info.version}",
            self.model.provider,
            self._states,
            lambda: sink.state.value,
            lambda: self.evaluation.storing,
        )
        health.also(lambda: self.orders.degraded)
        health.also(self.evidence.degraded)
        return health

    def _build_broker(self, config: Config) -> None:
        self.broker = EmbeddedBroker(config.mqtt.port) if config.mqtt.host is None else None
        self.broker_workers: list[Worker] = []
        if self.broker is not None:
            self.broker.start()  # now, so that a port in use is told before anything runs
            self._resources.callback(self.broker.stop)
            self.broker_workers.append(Worker("broker", self.broker.run, self._died))

    def shut_mailbox(self) -> None:
        """No clip comes any more: inference ends when it has done those that wait."""
        self._mailbox.close()

    def on_command(self, camera: str, enabled: bool) -> None:
        """``camera`` is to be watched, or not."""
        self.cameras.enable(camera, enabled)
        self.sink.enabled(camera, enabled)

    def _now(self) -> float:
        """UTC seconds by the clock that stamps frames: it does not step when the wall clock is set."""
        return self._clock.at(time.monotonic())

    def _mark_beat(self) -> None:
        self._beat = time.monotonic()

    def _take(self, clip: Clip) -> None:
        self._mailbox.put(clip.camera, clip)

    def _on_detection(self, detection: Detection) -> None:
        self.evidence.put(detection)
        self.evaluation.put(detection)

    def _on_status(self, camera: str, state: str) -> None:
        self._states[camera] = state
        self.sink.status(camera, state)
        if state in ("offline", "failed", "disabled"):
            self._mailbox.discard(camera, "offline")
            self.evaluation.put(Gap(camera, self._now()))
        self.evaluation.put(CameraState(camera, state, self._now()))

    def _request_reload(self) -> None:
        self.reload.request()

    def _on_reloaded(self, outcome: dict[str, object]) -> None:
        if outcome["applied"]:
            self.sink.watch(published(self.reload.rules, self._states))
        self.sink.applied(outcome)
