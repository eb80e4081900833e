"""What runs on one node: the cameras given to it, their model session, the rules about one camera at a time.

The stages are those of the one-machine pipeline. Its outbox is the *spool*: alerts wait there, on this node's disk,
until the site has them in its own.
"""

import logging
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial

from streamwatch import __version__
from streamwatch.cameras import CameraThreads
from streamwatch.cluster.acknowledgements import MOST
from streamwatch.cluster.ration import cores
from streamwatch.cluster.report import Answered, Numbered, Picture, Row, Welcome
from streamwatch.cluster.scorer import Call, SharedModel
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
from streamwatch.models.inference import Inference, Zones
from streamwatch.models.onnx import OnnxModel
from streamwatch.models.pack import Pack, load_pack
from streamwatch.models.provider import ENGINES, Gpu
from streamwatch.orders import Orders
from streamwatch.overload import Overload, totals
from streamwatch.plan import zones_of
from streamwatch.rules.book import RuleBook, Share
from streamwatch.rules.camera import GONE
from streamwatch.rules.order import Acknowledge, Snoozed
from streamwatch.rules.rule import Rule, hash_of
from streamwatch.sinks.outbox import expose
from streamwatch.sinks.reserve import Reserve
from streamwatch.sinks.scores import open_score_log
from streamwatch.sinks.store import SqliteOutbox
from streamwatch.video.camera import Camera
from streamwatch.video.clock import SteadyClock
from streamwatch.video.frame import Clip
from streamwatch.video.window import ClipTiming
from streamwatch.watchdog import Watchdog
from streamwatch.worker import Worker, end_worker, join_all

__all__ = ["FOLDER", "Host", "own_model"]

log = logging.getLogger(__name__)

FOLDER = "hosts"  # below the data folder, a folder for each
ROWS = 20_000  # detections that wait for the site: of a hundred cameras for a minute or two
PICTURES = 16
TEND = 10.0  # seconds between looks at the disk's reserve
FOLLOW = 1.0  # seconds, twice, for the rules thread to take new rules: the link's thread waits, and tells nothing then
SETTLED = 3.0  # seconds after which nothing counts anything of a camera that was let go
JOIN = {"cameras": 6.0, "inference": 3.0, "rules": 3.0, "evidence": 4.0, "http": 3.0}  # seconds


def own_model(config: Config, pack: Pack, zones: Zones) -> OnnxModel:
    """A session for ``pack``, as ``config`` asks for it. Raises PackError, ProviderError."""
    gpu = Gpu(config.data_dir / ENGINES, config.gpu.cuda_graph, any(zones.values()))
    return OnnxModel(pack, config.provider, config.strict_provider, gpu)


class Host:
    """The stages of host ``name``. ``take`` is for one thread, the link's; ``died`` hears of faults. With ``scorers``,
    which finds one, they score for it as long as they answer.

    Raises ConfigError, PackError, ProviderError; nothing stays open then.
    """

    def __init__(
        self,
        name: str,
        config: Config,
        welcome: Welcome,
        died: Callable[[Worker], None],
        scorers: Callable[[], Call | None] | None = None,
    ) -> None:
        self.name, self.config = name, config.model_copy(update={"data_dir": config.data_dir / FOLDER / name})
        self.metrics = Metrics()
        self.capacity = cores()
        self.held: dict[str, int] = {}  # camera → term
        self.states: dict[str, str] = {}
        self.rows: deque[Row] = deque(maxlen=ROWS)
        self.pictures: deque[Picture] = deque(maxlen=PICTURES)
        self.snoozes: Sequence[Snoozed] = ()
        self.answers: deque[Answered] = deque(maxlen=MOST)
        self._died = died
        self._known = {camera.name: camera for camera in config.cameras}
        self._leaving: dict[str, tuple[int, Worker]] = {}  # their threads have not ended yet
        self._gone: deque[tuple[float, str]] = deque(maxlen=len(self._known))  # when they ended, monotonic s
        self._clock = SteadyClock(time.time(), time.monotonic())
        self._beat = self._tended = time.monotonic()
        self._mailbox: Mailbox[str, Clip] = Mailbox(self._dropped)
        self._resources = ExitStack()
        with ExitStack() as building:
            building.callback(self._resources.close)
            self._build(welcome, scorers)
            building.pop_all()

    def _build(self, welcome: Welcome, scorers: Callable[[], Call | None] | None) -> None:
        config = self.config
        lock = FolderLock(config.data_dir)
        self._resources.callback(lock.close)
        pack = load_pack(config.model)
        self._own: OnnxModel | None = None
        zones = zones_of(config, pack.card.grid)
        own = partial(self._open_model, pack, zones)
        self.model = own() if scorers is None else SharedModel(pack, scorers, own)
        self.spool = SqliteOutbox(config.data_dir / "alerts.sqlite", keep=1000)
        self._resources.callback(self.spool.close)
        expose(self.spool, self.metrics)
        self.reserve = Reserve(config.data_dir / "reserve")
        delivery = Delivery(self.spool, self.reserve, self.metrics.alerts_dropped)
        self.evidence = Keeper(config, Outlet(delivery.deliver, self._show), self.metrics, self.now)
        book = RuleBook(welcome.rules, salt=welcome.instance, share=Share.ALONE)
        scores = open_score_log(config, self.metrics)
        self.evaluation = Evaluation(book, self.evidence.deliver, self.metrics, self.now, scores)
        self.evaluation.end(self.spool.left_open())
        self.orders = Orders(self.evaluation, self._known, show=self._on_snoozes)
        self._put_in_force(welcome.rules)
        spent = time.perf_counter if self.model.provider == "scorer" or self._own is None else self._own.spent
        self._inference = Inference(self.model, zones, self.metrics, self.now, spent)
        self.cameras = CameraThreads({}, lambda camera: self._on_status(camera, "failed"))
        self.rules_worker = Worker("rules", self.evaluation.run, self._died)
        self.inference_worker = Worker("inference", self._infer, self._died)
        self._build_http()

    def _open_model(self, pack: Pack, zones: Zones) -> OnnxModel:
        model = own_model(self.config, pack, zones)
        self._resources.callback(model.close)
        self._own = model
        return model

    def _build_http(self) -> None:
        info = self.model.info
        watched = [
            Watched(self.inference_worker, lambda: self._beat),
            Watched(self.rules_worker, lambda: self.evaluation.beat),
        ]
        model = f"{info.name} {info.version}"
        health = Health(
            watched, model, self.model.provider, self.states, lambda: "connected", lambda: self.evaluation.storing
        )
        health.also(self.evidence.degraded)
        self.overload = Overload(lambda: totals(self.metrics))
        health.also(self.overload.degraded)
        self.watchdog = Watchdog(health.lost, self.metrics.worker_lost)
        bound = self.config.http.model_copy(update={"host": self.config.cluster.host, "port": 0})
        token, find = read_token(self.config.http), self.evidence.find
        self.http = HttpServer(bound, self.metrics, health, token=token, evidence=find)
        self._resources.callback(self.http.close)
        self.http_worker = Worker("http", self.http.run, self._died)
        self.metrics.build_info.labels(__version__, model).set(1)
        self.metrics.provider_info.labels(self.model.provider).set(1)
        self.metrics.provider_fallback.set(self.config.provider not in ("auto", self.model.provider))
        self.metrics.disk_free.set_function(lambda: shutil.disk_usage(self.config.data_dir).free)

    def start(self) -> None:
        """Everything but cameras, which the site gives."""
        for worker in (self.http_worker, self.rules_worker, self.inference_worker):
            worker.start()
        self.evidence.start()

    def stop(self) -> list[str]:
        """The tap first, then drain downwards into the spool; who did not end. The spool stays open until ``close``."""
        late = self.cameras.stop(JOIN["cameras"])
        late += join_all([worker for _, worker in self._leaving.values()], 1.0)
        self.held, self._leaving = {}, {}
        self._mailbox.close()
        late += end_worker(self.inference_worker, JOIN["inference"], drain=True)
        late += end_worker(self.rules_worker, JOIN["rules"])
        late += self.evidence.stop(JOIN["evidence"])
        return late + end_worker(self.http_worker, JOIN["http"])

    def close(self) -> None:
        """Files, the folder's lock, the port. Idempotent."""
        self._resources.close()

    def supervise(self) -> None:
        """One look around: failed cameras are retried. Raises WorkerLostError for one that never moves again."""
        now = time.monotonic()
        self.cameras.supervise(now)
        self.evidence.supervise(now)
        self.overload.look(now)
        self.watchdog.look(now)
        if now - self._tended >= TEND:
            self._tended = now
            self.reserve.tend()

    def now(self) -> float:
        """UTC seconds by the clock that stamps frames."""
        return self._clock.at(time.monotonic())

    def take(self, cameras: Mapping[str, int], disabled: frozenset[str]) -> None:
        """Read these cameras and no other; returns at once, those let go may take a moment to end."""
        for name in [name for name in self.held if name not in cameras]:
            self._leaving[name] = self.held.pop(name), self.cameras.release(name)
        for name, term in cameras.items():
            if name not in self.held and name not in self._leaving and name in self._known:
                self._begin(name)
            if name not in self._leaving and name in self._known:
                self.held[name] = term
                self.cameras.enable(name, name not in disabled)
        for name in [name for name, (_, worker) in self._leaving.items() if not worker.alive]:
            del self._leaving[name]
            self._forget(name)
        while self._gone and time.monotonic() - self._gone[0][0] > SETTLED:
            if (name := self._gone.popleft()[1]) not in self.held:
                self.metrics.forget(name)

    def obey(self, numbered: Numbered) -> None:
        """Carry out an order. An acknowledgement is answered; a snooze was by the site."""
        number, order = numbered
        heard = isinstance(order, Acknowledge)
        self.orders.request(order, (lambda document: self.answers.append((number, document))) if heard else None)

    def leases(self) -> dict[str, int]:
        """Camera → term of what is read, or was until a moment ago."""
        return {**{name: term for name, (term, _) in self._leaving.items()}, **self.held}

    def follow(self, rules: tuple[Rule, ...]) -> None:
        """Put ``rules`` in force. Raises TimeoutError if the rules thread does not answer."""
        self.evaluation.replace(rules, FOLLOW)
        self._put_in_force(rules)

    def _put_in_force(self, rules: tuple[Rule, ...]) -> None:
        self.rules_hash = hash_of(rules)
        across = [rule for rule in rules if rule.scope != "camera"]
        inhibiting = {name for rule in across for name in rule.inhibited_by}
        heard = [rule for rule in rules if rule.scope != "camera" or rule.name in inhibiting]
        self._told = {name for name in self._known if any(rule.watches(name) for rule in heard)}
        self.metrics.rules_loaded.set(time.time())

    def _begin(self, name: str) -> None:
        card = self.model.card
        timing = ClipTiming(card.size, card.frames, card.clip_seconds, card.stride_seconds)
        camera = Camera(self._known[name], timing, self._take, self._on_status, self.metrics, clock=self._clock)
        camera.keep(self.evidence.ring(name))
        self.cameras.add(name, camera)

    def _forget(self, name: str) -> None:
        """Its thread has ended: what is open there ends, and nothing of it stays."""
        self._mailbox.discard(name, "moved")
        self._put(CameraState(name, GONE, self.now()))
        self.states.pop(name, None)
        self._gone.append((time.monotonic(), name))

    def _infer(self, stop: threading.Event) -> None:
        self.model.warm_up(self._mark_beat)
        self._inference.run(self._mailbox, self._on_detection, stop, self._mark_beat, self.model.max_batch)

    def _mark_beat(self) -> None:
        self._beat = time.monotonic()

    def _take(self, clip: Clip) -> None:
        self._mailbox.put(clip.camera, clip)

    def _dropped(self, camera: str, reason: str) -> None:
        self.metrics.clips_dropped.labels(camera, reason).inc()

    def _on_detection(self, detection: Detection) -> None:
        if detection.camera not in self.held:
            return  # it was on its way when the camera was let go
        self.evidence.put(detection)
        self._put(detection)

    def _on_status(self, camera: str, state: str) -> None:
        self.states[camera] = state
        if state in ("offline", "failed", "disabled"):
            self._mailbox.discard(camera, "offline")
            self._put(Gap(camera, self.now()))
        self._put(CameraState(camera, state, self.now()))

    def _put(self, row: Row) -> None:
        if row.camera in self._told:
            if len(self.rows) == ROWS:
                self.metrics.cluster_rows_dropped.inc()
            self.rows.append(row)
        self.evaluation.put(row)

    def _on_snoozes(self, snoozes: Sequence[Snoozed]) -> None:
        self.snoozes = snoozes

    def _show(self, camera: str, rule: str, jpeg: bytes) -> None:
        self.pictures.append(Picture(camera, rule, jpeg))
