"""Evidence from end to end: a recorded fight as an RTSP camera, a rule that fires, and what is left of it."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from streamwatch.config import Config, load_config
from streamwatch.evidence.ledger import Ledger
from streamwatch.evidence.salvage import salvage
from streamwatch.evidence.verify import verify
from streamwatch.pipeline import Pipeline
from streamwatch.rtsp_server import serve
from streamwatch.rules.alert import Alert, AlertType
from streamwatch.sinks.states import OpenIncidents
from streamwatch.video.h264 import film_video
from tests.evidence.footage import probe
from tests.sinks.stage import Listener

DATA = Path(os.environ.get("STREAMWATCH_DATA", Path(__file__).parent.parent.parent / "shared" / "data"))
FILM = DATA / "feeds" / "stairwell_fight.mp4"
GOP = 8.4  # seconds, its longest
LIMIT = 90.0
# Any picture is at least a little like a fight: what is tested here is what becomes of the incident.
RULES = "rules: [{alert: anything, when: {event: fight, on: 0.0001}}]"
PAGE = """<video id=v muted preload=auto src="clip.mp4"></video><script>
const v = document.getElementById("v");
const say = what => { new Image().src = "http://127.0.0.1:PORT/?" + encodeURIComponent(JSON.stringify(
    [what, v.readyState, v.duration, v.videoWidth, v.videoHeight, v.currentTime])); };
v.onloadeddata = () => { say("data"); v.currentTime = v.duration / 2; };
v.onseeked = () => say("seeked");
v.onerror = () => say("error " + v.error.message);
</script>"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition: Callable[[], object], limit: float = LIMIT) -> None:
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The recorded fight, over and over, as a camera."""
    if not FILM.exists():
        pytest.skip(f"no recorded feed at {FILM}; set STREAMWATCH_DATA")
    with serve({"stairs": film_video(FILM, tmp_path_factory.mktemp("films"))}) as urls:
        yield urls["stairs"]


def write_config(folder: Path, url: str) -> Path:
    (folder / "rules.yml").write_text(RULES)
    path = folder / "streamwatch.yml"
    path.write_text(f"""
data_dir: {folder}/data
rules: [{folder}/rules.yml]
mqtt: {{port: {free_port()}, client_id: test}}
http: {{port: {free_port()}}}
evidence: {{pre_s: 4, post_s: 1, min_free: 0}}
cameras: [{{name: stairs, url: "{url}"}}]
""")
    return path


@dataclass
class Outcome:
    """What a run left: its configuration, alerts in order, what a subscriber and an HTTP client got."""

    config: Config
    alerts: list[Alert]
    snapshots: list[bytes]
    answers: dict[str, tuple[int, bytes]]
    clip: Path


@pytest.fixture(scope="module")
def outcome(url: str, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """An incident that lasts until the camera is switched off."""
    config = load_config(write_config(tmp_path_factory.mktemp("run"), url))
    pipeline = Pipeline(config)
    listener = Listener(config.mqtt.port)
    topic = "streamwatch/stairs/alert/anything/snapshot"
    alerts: list[Alert] = []
    answers: dict[str, tuple[int, bytes]] = {}
    with pipeline:
        for alert in pipeline:
            alerts.append(alert)
            if alert.type is AlertType.NEW:
                wait_for(lambda: any(message.topic == topic for message in listener.messages))
                pipeline._stages.on_command("stairs", False)
            if alert.clip is not None:
                break
        for name, part in {"clip": None, "part": "bytes=0-99", "snapshot": None, "json": None, "x": None}.items():
            answers[name] = fetch(config, f"{alerts[-1].id}/{'clip' if name == 'part' else name}", part)
        answers["other"] = fetch(config, "..%2F..%2Falerts.sqlite/json")
    snapshots = [bytes(message.payload) for message in listener.messages if message.topic == topic]
    listener.close()
    return Outcome(config, alerts, snapshots, answers, config.data_dir / str(alerts[-1].clip))


def fetch(config: Config, page: str, part: str | None = None) -> tuple[int, bytes]:
    request = urllib.request.Request(f"http://127.0.0.1:{config.http.port}/api/evidence/{page}")
    if part is not None:
        request.add_header("Range", part)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


pytestmark = pytest.mark.timeout(240)


def test_the_last_word_says_where_the_files_are(outcome: Outcome) -> None:
    last, end = outcome.alerts[-1], outcome.alerts[-2]
    assert (end.type, last.type, last.seq) == (AlertType.END, AlertType.UPDATE, end.seq + 1)
    assert [alert.seq for alert in outcome.alerts] == list(range(len(outcome.alerts)))
    assert last.end_time == end.end_time
    assert last.clip == f"evidence/stairs/{outcome.clip.parent.name}/{last.id}.mp4"
    assert (outcome.config.data_dir / str(last.snapshot)).read_bytes().startswith(b"\xff\xd8")
    incidents = OpenIncidents()
    assert [incidents.observe(alert) for alert in outcome.alerts][-2:] == [False, False]


def test_the_clip_begins_before_the_incident_and_not_much_before(outcome: Outcome) -> None:
    record = json.loads(outcome.clip.with_suffix(".json").read_text())
    began, clip = outcome.alerts[0].start_time, record["clip"]
    assert began - 4 - GOP - 0.5 <= clip["start"] <= began
    assert clip["end"] >= record["alert"]["end_time"] - 1  # the camera is off: there is no more than that
    assert record["scores"]
    assert clip["gaps"] == []


def test_the_clip_decodes_without_a_complaint(outcome: Outcome) -> None:
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed")
    codec, tag, width = probe(outcome.clip, "codec_name", "codec_tag_string", "width")
    assert (codec, tag, width) == ("h264", "avc1", "854")


def test_the_clip_plays_in_a_browser(outcome: Outcome, tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no chromium to play it in")
    shutil.copy(outcome.clip, tmp_path / "clip.mp4")
    said: list[list[Any]] = []

    class Ear(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            said.append(json.loads(unquote(self.path.partition("?")[2]) or "[]"))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Ear) as server:
        (tmp_path / "page.html").write_text(PAGE.replace("PORT", str(server.server_port)))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--mute-audio", f"--user-data-dir={tmp_path}/profile"]
        page = (tmp_path / "page.html").as_uri()
        process = subprocess.Popen(
            [browser, *options, "--remote-debugging-port=0", page],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            wait_for(lambda: len(said) >= 2 or any("error" in str(one) for one in said))
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(20)
            server.shutdown()
    (what, ready, seconds, width, height, _), sought = said[:2]
    assert (what, width, height) == ("data", 854, 480), said
    assert ready >= 2
    record = json.loads(outcome.clip.with_suffix(".json").read_text())["clip"]
    assert seconds == pytest.approx(record["end"] - record["start"], abs=0.5)
    assert (sought[0], sought[5]) == ("seeked", pytest.approx(seconds / 2, abs=0.5)), said


def test_a_snapshot_was_sent_to_those_who_subscribe(outcome: Outcome) -> None:
    assert outcome.snapshots
    assert all(jpeg.startswith(b"\xff\xd8") and len(jpeg) < 256 << 10 for jpeg in outcome.snapshots)


def test_http_gives_the_files_and_parts_of_them(outcome: Outcome) -> None:
    clip = outcome.clip.read_bytes()
    assert outcome.answers["clip"] == (200, clip)
    assert outcome.answers["part"] == (206, clip[:100])
    assert outcome.answers["snapshot"] == (200, outcome.clip.with_suffix(".jpg").read_bytes())
    assert json.loads(outcome.answers["json"][1])["id"] == outcome.alerts[0].id
    assert outcome.answers["x"][0] == outcome.answers["other"][0] == 404


def test_nothing_was_changed_since(outcome: Outcome) -> None:
    report = verify(outcome.config.data_dir / "evidence")
    assert (report.faults, report.incidents) == ((), 1)


def test_a_kill_in_the_middle_leaves_no_partial_clip(url: str, tmp_path: Path) -> None:
    path = write_config(tmp_path, url)
    evidence = tmp_path / "data" / "evidence"
    with (tmp_path / "log").open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "streamwatch", "run", "-c", str(path)], stderr=file, stdout=file
        )
    try:
        wait_for(lambda: any(part.stat().st_size > 50_000 for part in evidence.glob("*/*/*.mp4.part")))
        wait_for(lambda: list(evidence.glob("*/*/*.jpg")))
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(20)
    assert not list(evidence.glob("*/*/*.mp4"))
    ledger = Ledger(evidence)
    assert salvage(evidence, ledger) == 1  # the snapshot is worth a record
    assert not list(evidence.glob("*/*/*.part"))
    assert verify(evidence).faults == ()
