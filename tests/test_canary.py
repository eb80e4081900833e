"""Passwords and tokens leave the process nowhere: searched in all that it says, sends, serves and stores."""

import base64
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streamwatch.video.h264 import film_scene
from streamwatch.video.synthetic import Scene
from tests.cli.command import STREAMWATCH, free_port, streamwatch
from tests.sinks.stage import Listener, Mosquitto
from tests.video.rtsp import RtspServer, gstreamer_missing

LIMIT = 90.0  # seconds for anything on a loaded machine
USER, PASSWORD = "ca.na@ry", "S3CR3T-CANARY"
LOGIN = f"ca.na%40ry:{PASSWORD}"
MQTT_PASSWORD = f"{PASSWORD}-mqtt"
TOKEN = f"{PASSWORD}-token-of-http"
NEEDLES = [
    b"CANARY",
    b"ca.na",
    base64.b64encode(f"{USER}:{PASSWORD}".encode()),
    base64.b64encode(f"ca.na%40ry:{PASSWORD}".encode()),
]
SECRETS = ("mqtt.secret", "wrong.secret", "http.secret", "mosquitto.conf", "passwords")

pytestmark = pytest.mark.skipif(
    shutil.which("mosquitto_passwd") is None or bool(gstreamer_missing()),
    reason="needs mosquitto and GStreamer's RTSP server",
)


class Place:
    """A folder with secrets, cameras that want them, and a broker that does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.http = free_port()
        film = film_scene(Scene("walk", seed=3, size=(320, 180), duration=8), folder)
        self.camera = RtspServer({"dock": film}, user=USER, password=PASSWORD).start()
        (folder / "mqtt.secret").write_text(MQTT_PASSWORD + "\n")
        (folder / "wrong.secret").write_text(f"{PASSWORD}-wrong\n")
        (folder / "http.secret").write_text(TOKEN + "\n")
        (folder / "passwords").touch()
        command = ["mosquitto_passwd", "-b", str(folder / "passwords"), USER, MQTT_PASSWORD]
        subprocess.run(command, check=True, capture_output=True)
        self.broker = Mosquitto(folder, "allow_anonymous false", f"password_file {folder / 'passwords'}")
        self.broker.start()
        (folder / "rules.yml").write_text("rules: [{alert: anything, when: {event: fight, on: 0.0001}}]")

    def configuration(self, name: str, secret: str = "mqtt.secret", more: str = "") -> Path:
        """With a camera that works, and cameras that fail for four reasons."""
        gone = free_port()
        urls = {
            "dock": self.camera.url("dock", login=LOGIN),
            "denied": self.camera.url("dock", login=f"ca.na%40ry:{PASSWORD}-wrong"),
            "lost": self.camera.url("nothing", login=LOGIN),
            "gone": f"rtsp://{LOGIN}@127.0.0.1:{gone}/x?password={PASSWORD}",
            "web": f"http://{LOGIN}@127.0.0.1:{gone}/x.mjpg?token={PASSWORD}",
        }
        path = self.folder / name
        path.write_text(
            f"data_dir: {self.folder}/data\nrules: [{self.folder}/rules.yml]\n"
            f"http: {{port: {self.http}, token_file: {self.folder}/http.secret}}\n"
            f"mqtt: {{host: 127.0.0.1, port: {self.broker.port}, username: '{USER}', client_id: canary,"
            f" password_file: '{self.folder}/{secret}', discovery: homeassistant, commands: true}}\n"
            "cameras:\n" + "".join(f"  - {{name: {name}, url: '{url}'{more}}}\n" for name, url in urls.items())
        )
        return path

    def get(self, page: str, token: str = TOKEN) -> str:
        """What HTTP answers, whatever its status."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.http}/{page}")
        request.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                text: str = answer.read().decode()
        except urllib.error.HTTPError as refusal:
            with refusal:
                text = f"{refusal.headers}{refusal.read().decode()}"
        return text

    def files(self, *without: str) -> Iterator[tuple[str, bytes]]:
        """Every file under the folder."""
        for path in sorted(self.folder.rglob("*")):
            if path.is_file() and path.name not in without:
                yield str(path), path.read_bytes()

    def close(self) -> None:
        self.camera.kill()
        self.broker.kill()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    place.close()


def until(condition: Callable[[], object], said: Callable[[], object]) -> None:
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline, said()
        time.sleep(0.1)


def hits(found: dict[str, bytes]) -> list[str]:
    """Where a secret shows."""
    return [f"{where}: {needle!r}" for where, data in found.items() for needle in NEEDLES if needle in data]


@pytest.mark.timeout(300)
def test_secrets_stay_inside(place: Place) -> None:
    config, log = place.configuration("streamwatch.yml"), place.folder / "log"
    found: dict[str, bytes] = {}
    listener = Listener(place.broker.port, USER, MQTT_PASSWORD)
    with log.open("wb") as stream:
        command = [STREAMWATCH, "run", "-c", str(config)]
        process = subprocess.Popen(command, stdout=stream, stderr=stream, cwd=place.folder)
    try:
        status = {"dock": "online", "denied": "offline", "lost": "offline", "gone": "offline", "web": "offline"}
        for camera, state in status.items():
            until(lambda c=camera, s=state: listener.shows(f"streamwatch/{c}/status", s), log.read_text)  # type: ignore[misc]
        until(listener.alerts, log.read_text)
        pages = ("metrics", "healthz", "readyz", "api/alerts", "nothing")
        found |= {page: place.get(page).encode() for page in pages}
        found |= {f"{page} refused": place.get(page, "another-token-0123").encode() for page in pages}
        found["cmdline"] = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        found["healthcheck"] = said("healthcheck", config)
        found["check"] = said("check", config)
        found["doctor while it runs"] = said("doctor", config, "--seconds", "1")
        place.camera.kill()
        until(lambda: listener.shows("streamwatch/dock/status", "offline"), log.read_text)
        until(lambda: listener.alerts()[-1]["type"] == "end", log.read_text)
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(LIMIT)
        listener.close()
    assert code == 0, log.read_text()
    found |= {f"MQTT {m.topic} {n}": m.topic.encode() + bytes(m.payload) for n, m in enumerate(listener.messages)}
    stored = dict(place.files(*SECRETS, config.name))
    assert {"data/alerts.sqlite", "log"} <= {str(Path(name).relative_to(place.folder)) for name in stored}
    assert b'"anything"' in found["api/alerts"]
    assert b"refused user and password" in found["doctor while it runs"]
    assert hits(found | stored) == []
    assert len(hits(dict(place.files()))) >= 4  # the search itself finds them where they may be


@pytest.mark.timeout(300)
def test_secrets_stay_inside_when_the_configuration_is_wrong(place: Place) -> None:
    denied = place.configuration("denied.yml", secret="wrong.secret")
    unknown = place.configuration("unknown.yml", more=", zonnes: []")
    broken = place.folder / "broken.yml"
    broken.write_text(f"cameras:\n  - {{name: dock, url: 'rtsp://{LOGIN}@[::1/x'}}\n  - {{name: a, url: '{LOGIN}'}}\n")
    scheme = place.folder / "scheme.yml"
    scheme.write_text(f"cameras: [{{name: dock, url: 'rtps://{LOGIN}@host/x'}}, {{name: dock, url: [{LOGIN}]}}]\n")
    syntax = place.folder / "syntax.yml"
    syntax.write_text(f"cameras: [{{name: dock, url: 'rtsp://{LOGIN}@host/x}}]\nmqtt: {{password_file: }}}}\n")
    found = {f"check {path.name}": said("check", path) for path in (unknown, broken, scheme, syntax)}
    found["doctor denied"] = said("doctor", denied, "--seconds", "1")
    found["run syntax"] = said("run", syntax)
    found["healthcheck nobody"] = said("healthcheck", denied)
    assert b"refused user and password" in found["doctor denied"]
    assert b"zonnes" in found["check unknown.yml"]
    assert b"rtps" in found["check scheme.yml"]
    assert hits(found) == []


def said(command: str, config: Path, *more: str) -> bytes:
    found = streamwatch(command, "-c", str(config), *more, cwd=config.parent)
    return (found.stdout + found.stderr).encode()
