"""The demonstration, as `streamwatch demo` runs it: real RTSP, real broker, real pack."""

import json
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from streamwatch.demo import Demo
from streamwatch.errors import ConfigError
from streamwatch.video.h264 import film_scene
from streamwatch.video.synthetic import Scene


class Screen:
    """Takes what the demonstration prints."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, line: str) -> None:
        self.lines.append(line)

    def find(self, start: str) -> list[str]:
        return [line for line in self.lines if line.startswith(start)]

    def address(self, start: str) -> str:
        return self.find(start)[0].split()[1]


def wait_for(condition: Callable[[], object], limit: float) -> None:
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.timeout(240)
def test_the_scenes_raise_alerts_within_a_minute_and_the_quiet_camera_none(tmp_path: Path) -> None:
    screen, stop = Screen(), threading.Event()
    began = time.monotonic()
    with Demo([], [], tmp_path, screen) as demo:
        waiter = threading.Thread(target=demo.wait, args=(stop, 90.0))
        waiter.start()
        try:
            wait_for(lambda: any("ALERT" in line for line in screen.lines), limit=90)
            first = time.monotonic() - began
            wait_for(lambda: {"fall", "fight"} <= {rule(line) for line in screen.lines if "ALERT" in line}, limit=60)
            metrics = urllib.request.urlopen(screen.address("metrics"), timeout=10).read().decode()
        finally:
            stop.set()
            waiter.join(30)
    assert first < 60
    assert 'streamwatch_camera_up{camera="ward"} 1.0' in metrics
    assert not [line for line in screen.lines if "ALERT" in line and "/lobby/" in line]
    assert len(screen.find("camera")) == 3


def rule(line: str) -> str:
    """The rule in a line that ends with [streamwatch/alerts/<camera>/<rule>]."""
    return line.rstrip("]").rpartition("/")[2]


@pytest.mark.timeout(120)
def test_a_video_of_ones_own_is_served_as_a_camera(tmp_path: Path) -> None:
    video = film_scene(Scene("walk", seed=1, size=(320, 180), duration=4), tmp_path)
    screen = Screen()
    with Demo([], [video], tmp_path / "data", screen):
        url = screen.address("metrics").replace("metrics", "readyz")
        wait_for(lambda: "online" in cameras(url).values(), limit=30)
        (name,) = cameras(url)
        assert name.startswith("walk-1")


def cameras(url: str) -> dict[str, str]:
    states: dict[str, str] = json.load(urllib.request.urlopen(url, timeout=10))["cameras"]
    return states


def test_a_url_that_cannot_be_watched_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--camera") as caught, Demo(["rstp://u:S3CR3T@h"], [], tmp_path, Screen()):
        pass
    assert "S3CR3T" not in str(caught.value)


def test_an_incident_without_a_clip_shows_its_snapshot_and_none_is_never_printed(tmp_path: Path) -> None:
    screen = Screen()
    demo = Demo([], [], tmp_path, screen)
    said = {"type": "update", "time": 0.0, "end_time": 1.0, "summary": "Fall", "snapshot": "a.jpg", "clip": None}
    demo._print("streamwatch/alerts/ward/fall", said)
    demo._print("streamwatch/alerts/ward/fall", said | {"clip": "a.mp4"})
    demo._print("streamwatch/alerts/ward/fall", said | {"snapshot": None})
    assert [line.rpartition("   ")[2] for line in screen.lines] == [
        "[a.jpg]",
        "[a.mp4]",
        "[streamwatch/alerts/ward/fall]",
    ]
    assert [line.split()[2] for line in screen.lines[:2]] == ["shot", "clip"]
