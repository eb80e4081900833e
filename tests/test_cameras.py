"""Camera threads: one failing leaves the others alone and is tried again."""

import threading
import time
from collections.abc import Callable

import pytest

from streamwatch.cameras import RETRY, CameraThreads
from streamwatch.config import CameraConfig
from streamwatch.metrics import Metrics
from streamwatch.secret import SecretUrl
from streamwatch.video.camera import Camera
from streamwatch.video.frame import Clip
from streamwatch.video.window import ClipTiming


class Site:
    """Two synthetic cameras; ``broken`` has a consumer that raises until it is mended."""

    def __init__(self) -> None:
        self.clips: list[str] = []
        self.failed: list[str] = []
        self.mended = threading.Event()
        self.threads = CameraThreads(
            {name: self.camera(name, deliver) for name, deliver in [("good", self.take), ("broken", self.stumble)]},
            self.failed.append,
        )

    def camera(self, name: str, deliver: Callable[[Clip], None]) -> Camera:
        url = SecretUrl("synthetic:walk?seed=1&duration=60&size=64x64&fps=16")
        timing = ClipTiming(size=32, frames=2, clip_seconds=0.25, stride_seconds=0.25)
        return Camera(CameraConfig(name=name, url=url), timing, deliver, lambda *_: None, Metrics())

    def take(self, clip: Clip) -> None:
        self.clips.append(clip.camera)

    def stumble(self, clip: Clip) -> None:
        if not self.mended.is_set():
            raise RuntimeError("a fault of ours")
        self.take(clip)


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_failing_camera_is_restarted_after_a_while_and_the_others_go_on() -> None:
    site = Site()
    site.threads.start()
    try:
        wait_for(lambda: site.failed == ["broken"] and "good" in site.clips)
        now = time.monotonic()
        site.threads.supervise(now)
        site.threads.supervise(now + RETRY - 1)
        assert site.failed == ["broken"]
        site.mended.set()
        site.threads.supervise(now + RETRY)
        wait_for(lambda: "broken" in site.clips)
    finally:
        assert site.threads.stop(20) == []
    assert site.failed == ["broken"]


def test_a_camera_can_be_switched_off() -> None:
    site = Site()
    site.threads.start()
    try:
        wait_for(lambda: "good" in site.clips)
        site.threads.enable("good", False)
        time.sleep(0.5)
        seen = len(site.clips)
        time.sleep(0.6)
        assert len(site.clips) == seen
        site.threads.enable("good", True)
        wait_for(lambda: len(site.clips) > seen)
    finally:
        assert site.threads.stop(20) == []


def test_stopped_cameras_stay_stopped() -> None:
    site = Site()
    site.threads.start()
    wait_for(lambda: site.failed == ["broken"])
    site.threads.supervise(time.monotonic())
    assert site.threads.stop(20) == []
    site.mended.set()
    site.threads.supervise(time.monotonic() + 2 * RETRY)
    time.sleep(0.5)
    assert "broken" not in site.clips


def test_many_cameras_start_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamwatch.cameras.AT_ONCE", 1)
    monkeypatch.setattr("streamwatch.cameras.SPACING", 300.0)
    site = Site()
    site.mended.set()
    site.threads.start()
    try:
        wait_for(lambda: len(site.clips) >= 3)
        assert set(site.clips) == {"good"}
    finally:
        assert site.threads.stop(20.0) == []  # one that waits for its turn ends at once


def test_cameras_come_and_go_while_others_run() -> None:
    site = Site()
    site.threads.add("late", site.camera("late", site.take))
    try:
        wait_for(lambda: "late" in site.clips)
        assert site.threads.spent()["late"] > 0
        assert site.threads.release("late").join(20)
        seen = len(site.clips)
        time.sleep(0.6)
        assert (len(site.clips), "late" in site.threads.spent()) == (seen, False)
    finally:
        assert site.threads.stop(20) == []
