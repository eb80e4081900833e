"""Fixtures of the camera tests: films, a real RTSP server, faults, and a camera that is watched."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streamwatch.config import CameraConfig
from streamwatch.metrics import Metrics
from streamwatch.video.camera import Camera
from streamwatch.video.frame import Clip
from streamwatch.video.sight import CHECKS
from streamwatch.video.window import ClipTiming
from streamwatch.worker import Worker
from tests.video.proxy import FaultProxy
from tests.video.rtsp import RtspServer, gstreamer_missing, make_film

LIMIT = 20.0  # seconds that any wait of these tests may take on a loaded machine
UNWATCHED = dict.fromkeys(CHECKS, False)  # films that are one grey would be `covered`


class Watched:
    """A camera in its thread, and what came out of it."""

    def __init__(self, url: str, timing: ClipTiming, **settings: object) -> None:
        self.clips: list[Clip] = []
        self.states: list[str] = []
        self.metrics = Metrics()
        config = CameraConfig.model_validate({"name": "cam", "url": url, "health": UNWATCHED} | settings)
        self.camera = Camera(config, timing, self.clips.append, self._told, self.metrics)
        self.worker = Worker("camera:cam", self.camera.run)
        self.worker.start()

    def until(self, condition: Callable[["Watched"], object], limit: float = LIMIT) -> float:
        """Wait for ``condition``; the seconds it took."""
        began = time.monotonic()
        while not condition(self):
            assert time.monotonic() - began < limit, (self.states, len(self.clips), self.worker.trace)
            time.sleep(0.01)
        return time.monotonic() - began

    def until_lost(self, times: int) -> None:
        """Wait until the stream has ended so many times."""
        self.until(lambda cam: cam.count("camera_reconnects_total", reason="end_of_stream") >= times)

    def count(self, name: str, **labels: str) -> float:
        """A metric's value, 0 where it has none."""
        return self.metrics.registry.get_sample_value(f"streamwatch_{name}", {"camera": "cam"} | labels) or 0.0

    def stop(self, limit: float = LIMIT) -> None:
        """Stop the thread and see that it ended well."""
        self.worker.stop()
        assert self.worker.join(limit), "the camera's thread did not end"
        assert self.worker.error is None, self.worker.trace

    def _told(self, camera: str, state: str) -> None:
        assert camera == "cam"
        assert threading.current_thread().name == "camera:cam"
        self.states.append(state)


@pytest.fixture
def watch() -> Iterator[Callable[..., Watched]]:
    """Start a camera: ``watch(url, timing=…, read_timeout=…)``; all are stopped at the end."""
    running: list[Watched] = []

    def begin(url: str, timing: ClipTiming | None = None, **settings: object) -> Watched:
        short = ClipTiming(size=16, frames=4, clip_seconds=0.5, stride_seconds=0.5)
        running.append(Watched(url, timing or short, **settings))
        return running[-1]

    yield begin
    for watched in running:
        watched.worker.stop()
    for watched in running:
        watched.stop()


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight seconds of greys."""
    return make_film(tmp_path_factory.mktemp("films") / "greys.mp4")


@pytest.fixture(scope="session")
def long_film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minute of greys: longer than any test watches."""
    return make_film(tmp_path_factory.mktemp("films") / "long.mp4", seconds=60)


@pytest.fixture(scope="session")
def gstreamer() -> None:
    """Skips where there is no GStreamer."""
    if reason := gstreamer_missing():
        pytest.skip(f"no RTSP server: {reason}")


@pytest.fixture
def serve(gstreamer: None) -> Iterator[Callable[..., RtspServer]]:
    """Start an RTSP server: ``serve(films={"dock": path})``."""
    running: list[RtspServer] = []

    def begin(**settings: object) -> RtspServer:
        running.append(RtspServer(**settings).start())  # type: ignore[arg-type]
        return running[-1]

    yield begin
    for server in running:
        server.kill()


@pytest.fixture
def proxy() -> Iterator[Callable[[int], FaultProxy]]:
    """A fault proxy before a port."""
    running: list[FaultProxy] = []

    def begin(target: int) -> FaultProxy:
        running.append(FaultProxy(target))
        return running[-1]

    yield begin
    for one in running:
        one.close()
