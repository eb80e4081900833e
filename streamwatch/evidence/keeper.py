"""Evidence as the pipeline sees it: a ring for each camera, and the thread that keeps what they hold."""

import logging
from collections.abc import Callable
from functools import partial
from math import nan
from pathlib import Path

from streamwatch.config import CameraConfig, Config
from streamwatch.errors import ConfigError, EvidenceError
from streamwatch.evidence.case import View
from streamwatch.evidence.recorder import FOLDER, Outlet, Recorder
from streamwatch.metrics import Metrics
from streamwatch.models.detection import Detection
from streamwatch.rules.alert import Alert
from streamwatch.video.packets import PacketRing
from streamwatch.worker import Worker, end_worker

__all__ = ["Keeper"]

log = logging.getLogger(__name__)

RESERVE = 15.0  # seconds of a ring beyond pre_s: a rule's ``for``, the model, and a busy disk take time
RETRY = 30.0  # seconds until a thread that raised is started again


class Keeper:
    """All evidence of one pipeline; without ``evidence.enabled`` there is no ring, no thread and no file.

    A fault in its thread ends evidence for RETRY seconds, never the pipeline. Raises ConfigError if the folder cannot
    be used.
    """

    def __init__(self, config: Config, outlet: Outlet, metrics: Metrics, now: Callable[[], float]) -> None:
        self._outlet = outlet
        self._metrics = metrics
        self._now = now
        self._views: dict[str, View] = {}
        self._recorder: Recorder | None = None
        self._worker: Worker | None = None
        self._stopped = False
        self._due: float | None = None  # monotonic time at which a failed one is started again
        if not config.evidence.enabled:
            metrics.evidence_writing.set(nan)  # neither well nor a fault that somebody should be woken for
            return
        seconds = config.evidence.pre_s + RESERVE
        self._views = {camera.name: self._view(camera, seconds) for camera in config.cameras}
        try:
            folder = config.data_dir / FOLDER
            self._recorder = Recorder(folder, config.evidence, self._views, outlet, metrics, now)
        except (EvidenceError, OSError) as error:
            raise ConfigError(f"data_dir: evidence cannot be kept: {error}") from error
        self._worker = Worker("sink:evidence", self._recorder.run, self._died)

    def ring(self, camera: str) -> PacketRing | None:
        """Where ``camera`` leaves its packets."""
        view = self._views.get(camera)
        return None if view is None else view.ring

    def deliver(self, alert: Alert) -> None:
        """Keep ``alert``, with what there is of its incident's evidence, and hear of it. Raises SinkError."""
        alert = alert if self._recorder is None else self._recorder.decorate(alert)
        self._outlet.publish(alert)
        self.put(alert)

    def put(self, item: Alert | Detection) -> None:
        """Hear of an alert that was kept, or of a detection. Never blocks."""
        if self._recorder is not None:
            self._recorder.put(item)

    def find(self, incident: str, kind: str) -> Path | None:
        """The clip, snapshot or json of an incident; None if there is none."""
        return None if self._recorder is None else self._recorder.find(incident, kind)

    def start(self) -> None:
        """Start the thread."""
        if self._worker is not None:
            self._worker.start()

    def supervise(self, now: float) -> None:
        """Start the thread again RETRY seconds after it failed; ``now`` is monotonic."""
        if self._stopped or self._recorder is None or self._worker is None or self._worker.error is None:
            return
        if self._due is None:
            self._due = now + RETRY
        elif now >= self._due:
            self._due = None
            self._worker = Worker(self._worker.name, self._recorder.run, self._died)
            self._worker.start()

    def degraded(self) -> list[str]:
        """What is not as it should be, a line each."""
        if self._recorder is None or self._worker is None:
            return []
        if self._worker.error is not None:
            return ["evidence: its thread failed and is started again; until then there is none"]
        return self._recorder.degraded

    def stop(self, limit: float) -> list[str]:
        """Finish what is open; the name of the thread if it did not end within ``limit`` seconds."""
        self._stopped = True
        return [] if self._worker is None else end_worker(self._worker, limit)

    def _view(self, camera: CameraConfig, seconds: float) -> View:
        ring = PacketRing(seconds, self._now, partial(self._dropped, camera.name))
        return View(ring, camera.privacy_masks)

    def _dropped(self, camera: str, packets: int, reason: str) -> None:
        self._metrics.evidence_packets_dropped.labels(camera, reason).inc(packets)

    def _died(self, worker: Worker) -> None:
        self._metrics.evidence_writing.set(0)
        log.error("%s failed; it is started again in %.0f s, alerts go on\n%s", worker.name, RETRY, worker.trace)
