"""The shipped broker configuration, in a real Mosquitto: who may do what, and that nothing is dropped."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from streamwatch.sinks.mqtt import LinkState, MqttSink
from streamwatch.worker import Worker
from tests.sinks.authority import Authority
from tests.sinks.stage import LIMIT, Mosquitto, make_alert, make_site, wait_for

SHIPPED = Path(__file__).parents[2] / "deploy" / "mosquitto"
USERS = ("streamwatch", "viewer", "operator", "homeassistant")


class Shipped(Mosquitto):
    """The files as they ship, but for the folder, the port and that root may run it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.authority = Authority(folder)
        cert, key = self.authority.sign("server", "127.0.0.1")
        text = (SHIPPED / "mosquitto.conf").read_text()
        for name, path in {
            "/etc/mosquitto/certs/ca.crt": self.authority.ca_file,
            "/etc/mosquitto/certs/server.crt": cert,
            "/etc/mosquitto/certs/server.key": key,
            "/etc/mosquitto/passwords": folder / "passwords",
            "/etc/mosquitto/acl": folder / "acl",
            "/var/lib/mosquitto/": f"{folder}/",
            "listener 8883": f"listener {self.port} 127.0.0.1",
        }.items():
            assert name in text
            text = text.replace(name, str(path))
        self._file.write_text(f"user root\n{text}")
        (folder / "acl").write_text((SHIPPED / "acl").read_text())
        (folder / "acl").chmod(0o600)
        (folder / "passwords").touch(mode=0o600)
        for user in USERS:
            command = ["mosquitto_passwd", "-b", str(folder / "passwords"), user, f"{user}-secret"]
            subprocess.run(command, check=True, capture_output=True)
            (folder / f"{user}.password").write_text(f"{user}-secret")
        self.folder = folder


class User:
    """A client of MQTT 5, which tells whether a publish was allowed; with a session that outlives it."""

    def __init__(self, broker: Shipped, name: str, *topics: str) -> None:
        self.messages: list[MQTTMessage] = []
        self.answers: dict[int, bool] = {}
        self._client = client = Client(CallbackAPIVersion.VERSION2, f"{name}-client", protocol=MQTTv5)
        client.username_pw_set(name, f"{name}-secret")
        client.tls_set(str(broker.authority.ca_file))
        client.reconnect_delay_set(1, 1)  # Mosquitto 2.0.11 hangs up after it has refused a publish
        ready: list[bool] = []
        session = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        session.SessionExpiryInterval = 3600

        def on_publish(_c: Client, _u: object, mid: int, reason: ReasonCode, _p: Properties) -> None:
            self.answers[mid] = not reason.is_failure

        def on_message(_c: Client, _u: object, message: MQTTMessage) -> None:
            self.messages.append(message)

        def on_connect(_c: Client, _u: object, _f: object, reason: ReasonCode, _p: object) -> None:
            ready.append(not reason.is_failure)
            for topic in topics:
                client.subscribe(topic, 1)

        client.on_publish = on_publish
        client.on_message = on_message
        client.on_connect = on_connect
        client.connect("127.0.0.1", broker.port, clean_start=False, properties=session)
        client.loop_start()
        wait_for(lambda: ready, "an answer")
        self.connected = ready[0]

    def may(self, topic: str, payload: bytes = b"{}") -> bool:
        """Asked again after a while: what is published while the broker hangs up has no answer."""
        mids: set[int] = set()
        deadline = time.monotonic() + LIMIT
        while time.monotonic() < deadline:
            if self._client.is_connected():
                mids.add(self._client.publish(topic, payload, qos=1).mid)
            until = time.monotonic() + 1.5
            while time.monotonic() < until:
                if found := mids & self.answers.keys():
                    return self.answers[found.pop()]
                time.sleep(0.02)
        raise AssertionError(f"no answer for {topic}")

    def alerts(self) -> list[dict[str, Any]]:
        found = list(self.messages)
        return [json.loads(m.payload) for m in found if m.topic.startswith("streamwatch/alerts/dock/")]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Shipped]:
    shipped = Shipped(tmp_path)
    shipped.start()
    yield shipped
    shipped.kill()


@pytest.fixture
def connect(broker: Shipped) -> Iterator[Callable[..., User]]:
    users: list[User] = []

    def made(name: str, *topics: str) -> User:
        users.append(User(broker, name, *topics))
        return users[-1]

    yield made
    for user in users:
        user.close()


@pytest.fixture
def streamwatch(broker: Shipped) -> Iterator[tuple[MqttSink, list[tuple[str, bool]]]]:
    """A sink with the rights of the user that ships, commands and discovery."""
    commands: list[tuple[str, bool]] = []
    config = broker.config(
        username="streamwatch", password_file=broker.folder / "streamwatch.password", commands=True,
        tls={"ca_file": broker.authority.ca_file}, discovery="homeassistant",
    )  # fmt: skip
    sink = MqttSink(make_site(), config, lambda camera, enabled: commands.append((camera, enabled)))
    worker = Worker("sink:mqtt", sink.run)
    worker.start()
    wait_for(lambda: sink.state is LinkState.CONNECTED, "connected")
    yield sink, commands
    worker.stop()
    assert worker.join(LIMIT)
    assert worker.error is None, worker.trace


def test_streamwatch_may_say_all_that_it_says(
    streamwatch: tuple[MqttSink, list[tuple[str, bool]]],
    connect: Callable[..., User],
    caplog: pytest.LogCaptureFixture,
) -> None:
    sink, _ = streamwatch
    viewer, assistant = connect("viewer", "streamwatch/#"), connect("homeassistant", "homeassistant/#")
    sink.snapshot("dock", "fall", b"\xff\xd8")
    sink.applied({"applied": True})
    sink._site.outbox.append(make_alert())
    wait_for(viewer.alerts, "the alert")
    wanted = {
        "streamwatch/available", "streamwatch/dock/status", "streamwatch/dock/alert/fall/state",
        "streamwatch/dock/alert/fall/snapshot", "streamwatch/rules/applied",
    }  # fmt: skip
    wait_for(lambda: wanted <= {m.topic for m in viewer.messages}, "the rest")
    wait_for(lambda: any(m.topic.endswith("/config") for m in assistant.messages), "devices")
    assert "refused" not in caplog.text


def test_a_viewer_can_send_no_command_and_no_alert(
    streamwatch: tuple[MqttSink, list[tuple[str, bool]]], connect: Callable[..., User]
) -> None:
    sink, commands = streamwatch
    viewer, onlooker = connect("viewer", "streamwatch/#"), connect("operator", "streamwatch/#")
    for topic in (
        "streamwatch/alerts/dock/fall", "streamwatch/dock/enabled/set", "streamwatch/replay/request",
        "streamwatch/rules/reload", "streamwatch/alerts/01J/ack", "streamwatch/available",
        "homeassistant/device/x/config",
    ):  # fmt: skip
        assert not viewer.may(topic, b"OFF"), topic
    sink._site.outbox.append(make_alert())
    wait_for(onlooker.alerts, "a round trip later")
    assert commands == []
    assert len(onlooker.alerts()) == 1, "none but streamwatch's"


def test_an_operator_can_send_commands_and_no_alert(
    streamwatch: tuple[MqttSink, list[tuple[str, bool]]], connect: Callable[..., User]
) -> None:
    _, commands = streamwatch
    operator = connect("operator")
    for topic in ("streamwatch/replay/request", "streamwatch/rules/reload", "streamwatch/alerts/01J/ack"):
        assert operator.may(topic), topic
    assert operator.may("streamwatch/dock/enabled/set", b"OFF")
    wait_for(lambda: commands == [("dock", False)], "the camera is switched")
    for topic in ("streamwatch/alerts/dock/fall", "streamwatch/available", "streamwatch/dock/status"):
        assert not operator.may(topic), topic


def test_nobody_comes_in_without_a_password(broker: Shipped, tmp_path: Path) -> None:
    (tmp_path / "wrong").write_text("viewer-secret")
    config = broker.config(
        username="streamwatch", password_file=tmp_path / "wrong", tls={"ca_file": broker.authority.ca_file}
    )
    sink = MqttSink(make_site(), config)
    worker = Worker("sink:mqtt", sink.run)
    worker.start()
    wait_for(lambda: sink.state is LinkState.UNAUTHORIZED, "refused")
    worker.stop()
    assert worker.join(LIMIT)


def test_a_subscriber_that_was_away_gets_more_than_the_default_queue_holds(
    broker: Shipped, streamwatch: tuple[MqttSink, list[tuple[str, bool]]], connect: Callable[..., User]
) -> None:
    sink, _ = streamwatch
    first = User(broker, "viewer", "streamwatch/alerts/#")
    sink._site.outbox.append(make_alert())
    wait_for(first.alerts, "subscribed")
    first.close()
    for number in range(2, 1602):
        sink._site.outbox.append(make_alert(number))
    wait_for(lambda: not sink._site.outbox.pending(0, 1, 0.0), "all are with the broker", 60.0)
    late = connect("viewer")
    wait_for(lambda: len(late.alerts()) >= 1600, "all that it missed", 60.0)
    assert [alert["sequence"] for alert in late.alerts()] == list(range(2, 1602))
