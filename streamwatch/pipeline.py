"""A configuration at work: in which order its stages start, in which they stop, and who looks after them."""

import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType

from streamwatch import __version__
from streamwatch.assembly import Assembly
from streamwatch.config import Config
from streamwatch.rules.alert import Alert
from streamwatch.rules.order import Acknowledge
from streamwatch.rules.rule import Rule
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
        self._fatal: list[Worker] = []
        self._stopped = threading.Event()
        self._stages = stages = Assembly(config, self._fatal.append)
        self._tended = time.monotonic()
        self.metrics, self.model, self.outbox = stages.metrics, stages.model, stages.outbox
        self.sink, self.orders, self.http, self.broker = stages.sink, stages.orders, stages.http, stages.broker

    def __enter__(self) -> "Pipeline":
        info = self.model.info
        self.metrics.build_info.labels(__version__, f"{info.name} {info.version}").set(1)
        self.metrics.provider_info.labels(self.model.provider).set(1)
        self.metrics.provider_fallback.set(self.config.provider not in ("auto", self.model.provider))
        self.metrics.disk_free.set_function(lambda: shutil.disk_usage(self.config.data_dir).free)
        self.metrics.rules_loaded.set(time.time())
        for camera in self.config.cameras:
            self.sink.enabled(camera.name, camera.enabled)
        stages = self._stages
        sinks = *stages.broker_workers, stages.http_worker, stages.sink_worker
        for worker in (*sinks, stages.rules_worker, stages.inference_worker):
            worker.start()
        stages.evidence.start()
        stages.cameras.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __iter__(self) -> Iterator[Alert]:
        """Alerts as they are decided, until the pipeline stops. Raises what ended it, if it was a fault."""
        while True:
            alerts = self._stages.delivery.read(POLL)
            yield from alerts
            if not alerts and self._stopped.is_set():
                return
            if not self._stopped.is_set():
                self.supervise()

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Those in force."""
        return self._stages.reload.rules

    def reload(self) -> dict[str, object]:
        """Read the rule files again and put them in force, or leave all as it is; see ``Reload``. Waits for it."""
        return self._stages.reload()

    def acknowledge(self, incident: str, by: str = "", note: str = "") -> Alert:
        """Take note of an incident, by its id, as over MQTT; what is told of that. Raises OrderError."""
        return self.orders(Acknowledge(incident, by, note))[0]

    def request_reload(self) -> None:
        """Have ``reload`` done soon, by whoever iterates, waits or supervises. From any thread; never blocks."""
        self._stages.reload.request()

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
        self._stages.cameras.supervise(now)
        self._stages.evidence.supervise(now)
        self._stages.overload.look(now)
        self._stages.reload.turn()
        if now - self._tended >= TEND:
            self._tended = now
            self._stages.reserve.tend()
        return self._stages.watchdog.look(now)

    def stop(self) -> None:
        """The tap first, then drain downwards, each with a limit. Idempotent; logs who did not end."""
        if self._stopped.is_set():
            return
        stages = self._stages
        late = stages.cameras.stop(JOIN["cameras"])
        stages.shut_mailbox()
        late += end_worker(stages.inference_worker, JOIN["inference"], drain=True)
        late += end_worker(stages.rules_worker, JOIN["rules"])
        late += stages.evidence.stop(JOIN["evidence"])
        late += end_worker(stages.sink_worker, JOIN["sinks"])
        late += end_worker(stages.http_worker, JOIN["http"])
        for worker in stages.broker_workers:
            late += end_worker(worker, JOIN["sinks"])
        for name in late:
            log.error("%s did not end in time and was left behind", name)
        stages.close()
        self._stopped.set()
        stages.delivery.close()
