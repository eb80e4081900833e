"""What is shipped, together: Mosquitto, Prometheus and streamwatch with two cameras, of which one is killed."""

import json
import re
import shutil
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from streamwatch.video.h264 import film_scene
from streamwatch.video.synthetic import Scene
from tests.cli.command import STREAMWATCH, free_port
from tests.deploy.test_grafana import PANELS, queries
from tests.sinks.stage import Listener
from tests.video.rtsp import RtspServer, gstreamer_missing

DEPLOY = Path(__file__).parents[2] / "deploy"
PROGRAMS = ("mosquitto", "prometheus")
LIMIT = 90.0  # s, on a loaded machine

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        any(shutil.which(name) is None for name in PROGRAMS) or bool(gstreamer_missing()),
        reason="needs mosquitto, prometheus and GStreamer's RTSP server",
    ),
]


@dataclass
class Site:
    """The running whole."""

    prometheus: int
    broker: int
    http: int
    cameras: dict[str, RtspServer]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """What the real Prometheus answers."""
        url = f"http://127.0.0.1:{self.prometheus}/api/v1/query?query={quote(expression)}"
        with urllib.request.urlopen(url, timeout=20) as answer:
            found = json.load(answer)
        assert found["status"] == "success", found
        result: list[dict[str, Any]] = found["data"]["result"]
        return result

    def wait_for(self, expression: str) -> list[dict[str, Any]]:
        """Until the expression has an answer."""
        deadline = time.monotonic() + LIMIT
        while not (found := self.query(expression)):
            assert time.monotonic() < deadline, f"nothing for {expression}"
            time.sleep(0.3)
        return found


def mosquitto(folder: Path, port: int) -> list[str]:
    """The broker with the configuration of compose, in ``folder``."""
    text = (DEPLOY / "compose" / "mosquitto.conf").read_text()
    text = text.replace("listener 1883", f"listener {port} 127.0.0.1").replace("/mosquitto/data/", f"{folder}/")
    (folder / "mosquitto.conf").write_text(text + "user root\n")
    return ["mosquitto", "-c", str(folder / "mosquitto.conf")]


def prometheus(folder: Path, port: int, target: int) -> list[str]:
    """Prometheus with the shipped files, sixty times as quick: a minute in the rules is a second."""
    rules = (DEPLOY / "prometheus" / "streamwatch.rules.yml").read_text()
    (folder / "streamwatch.rules.yml").write_text(re.sub(r"for: (\d+)m", r"for: \1s", rules))
    config = (DEPLOY / "prometheus" / "prometheus.yml").read_text()
    config = config.replace("15s", "1s").replace("streamwatch:9108", f"127.0.0.1:{target}")
    (folder / "prometheus.yml").write_text(config)
    return [
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]


def configuration(folder: Path, broker: int, http: int, cameras: dict[str, RtspServer]) -> Path:
    listed = "\n".join(f"  - {{name: {name}, url: '{server.url(name)}'}}" for name, server in cameras.items())
    path = folder / "streamwatch.yml"
    path.write_text(
        f"data_dir: {folder}/data\nmqtt: {{host: 127.0.0.1, port: {broker}}}\nhttp: {{port: {http}}}\n"
        f"rules: [{folder}/rules.yml]\ncameras:\n{listed}\n"
    )
    (folder / "rules.yml").write_text("rules: [{alert: anything, when: {event: fight, on: 0.0001}}]")
    return path


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    film = film_scene(Scene("walk", seed=3, size=(320, 180), duration=20), folder)
    cameras = {name: RtspServer({name: film}).start() for name in ("dock", "gate")}
    here = Site(free_port(), free_port(), free_port(), cameras)
    running: list[subprocess.Popen[bytes]] = []

    def start(command: list[str], name: str) -> None:
        with (folder / f"{name}.log").open("wb") as log:
            running.append(subprocess.Popen(command, stdout=log, stderr=log, cwd=folder))

    try:
        start(mosquitto(folder, here.broker), "mosquitto")
        start(prometheus(folder, here.prometheus, here.http), "prometheus")
        config = configuration(folder, here.broker, here.http, cameras)
        start([STREAMWATCH, "run", "-c", str(config)], "streamwatch")
        wait_until(lambda: here.query("sum(streamwatch_camera_up) == 2"), (folder / "streamwatch.log").read_text)
        yield here
    finally:
        for process in reversed(running):
            process.send_signal(signal.SIGTERM)
        codes = [process.wait(30) for process in reversed(running)]
        for server in cameras.values():
            server.kill()
    assert codes[0] == 0, (folder / "streamwatch.log").read_text()


def wait_until(condition: Callable[[], object], said: Callable[[], str]) -> None:
    deadline = time.monotonic() + LIMIT
    while True:
        try:
            if condition():
                return
        except OSError:  # Prometheus does not listen yet
            pass
        assert time.monotonic() < deadline, said()
        time.sleep(0.3)


def test_alerts_reach_a_subscriber_through_the_shipped_broker(site: Site) -> None:
    listener = Listener(site.broker)
    wait_until(
        lambda: any(m.topic == "streamwatch/dock/alert/anything/state" for m in listener.messages),
        lambda: str([m.topic for m in listener.messages]),
    )
    listener.close()


def test_the_dashboard_asks_what_prometheus_can_answer(site: Site) -> None:
    site.wait_for("streamwatch_windows_total > 2")
    asked = [query for panel in PANELS for query in queries(panel)]
    wait_until(lambda: answered(site, asked) >= 20, lambda: f"{answered(site, asked)} of {len(asked)} have an answer")


def answered(site: Site, asked: list[str]) -> int:
    """How many queries find something; what never happened here (a drop, an error) has no series."""
    names = {"$__rate_interval": "5s", "$instance": ".*", "$camera": ".*"}
    return sum(
        bool(site.query(reduce(lambda text, name: text.replace(name, names[name]), names, query))) for query in asked
    )


def test_a_killed_camera_is_told_by_prometheus(site: Site) -> None:
    site.wait_for("streamwatch_camera_up{camera='dock'} == 1")
    assert site.query("ALERTS{alertname='StreamwatchCameraDown', alertstate='firing'}") == []
    site.cameras["dock"].kill()
    (found,) = site.wait_for("ALERTS{alertname='StreamwatchCameraDown', alertstate='firing'}")
    assert found["metric"]["camera"] == "dock"
    assert site.query("ALERTS{alertname='StreamwatchSiteBlind', alertstate='firing'}") == []
    site.cameras["dock"].start()
    site.wait_for("sum(streamwatch_camera_up) == 2")
    site.wait_for("absent(ALERTS{alertname='StreamwatchCameraDown', alertstate='firing'})")
