"""Cameras to harm: a real RTSP server behind a fault proxy, watched by the real thing, and a witness beside it."""

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from streamwatch.config import CameraConfig
from streamwatch.metrics import Metrics
from streamwatch.video.backoff import Backoff
from streamwatch.video.camera import Camera
from streamwatch.video.clock import SteadyClock
from streamwatch.video.frame import Clip
from streamwatch.video.sight import CHECKS
from streamwatch.video.window import ClipTiming
from streamwatch.worker import Worker
from tests.video.proxy import FaultProxy
from tests.video.rtsp import RtspServer, make_film

__all__ = ["LIMIT", "READ_TIMEOUT", "Arrival", "Gallery", "Watch"]

LIMIT = 60.0  # seconds for anything to come back
READ_TIMEOUT = 1.0  # seconds, of every camera here
OPEN_TIMEOUT = 2.0
TIMING = ClipTiming(size=16, frames=4, clip_seconds=0.5, stride_seconds=0.5)
FILM = 240  # seconds; a film that ends is one more reboot
STEP = 0.002  # seconds between looks


@dataclass(frozen=True, slots=True)
class Arrival:
    """A clip: when it came (monotonic seconds), how late that was, and what it says of itself."""

    at: float
    late: float
    epoch: int
    damaged: bool


class Watch:
    """A camera in its thread; remembers when what came out of it."""

    def __init__(self, url: str, remember: int = 100_000) -> None:
        self.arrivals: deque[Arrival] = deque(maxlen=remember)
        self.states: deque[tuple[float, str]] = deque(maxlen=remember)
        self.found = 0  # how often it came online
        self.metrics = Metrics()
        settings = {"read_timeout": READ_TIMEOUT, "open_timeout": OPEN_TIMEOUT, "health": dict.fromkeys(CHECKS, False)}
        config = CameraConfig.model_validate({"name": "cam", "url": url, **settings})
        self._clock = SteadyClock(time.time(), time.monotonic())
        self.camera = Camera(config, TIMING, self._take, self._told, self.metrics, clock=self._clock)
        self.worker = Worker("camera:cam", self.camera.run)
        self.worker.start()

    def _take(self, clip: Clip) -> None:
        now = time.monotonic()
        self.arrivals.append(Arrival(now, self._clock.at(now) - clip.end, clip.epoch, clip.damaged))

    def _told(self, name: str, state: str) -> None:
        self.states.append((time.monotonic(), state))
        self.found += state == "online"

    def count(self, name: str) -> float:
        """The sum of a counter over its reasons."""
        families = [f for f in self.metrics.registry.collect() if f.name == f"streamwatch_{name}"]
        return sum(s.value for f in families for s in f.samples if s.name == f"streamwatch_{name}_total")

    def state_after(self, moment: float, state: str) -> float | None:
        """When the camera first was in ``state`` after ``moment``; None if it never was in time."""
        return _await(lambda: next((at for at, found in list(self.states) if at >= moment and found == state), None))

    def clip_after(self, moment: float, fits: Callable[[Arrival], bool] = lambda _: True) -> float | None:
        """When the first undamaged clip that ``fits`` came after ``moment``."""
        return _await(
            lambda: next((a.at for a in list(self.arrivals) if a.at >= moment and not a.damaged and fits(a)), None)
        )

    def settle(self) -> None:
        """Wait until it is well, and have it forget that it was not, as after a stable minute."""
        now = time.monotonic()
        assert self.clip_after(now + 0.6) is not None, (list(self.states)[-5:], self.worker.trace)
        self.camera._backoff = Backoff(random.random)

    def stop(self) -> bool:
        """Whether the thread ended well and in time."""
        self.worker.stop()
        return self.worker.join(20.0) and self.worker.error is None


def _await(found: Callable[[], float | None]) -> float | None:
    deadline = time.monotonic() + LIMIT
    while (at := found()) is None and time.monotonic() < deadline:
        time.sleep(STEP)
    return at


class Gallery:
    """``dock`` behind its proxy, ``gate`` (the witness) straight from a server of its own, ``turning`` on demand."""

    def __init__(self, folder: Path) -> None:
        film = make_film(folder / "film.mp4", seconds=FILM, fps=15, noise=12)
        self.server = RtspServer({"dock": film})
        self.other = RtspServer({"gate": film})
        self.server.start()
        self.other.start()
        self.proxy = FaultProxy(self.server.port)
        self.dock = Watch(self.server.url("dock", self.proxy.port))
        self.witness = Watch(self.other.url("gate"))

    @contextmanager
    def turning(self) -> Iterator[Watch]:
        """A camera that changes its resolution each second. Its server is new each time: after some thirty beginnings
        and ends of a live stream that clients share, GStreamer's answers 503 for ever."""
        server = RtspServer(sizes=[(320, 180), (160, 120), (400, 300)]).start()
        watch = Watch(server.url("cam"))
        try:
            yield watch
        finally:
            watch.stop()
            server.kill()

    def close(self) -> list[str]:
        """End everything; the names of cameras that did not end well."""
        watches = {"dock": self.dock, "gate": self.witness}
        for watch in watches.values():
            watch.worker.stop()
        bad = [name for name, watch in watches.items() if not watch.stop()]
        self.proxy.close()
        self.server.kill()
        self.other.kill()
        assert not [t for t in threading.enumerate() if t.name == "proxy"]
        return bad
