"""Brokers, listeners and alerts for the tests of the sinks: the real thing, on loopback."""

import json
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client, MQTTMessage, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion

from streamwatch.config import MqttConfig
from streamwatch.metrics import Metrics
from streamwatch.models.detection import ModelInfo
from streamwatch.rules.alert import Alert, AlertType
from streamwatch.sinks.outbox import MemoryOutbox, Outbox
from streamwatch.sinks.sink import Site

LIMIT = 20.0  # s for anything to happen on a loaded machine


def wait_for(condition: Callable[[], object], what: str, limit: float = LIMIT) -> None:
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, f"not within {limit} s: {what}"
        time.sleep(0.01)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def accepts(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=0.2):
            return True
    except OSError:
        return False


def make_alert(
    number: int = 1, kind: AlertType = AlertType.NEW, *, camera: str = "dock", rule: str = "fall", seq: int = 0
) -> Alert:
    now = time.time()
    return Alert(
        id=f"01J{number:023d}", seq=seq, type=kind, camera=camera, rule=rule, event="fall", zone="gate",
        severity="critical", score=0.91, peak_score=0.93, threshold=0.8, start_time=now - 1.0, time=now,
        end_time=now if kind is AlertType.END else None, summary="Fall in dock, nobody helping – тест",
        labels={"severity": "critical"}, annotations={"summary": "…"},
        model=ModelInfo("bundled", "1", "0" * 64), rule_hash="abcd",
    )  # fmt: skip


def make_site(outbox: Outbox | None = None) -> Site:
    cameras = {"dock": ["fall", "fire"], "gate": ["fall"]}
    return Site("test", cameras, MemoryOutbox() if outbox is None else outbox, Metrics())


def value(metrics: Metrics, name: str, **labels: str) -> float:
    found = metrics.registry.get_sample_value(f"streamwatch_{name}", labels)
    return 0.0 if found is None else found


class Mosquitto:
    """Debian's broker with a few lines of configuration; killed, frozen and started again at will."""

    def __init__(self, folder: Path, *lines: str) -> None:
        if (program := shutil.which("mosquitto") or shutil.which("/usr/sbin/mosquitto")) is None:
            pytest.skip("mosquitto is not installed")
        self.port = free_port()
        self._program = program
        self._file = folder / "mosquitto.conf"
        settings = lines or ("allow_anonymous true",)
        always = [
            f"listener {self.port} 127.0.0.1",
            "persistence false",
            "user root",
        ]  # root reads our files
        self._file.write_text("\n".join([*always, *settings, ""]))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [self._program, "-c", str(self._file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_for(lambda: accepts(self.port), "mosquitto accepts")

    def freeze(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(LIMIT)
            self._process = None

    def config(self, **changes: Any) -> MqttConfig:
        return MqttConfig.model_validate(
            {"host": "127.0.0.1", "port": self.port, "client_id": "streamwatch-under-test", **changes}
        )


class Listener:
    """A subscriber to everything, as another program would be."""

    def __init__(
        self,
        port: int,
        username: str | None = None,
        password: str | None = None,
        name: str = "listener",
        version: int = 4,
    ) -> None:
        self.messages: list[MQTTMessage] = []
        self._client = Client(CallbackAPIVersion.VERSION2, name, protocol=MQTTv5 if version == 5 else MQTTv311)
        if username is not None:
            self._client.username_pw_set(username, password)
        self._client.reconnect_delay_set(1, 1)
        ready: list[bool] = []

        def on_connect(client: Client, _u: object, _f: object, _r: object, _p: object) -> None:
            client.subscribe("#", 1)

        def on_subscribe(_c: Client, _u: object, _m: int, _r: object, _p: object) -> None:
            ready.append(True)

        def on_message(_c: Client, _u: object, message: MQTTMessage) -> None:
            self.messages.append(message)

        self._client.on_connect = on_connect
        self._client.on_subscribe = on_subscribe
        self._client.on_message = on_message
        self._client.connect("127.0.0.1", port, keepalive=30)
        self._client.loop_start()
        wait_for(lambda: ready, "the listener has subscribed")

    def of(self, topic: str) -> list[str]:
        """Payloads under ``topic`` in the order of arrival."""
        return [bytes(m.payload).decode() for m in list(self.messages) if m.topic == topic]

    def shows(self, topic: str, payload: str) -> bool:
        """Whether ``payload`` is the newest under ``topic``."""
        return self.of(topic)[-1:] == [payload]

    def alerts(self) -> list[dict[str, Any]]:
        return [json.loads(m.payload) for m in list(self.messages) if m.topic.startswith("streamwatch/alerts/")]

    def sequences(self) -> list[int]:
        return [alert["sequence"] for alert in self.alerts()]

    @property
    def connected(self) -> bool:
        """Whether a broker is there now."""
        return self._client.is_connected()

    def publish(self, topic: str, payload: bytes, retain: bool = False) -> None:
        self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(LIMIT)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
