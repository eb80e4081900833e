"""The camera threads of a site: one each, restarted slowly if one raises, stopped together."""

import logging
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from streamwatch.video.camera import Camera
from streamwatch.worker import Worker, join_all

__all__ = ["CameraThreads"]

log = logging.getLogger(__name__)

CORES = os.cpu_count() or 1
AT_ONCE = 8 * CORES  # cameras that start together; each is decoded fully until it is known what it looks like
SPACING = 0.5 / CORES  # seconds between the starts of the others
RETRY = 30.0  # seconds until a camera whose thread raised is tried again


@dataclass(slots=True)
class _Thread:
    camera: Camera
    worker: Worker
    due: float | None = None  # monotonic time at which a failed one is started again


class CameraThreads:
    """Runs ``cameras``. A fault that no camera thread expects ends that thread alone: it is logged once with its
    traceback, shown as ``failed``, and tried again after RETRY seconds; the others go on.
    """

    def __init__(self, cameras: Mapping[str, Camera], on_failed: Callable[[str], None]) -> None:
        self._on_failed = on_failed
        self._threads = {
            name: _Thread(camera, self._worker(name, camera, max(0, number - AT_ONCE + 1) * SPACING))
            for number, (name, camera) in enumerate(cameras.items())
        }
        self._lock = threading.Lock()  # supervise runs in main, stop perhaps in a signal's thread
        self._stopped = False

    def add(self, name: str, camera: Camera) -> None:
        """Run one more, at once."""
        thread = _Thread(camera, self._worker(name, camera))
        with self._lock:
            self._threads[name] = thread
        thread.worker.start()

    def release(self, name: str) -> Worker:
        """Ask one to end for good; the worker, for the caller to join."""
        with self._lock:
            worker = self._threads.pop(name).worker
        worker.stop()
        return worker

    def spent(self) -> dict[str, float]:
        """CPU seconds of each thread since it began."""
        with self._lock:
            return {name: thread.worker.spent() for name, thread in self._threads.items()}

    def start(self) -> None:
        """Start all of them; where there are many, one after the other."""
        for thread in self._threads.values():
            thread.worker.start()

    def enable(self, name: str, enabled: bool) -> None:
        """Switch one camera on or off."""
        self._threads[name].camera.enable(enabled)

    def supervise(self, now: float) -> None:
        """Start again those that failed RETRY seconds ago; ``now`` is monotonic."""
        with self._lock:
            for name, thread in self._threads.items():
                if self._stopped or thread.worker.error is None:
                    continue
                if thread.due is None:
                    thread.due = now + RETRY
                elif now >= thread.due:
                    thread.due = None
                    thread.worker = self._worker(name, thread.camera)
                    thread.worker.start()

    def stop(self, limit: float) -> list[str]:
        """Ask all to end, wait up to ``limit`` seconds in all; the names of those that did not."""
        with self._lock:
            self._stopped = True
            workers = [thread.worker for thread in self._threads.values()]
        for worker in workers:
            worker.stop()
        return join_all(workers, limit)

    def _worker(self, name: str, camera: Camera, after: float = 0.0) -> Worker:
        def body(stop: threading.Event) -> None:
            if not stop.wait(after):
                camera.run(stop)

        return Worker(f"camera:{name}", body, lambda worker: self._failed(name, worker))

    def _failed(self, name: str, worker: Worker) -> None:
        log.error("camera %s failed; it is tried again in %.0f s\n%s", name, RETRY, worker.trace)
        self._on_failed(name)
