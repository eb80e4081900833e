"""The whole: RTSP in, alerts out, ordered start and stop."""

import json
import logging
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import paho.mqtt.client as mqtt
import pytest
from numpy.typing import NDArray
from paho.mqtt.enums import CallbackAPIVersion

import streamwatch
from streamwatch.config import Config, load_config
from streamwatch.errors import InferenceError, OrderError, WorkerLostError
from streamwatch.models.detection import Vector
from streamwatch.pipeline import Pipeline
from streamwatch.rtsp_server import serve
from streamwatch.rules.alert import Alert, AlertType
from streamwatch.rules.backtest import replay
from streamwatch.sinks.score_files import read_rows
from streamwatch.video.h264 import film_scene
from streamwatch.video.synthetic import Scene
from streamwatch.video.turns import Turns

# Any picture is at least a little like an event: what is tested here is the way from camera to alert.
RULES = """
rules:
  - {alert: anything, cameras: [dock], when: {any: [{event: fight, on: 0.0001}, {event: fall, on: 0.0001}]}}
  - {alert: left, cameras: [dock], when: {event: fall, on: 0.0001, zone: left}}
  - {alert: tryout, shadow: true, when: {event: fall, on: 0.0001}}
"""
ZONES = "zones: [{name: left, polygon: [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]}]"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real RTSP camera."""
    film = film_scene(Scene("walk", seed=1, size=(320, 180), duration=6), tmp_path_factory.mktemp("films"))
    with serve({"dock": film}) as urls:
        yield urls["dock"]


@pytest.fixture
def path(tmp_path: Path, url: str) -> Path:
    """A configuration with that camera and one that is never there."""
    (tmp_path / "rules.yml").write_text(RULES)
    config = tmp_path / "streamwatch.yml"
    config.write_text(f"""
data_dir: {tmp_path}/data
rules: [{tmp_path}/rules.yml]
mqtt: {{port: {free_port()}, client_id: test}}
http: {{port: {free_port()}}}
cameras:
  - {{name: dock, url: "{url}", {ZONES}}}
  - {{name: gone, url: "rtsp://u:S3CR3T@127.0.0.1:{free_port()}/x"}}
""")
    return config


def wait_for(condition: Callable[[], object], limit: float = 30) -> None:
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def get(config: Config, page: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{config.http.port}/{page}", timeout=10) as answer:
        text: str = answer.read().decode()
        return text


class Subscriber:
    """A user's own MQTT client."""

    def __init__(self, port: int) -> None:
        self.messages: list[tuple[str, str]] = []
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2)
        self.client.on_message = lambda client, data, message: self.messages.append(
            (message.topic, message.payload.decode(errors="replace"))  # snapshots, too
        )
        self.client.connect("127.0.0.1", port)
        self.client.subscribe("#", qos=1)
        self.client.loop_start()

    def last(self, topic: str) -> str | None:
        return dict(self.messages).get(f"streamwatch/{topic}")

    def alerts(self, topic: str) -> list[dict[str, object]]:
        return [json.loads(text) for found, text in self.messages if found == f"streamwatch/alerts/{topic}"]

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.mark.timeout(120)
def test_from_camera_to_subscriber(path: Path) -> None:
    config = load_config(path)
    pipeline = Pipeline(config)
    subscriber = Subscriber(config.mqtt.port)
    try:
        with pipeline:
            wait_for(lambda: subscriber.alerts("dock/anything") and subscriber.alerts("dock/left"))
            wait_for(lambda: subscriber.last("gone/status") == "offline")
            wait_for(lambda: subscriber.last("dock/alert/anything/state") == "ON")
            ready = json.loads(get(config, "readyz"))
            metrics = get(config, "metrics")
        wait_for(lambda: subscriber.last("available") == "stopped")
    finally:
        subscriber.close()
    new = subscriber.alerts("dock/anything")[0]
    assert (new["schema"], new["type"], new["seq"]) == ("streamwatch.alert/1", "new", 0)
    assert new["camera"] == "dock"
    assert abs(float(str(new["time"])) - time.time()) < 60
    assert subscriber.alerts("dock/left")[0]["zone"] == "left"
    last = subscriber.alerts("dock/anything")[-2:]
    assert [alert["type"] for alert in last] == ["end", "update"], "the last says where the evidence is"
    assert str(last[-1]["snapshot"]).startswith("evidence/dock/")
    assert subscriber.last("dock/alert/anything/state") == "OFF"
    assert ready["cameras"] == {"dock": "online", "gone": "offline"}
    assert ready["degraded"] == ["camera gone: offline"]
    assert 'streamwatch_camera_up{camera="dock"} 1.0' in metrics
    assert 'streamwatch_camera_reconnects_total{camera="gone",reason="refused"}' in metrics
    assert "S3CR3T" not in metrics + str(subscriber.messages) + str(ready)
    assert not subscriber.alerts("dock/tryout")
    assert 'streamwatch_alerts_total{camera="dock",rule="tryout",type="new"} 1.0' in metrics


@pytest.mark.timeout(120)
def test_rules_come_and_go_while_it_runs(path: Path) -> None:
    """States over MQTT: ON for a rule that was not there at the start, OFF for one that is gone."""
    config = load_config(path)
    pipeline = Pipeline(config)
    subscriber = Subscriber(config.mqtt.port)
    stop = threading.Event()
    waiter = threading.Thread(target=pipeline.wait, args=(stop,))
    rules = path.parent / "rules.yml"
    try:
        with pipeline:
            waiter.start()
            wait_for(lambda: subscriber.last("dock/alert/left/state") == "ON")
            rules.write_text(RULES.replace("alert: left", "alert: fresh"))
            pipeline.request_reload()
            wait_for(lambda: subscriber.last("dock/alert/fresh/state") == "ON")
            wait_for(lambda: subscriber.last("dock/alert/left/state") == "OFF")
            assert subscriber.last("dock/alert/anything/state") == "ON"
            assert [rule.name for rule in pipeline.rules] == ["anything", "fresh", "tryout"]
            rules.write_text("rules: [")
            assert pipeline.reload()["applied"] is False
            assert len(pipeline.rules) == 3
            rules.write_text(
                RULES.replace("alert: left", "alert: fresh").replace("alert: anything", "shadow: true, alert: anything")
            )
            assert pipeline.reload()["applied"] is True
            wait_for(lambda: subscriber.last("dock/alert/anything/state") == "OFF")
            assert subscriber.last("dock/alert/fresh/state") == "ON"
            stop.set()
            waiter.join(20)
        wait_for(lambda: subscriber.last("dock/alert/fresh/state") == "OFF")
    finally:
        stop.set()
        subscriber.close()
    assert len({alert["id"] for alert in subscriber.alerts("dock/anything")}) == 1  # it went on over the first reload
    assert "end" in [alert["type"] for alert in subscriber.alerts("dock/left")]


@pytest.mark.timeout(120)
def test_a_subscriber_asks_for_a_reload_and_hears_what_became_of_it(path: Path) -> None:
    path.write_text(path.read_text().replace("client_id: test", "client_id: test, commands: true"))
    config = load_config(path)
    pipeline = Pipeline(config)
    subscriber = Subscriber(config.mqtt.port)
    stop = threading.Event()
    waiter = threading.Thread(target=pipeline.wait, args=(stop,))
    try:
        with pipeline:
            waiter.start()
            wait_for(lambda: subscriber.last("dock/alert/anything/state") == "ON")
            (path.parent / "rules.yml").write_text(RULES.replace("alert: left", "alert: fresh"))
            subscriber.client.publish("streamwatch/rules/reload", "{}", qos=1)
            wait_for(lambda: subscriber.last("rules/applied"))
            answer = json.loads(subscriber.last("rules/applied") or "")
            wait_for(lambda: subscriber.last("dock/alert/fresh/state") == "ON")
            stop.set()
            waiter.join(20)
    finally:
        stop.set()
        subscriber.close()
    assert (answer["applied"], answer["rules"]) == (True, 3)


@pytest.mark.timeout(120)
def test_a_subscriber_acknowledges_and_snoozes(path: Path) -> None:
    path.write_text(path.read_text().replace("client_id: test", "client_id: test, commands: true"))
    config = load_config(path)
    subscriber = None
    with Pipeline(config) as pipeline:
        try:
            subscriber = Subscriber(config.mqtt.port)
            wait_for(lambda: subscriber.alerts("dock/anything"))
            incident = str(subscriber.alerts("dock/anything")[0]["id"])
            subscriber.client.publish(f"streamwatch/alerts/{incident}/ack", '{"by": "Ann"}', qos=1)
            wait_for(lambda: subscriber.alerts("dock/anything")[-1]["state"] == "acknowledged")
            assert "'by': 'Ann'" in str(subscriber.alerts("dock/anything")[-1]["acknowledged"])
            assert subscriber.last("rules/snoozed") == "[]"
            subscriber.client.publish("streamwatch/rules/snooze", '{"rule": "left", "for": "1h"}', qos=1)
            wait_for(lambda: "left" in (subscriber.last("rules/snoozed") or ""))
            assert "left on every camera" in get(config, "readyz")
            with pytest.raises(OrderError, match="already"):
                pipeline.acknowledge(incident)
            wait_for(lambda: subscriber.last("answer"))
            assert json.loads(subscriber.last("answer") or "")["done"] is True
        finally:
            if subscriber is not None:
                subscriber.close()


@pytest.mark.timeout(120)
def test_alerts_can_be_iterated_in_process_and_sequences_go_on(path: Path) -> None:
    def first() -> Alert:
        with streamwatch.open(path) as pipeline:
            return next(alert for alert in pipeline if alert.type is AlertType.NEW)

    assert first().camera == "dock"
    pipeline = Pipeline(load_config(path))
    kept = pipeline.outbox.alerts_after(0, 100)
    pipeline.stop()
    assert [entry.sequence for entry in kept] == list(range(1, len(kept) + 1))
    assert {entry.alert.type for entry in kept} >= {AlertType.NEW, AlertType.END}


@pytest.mark.timeout(120)
def test_a_replay_of_the_score_log_opens_what_was_opened_live(path: Path) -> None:
    with streamwatch.open(path) as pipeline:
        opened = next(alert for alert in pipeline if alert.type is AlertType.NEW and alert.rule == "anything")
        assert opened.camera == "dock"
    kept = Pipeline(load_config(path))
    alerts = [entry.alert for entry in kept.outbox.alerts_after(0, 100)]
    kept.stop()
    found = replay(read_rows(pipeline.config.data_dir / "scores"), pipeline.rules)
    fresh = [alert for alert in found.alerts if alert.type is AlertType.NEW and not alert.shadow]
    assert [(a.rule, a.start_time, a.time, a.score) for a in fresh] == [
        (a.rule, a.start_time, a.time, a.score) for a in alerts if a.type is AlertType.NEW
    ]


@pytest.mark.timeout(60)
def test_alerts_that_nobody_wants_to_iterate_are_not_counted_as_dropped(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A running service never iterates: its alerts are in the outbox, and its metrics must not say otherwise."""
    monkeypatch.setattr("streamwatch.delivery.UNREAD", 1)
    with streamwatch.open(path) as pipeline:
        wait_for(lambda: len(pipeline.outbox.alerts_after(0, 10)) >= 2)
        assert (
            pipeline.metrics.registry.get_sample_value("streamwatch_alerts_dropped_total", {"reason": "unread"}) is None
        )


@pytest.mark.timeout(60)
def test_all_threads_end_with_the_block(path: Path) -> None:
    before = {thread.name for thread in threading.enumerate()}
    with streamwatch.open(path) as pipeline:
        running = {thread.name for thread in threading.enumerate()}
        assert {"camera:dock", "camera:gone", "inference", "rules", "sink:mqtt", "http", "broker"} <= running
    pipeline.stop()
    wait_for(lambda: {thread.name for thread in threading.enumerate()} <= before)


@pytest.mark.timeout(60)
def test_a_machine_too_slow_for_its_cameras_says_so_until_it_is_not(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("streamwatch.overload.PERIOD", 1.0)
    full = threading.Event()
    monkeypatch.setattr(Turns, "begin", lambda turns, turn, now: not full.is_set())
    monkeypatch.setattr(Turns, "swap", lambda turns, turn, now: full.is_set())
    caplog.set_level(logging.INFO, "streamwatch.overload")

    with streamwatch.open(path) as pipeline:

        def degraded() -> str:
            pipeline.supervise()
            return str(json.loads(get(pipeline.config, "readyz"))["degraded"])

        wait_for(lambda: "streamwatch_windows_total" in get(pipeline.config, "metrics"))
        assert "too slow" not in degraded()
        full.set()
        wait_for(lambda: "machine too slow for its cameras" in degraded())
        wait_for(lambda: value(pipeline, "streamwatch_clips_dropped_total", reason="overload") >= 3)
        full.clear()
        wait_for(lambda: "too slow" not in degraded())
    said = [record.levelname for record in caplog.records if record.name == "streamwatch.overload"]
    assert said == ["WARNING", "INFO"]


def value(pipeline: Pipeline, name: str, **labels: str) -> float:
    return pipeline.metrics.registry.get_sample_value(name, {"camera": "dock"} | labels) or 0.0


def test_a_session_that_fails_ends_the_pipeline(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(frames: NDArray[np.uint8]) -> tuple[Vector, Vector, Vector]:
        raise InferenceError("device lost")

    with pytest.raises(InferenceError, match="device lost"), streamwatch.open(path) as pipeline:
        monkeypatch.setattr(pipeline.model, "encode", fail)
        pipeline.wait(threading.Event())


@pytest.mark.timeout(120)
def test_a_session_that_hangs_ends_the_pipeline(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamwatch.watchdog.GIVE_UP", 3.0)
    hung = threading.Event()

    def hang(frames: NDArray[np.uint8]) -> tuple[Vector, Vector, Vector]:
        hung.wait(60)
        raise InferenceError("too late")

    pipeline = Pipeline(load_config(path))
    monkeypatch.setattr(pipeline.model, "encode", hang)
    alive: list[float] = []
    with pytest.raises(WorkerLostError, match="inference"), pipeline:
        pipeline.wait(threading.Event(), alive=lambda: alive.append(time.monotonic()))
    hung.set()
    assert time.monotonic() - alive[-1] < 25  # 3 s, and what an ordered stop waits for a thread that hangs
