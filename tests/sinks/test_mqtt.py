import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from streamwatch.config import MqttConfig
from streamwatch.errors import ConfigError, SinkError
from streamwatch.rules.alert import AlertType
from streamwatch.rules.order import Acknowledge, Order, Snooze, Snoozed
from streamwatch.sinks.broker import EmbeddedBroker
from streamwatch.sinks.mqtt import LinkState, MqttSink
from streamwatch.sinks.outbox import Entry, MemoryOutbox
from streamwatch.worker import Worker
from tests.sinks.stage import LIMIT, Listener, Mosquitto, free_port, make_alert, make_site, value, wait_for

Start = Callable[[MqttSink], Worker]
ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["embedded", "mosquitto"])
def config(request: pytest.FixtureRequest) -> MqttConfig:
    broker = request.getfixturevalue(request.param)
    if isinstance(broker, EmbeddedBroker):
        return MqttConfig(port=broker.port, client_id="streamwatch-under-test")
    assert isinstance(broker, Mosquitto)
    return broker.config()


@pytest.fixture
def listener(config: MqttConfig) -> Iterator[Listener]:
    listener = Listener(config.port)
    yield listener
    listener.close()


class TestOnBothBrokers:
    def test_an_alert_arrives_with_its_fields_and_leaves_the_outbox(
        self, config: MqttConfig, listener: Listener, running: Start
    ) -> None:
        site = make_site()
        sink = MqttSink(site, config)
        running(sink)
        alert = make_alert()
        site.outbox.append(alert)
        wait_for(listener.alerts, "the alert arrives")
        message = next(m for m in listener.messages if m.topic == "streamwatch/alerts/dock/fall")
        assert (message.qos, message.retain) == (1, False)
        payload = listener.alerts()[0]
        assert payload["schema"] == "streamwatch.alert/1"
        assert (payload["instance"], payload["sequence"]) == ("test", 1)
        assert (payload["id"], payload["seq"], payload["type"]) == (alert.id, 0, "new")
        assert payload["summary"] == alert.summary
        assert payload["time"] == alert.time
        assert payload["model"]["sha256"] == alert.model.sha256
        wait_for(lambda: not site.outbox.pending(0, 1, 0.0), "PUBACK takes it off the outbox")
        assert value(site.metrics, "mqtt_published_total", result="acked") >= 2
        assert value(site.metrics, "alert_latency_seconds_count", rule="fall") == 1
        assert value(site.metrics, "stage_seconds_count", stage="publish") >= 2
        assert value(site.metrics, "mqtt_connected") == 1

    def test_states_are_retained_from_the_first_connect_and_follow_the_alerts(
        self, config: MqttConfig, listener: Listener, running: Start
    ) -> None:
        site = make_site()
        sink = MqttSink(site, config)
        running(sink)
        topic = "streamwatch/dock/alert/fall/state"
        for kind, expected in ((AlertType.NEW, "ON"), (AlertType.UPDATE, "ON"), (AlertType.END, "OFF")):
            site.outbox.append(make_alert(kind=kind))
            wait_for(partial(listener.shows, topic, expected), f"{kind} → {expected}")
        assert listener.of(topic)[-3:] == ["OFF", "ON", "OFF"]
        sink.status("gate", "online")
        sink.enabled("gate", True)
        wait_for(lambda: listener.of("streamwatch/gate/enabled/state") == ["ON"], "the switch")
        wait_for(lambda: listener.of("streamwatch/gate/status")[-1:] == ["online"], "the status")
        late = Listener(config.port)
        retained = {
            "streamwatch/available": "online", topic: "OFF", "streamwatch/gate/alert/fall/state": "OFF",
            "streamwatch/dock/alert/fire/state": "OFF", "streamwatch/dock/status": "offline",
            "streamwatch/gate/status": "online", "streamwatch/gate/enabled/state": "ON",
        }  # fmt: skip
        wait_for(lambda: {m.topic: bytes(m.payload).decode() for m in late.messages} == retained, "what is retained")
        assert all(message.retain for message in late.messages)
        late.close()

    def test_stopping_drains_the_outbox_and_says_stopped(
        self, config: MqttConfig, listener: Listener, running: Start
    ) -> None:
        site = make_site()
        sink = MqttSink(site, config)
        worker = running(sink)
        wait_for(lambda: sink.state is LinkState.CONNECTED, "connected")
        for number in range(200):
            site.outbox.append(make_alert(number))
        worker.stop()
        assert worker.join(LIMIT)
        wait_for(lambda: listener.of("streamwatch/available") == ["online", "stopped"], "stopped, and no last will")
        assert listener.sequences() == list(range(1, 201))
        assert sink.state is LinkState.STOPPED
        assert value(site.metrics, "mqtt_connected") == 0

    def test_the_last_will_speaks_after_kill_9(self, config: MqttConfig, listener: Listener) -> None:
        child = subprocess.Popen(
            [sys.executable, "-c", _CHILD, config.model_dump_json()],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        try:
            wait_for(lambda: listener.of("streamwatch/available") == ["online"], "the child is online")
        finally:
            child.send_signal(signal.SIGKILL)
            child.wait(LIMIT)
        wait_for(lambda: listener.of("streamwatch/available") == ["online", "offline"], "the last will")


_CHILD = """
import sys, threading
from streamwatch.config import MqttConfig
from streamwatch.sinks.mqtt import MqttSink
from tests.sinks.stage import make_site
MqttSink(make_site(), MqttConfig.model_validate_json(sys.argv[1])).run(threading.Event())
"""


class TestBrokerFaults:
    def test_a_broker_killed_in_mid_stream_loses_nothing_of_the_outbox(
        self, mosquitto: Mosquitto, running: Start
    ) -> None:
        site = make_site()
        sink = MqttSink(site, mosquitto.config())
        running(sink)
        first = Listener(mosquitto.port)
        for number in range(1, 301):
            site.outbox.append(make_alert(number))
            if number == 150:
                wait_for(lambda: len(first.alerts()) > 20, "the stream flows")
                mosquitto.kill()
                taken = first.sequences()
                first.close()
        wait_for(lambda: sink.state is not LinkState.CONNECTED, "the loss is seen")
        acknowledged = 300 - len(site.outbox.pending(0, 1000, 0.0))
        mosquitto.start()
        second = Listener(mosquitto.port)
        wait_for(lambda: not site.outbox.pending(0, 1, 0.0), "all is acknowledged")
        wait_for(lambda: second.sequences()[-1:] == [300], "the last arrives")
        rest = second.sequences()
        assert rest == sorted(rest), "order is kept"
        assert set(range(1, acknowledged + 1)) | set(taken) | set(rest) == set(range(1, 301))
        assert rest[0] <= acknowledged + 1
        wait_for(lambda: second.of("streamwatch/available")[-1:] == ["online"], "available again")
        wait_for(lambda: second.of("streamwatch/gate/status")[-1:] == ["offline"], "states again")
        assert value(site.metrics, "mqtt_connected") == 1
        second.close()

    def test_alerts_and_states_set_before_there_is_a_broker_arrive(self, tmp_path: Path, running: Start) -> None:
        broker = Mosquitto(tmp_path)
        site = make_site()
        sink = MqttSink(site, broker.config())
        running(sink)
        wait_for(lambda: sink.state is LinkState.UNREACHABLE, "nobody there")
        site.outbox.append(make_alert())
        sink.status("dock", "frozen")
        sink.status("dock", "online")
        broker.start()
        listener = Listener(broker.port)
        wait_for(listener.alerts, "the alert arrives")
        wait_for(lambda: listener.of("streamwatch/dock/status") == ["online"], "only the newest status")
        listener.close()
        broker.kill()

    @pytest.mark.parametrize("when", ["connected", "connecting"])
    def test_stops_in_five_seconds_though_the_broker_is_frozen(
        self, mosquitto: Mosquitto, running: Start, when: str
    ) -> None:
        site = make_site()
        sink = MqttSink(site, mosquitto.config())
        if when == "connecting":
            mosquitto.freeze()
        worker = running(sink)
        if when == "connected":
            wait_for(lambda: sink.state is LinkState.CONNECTED, "connected")
            mosquitto.freeze()
        else:
            wait_for(lambda: sink.state is LinkState.CONNECTING, "connecting")
        site.outbox.append(make_alert())
        time.sleep(0.3)
        begun = time.monotonic()
        worker.stop()
        assert worker.join(LIMIT)
        assert time.monotonic() - begun < 5.0
        assert len(site.outbox.pending(0, 10, 0.0)) == 1, "what was not acknowledged stays"
        mosquitto.thaw()

    def test_stops_at_once_though_nobody_answers(self, running: Start) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            sink = MqttSink(make_site(), MqttConfig(host="127.0.0.1", port=silent.getsockname()[1], client_id="x"))
            worker = running(sink)
            wait_for(lambda: sink.state is LinkState.CONNECTING, "connecting")
            begun = time.monotonic()
            worker.stop()
            assert worker.join(LIMIT)
            assert time.monotonic() - begun < 5.0

    def test_gives_way_when_the_broker_says_that_another_took_over(
        self, running: Start, caplog: pytest.LogCaptureFixture
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            sink = MqttSink(make_site(), MqttConfig(host="127.0.0.1", port=server.getsockname()[1], client_id="x"))
            worker = running(sink)
            server.settimeout(LIMIT)
            peer, _ = server.accept()
            with peer:
                peer.settimeout(LIMIT)
                peer.recv(4096)  # CONNECT
                peer.sendall(b"\x20\x03\x00\x00\x00" + b"\xe0\x02\x8e\x00")  # CONNACK, DISCONNECT 142
                wait_for(lambda: sink.state is LinkState.TAKEN_OVER, "it sees that")
            server.settimeout(2.5)
            with pytest.raises(TimeoutError):
                server.accept()
        assert worker.alive
        assert "mqtt.client_id" in caplog.text

    def test_two_of_one_name_calm_down_and_say_why_on_a_broker_that_only_hangs_up(
        self, mosquitto: Mosquitto, running: Start, caplog: pytest.LogCaptureFixture
    ) -> None:
        sinks = [MqttSink(make_site(), mosquitto.config()) for _ in range(2)]
        for sink in sinks:
            running(sink)
        wait_for(lambda: "the mqtt.client_id of another client?" in caplog.text, "the hint")
        assert sum(sink._failures for sink in sinks) <= 8

    def test_goes_back_to_mqtt_3_where_a_broker_hangs_up_on_5(self, embedded: EmbeddedBroker, running: Start) -> None:
        site = make_site()
        sink = MqttSink(site, MqttConfig(host="127.0.0.1", port=embedded.port, client_id="x"))
        running(sink)
        site.outbox.append(make_alert())
        wait_for(lambda: not site.outbox.pending(0, 1, 0.0), "the alert is acknowledged")

    def test_a_failing_outbox_is_tried_again(self, mosquitto: Mosquitto, running: Start) -> None:
        class Failing(MemoryOutbox):
            failures = 1

            def acknowledge(self, *sequences: int) -> None:
                if self.failures:
                    self.failures -= 1
                    raise SinkError("disk full")
                super().acknowledge(*sequences)

        site = make_site(Failing())
        running(MqttSink(site, mosquitto.config()))
        site.outbox.append(make_alert())
        wait_for(lambda: not site.outbox.pending(0, 1, 0.0), "acknowledged in the second round")


class TestCredentials:
    PASSWORD = "S3CR3T-CANARY"

    @pytest.fixture
    def guarded(self, tmp_path: Path) -> Iterator[Mosquitto]:
        file = tmp_path / "passwords"
        file.touch(mode=0o600)
        try:
            subprocess.run(["mosquitto_passwd", "-b", file, "viewer", self.PASSWORD], check=True, capture_output=True)
        except FileNotFoundError:
            pytest.skip("mosquitto_passwd is not installed")
        broker = Mosquitto(tmp_path, "allow_anonymous false", f"password_file {file}")
        broker.start()
        yield broker
        broker.kill()

    def test_the_right_password_opens(self, guarded: Mosquitto, tmp_path: Path, running: Start) -> None:
        (tmp_path / "secret").write_text(self.PASSWORD + "\n")
        sink = MqttSink(make_site(), guarded.config(username="viewer", password_file=tmp_path / "secret"))
        running(sink)
        wait_for(lambda: sink.state is LinkState.CONNECTED, "connected")

    @pytest.mark.parametrize("version", [4, 5])
    def test_a_wrong_password_is_said_once_and_tried_again(
        self, guarded: Mosquitto, tmp_path: Path, running: Start, caplog: pytest.LogCaptureFixture, version: int
    ) -> None:
        secret = tmp_path / "secret"
        secret.write_text("WRONG-" + self.PASSWORD)
        site = make_site()
        sink = MqttSink(site, guarded.config(username="viewer", password_file=secret))
        sink._version = version
        running(sink)
        site.outbox.append(make_alert())
        wait_for(lambda: sink.state is LinkState.UNAUTHORIZED, "refused")
        time.sleep(1.3)  # long enough for a second attempt
        lines = [r.getMessage() for r in caplog.records if r.name.startswith("streamwatch")]
        assert len(lines) == 1
        assert "mqtt.password_file" in lines[0]
        assert self.PASSWORD not in caplog.text
        assert len(site.outbox.pending(0, 1, 0.0)) == 1

    def test_a_broker_that_may_not_be_written_to_keeps_the_alert_and_is_counted(
        self, tmp_path: Path, running: Start, caplog: pytest.LogCaptureFixture
    ) -> None:
        rights = tmp_path / "rights"
        rights.write_text("topic read #\n")
        broker = Mosquitto(tmp_path, "allow_anonymous true", f"acl_file {rights}")
        broker.start()
        site = make_site()
        running(MqttSink(site, broker.config()))
        site.outbox.append(make_alert())
        wait_for(lambda: value(site.metrics, "mqtt_published_total", result="failed") >= 1, "counted")
        wait_for(lambda: "Not authorized" in caplog.text, "said")
        assert len(site.outbox.pending(0, 1, 0.0)) == 1
        broker.kill()

    def test_an_unreadable_password_file_is_refused_at_once(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="password_file"):
            MqttSink(make_site(), MqttConfig(username="viewer", password_file=tmp_path / "missing"))


class TestCommands:
    @pytest.fixture
    def commands(self) -> list[tuple[str, bool]]:
        return []

    def test_a_camera_is_switched_off_and_on(
        self, mosquitto: Mosquitto, running: Start, commands: list[tuple[str, bool]]
    ) -> None:
        config = mosquitto.config(commands=True)
        listener = Listener(mosquitto.port)
        listener.publish("streamwatch/gate/enabled/set", b"OFF", retain=True)  # left over: not carried out
        site = make_site()
        sink = MqttSink(site, config, lambda camera, enabled: commands.append((camera, enabled)))
        running(sink)
        wait_for(lambda: listener.of("streamwatch/available") == ["online"], "online")
        site.outbox.append(make_alert())
        wait_for(listener.alerts, "the subscription was sent before")
        for topic, payload in (
            ("streamwatch/dock/enabled/set", b"OFF"),
            ("streamwatch/nowhere/enabled/set", b"OFF"),
            ("streamwatch/dock/enabled/set", b"\xff" * 100_000),
            ("streamwatch/dock/enabled/set", b"on"),
            ("streamwatch/dock/enabled/set", b"ON"),
        ):
            listener.publish(topic, payload)
        wait_for(lambda: len(commands) == 2, "both commands")
        assert commands == [("dock", False), ("dock", True)]
        sink.enabled("dock", True)
        wait_for(lambda: listener.of("streamwatch/dock/enabled/state") == ["ON"], "our own echo changes nothing")
        assert len(commands) == 2
        listener.close()

    def test_orders_are_handed_on_and_answered(self, mosquitto: Mosquitto, running: Start) -> None:
        orders: list[Order] = []
        sink = MqttSink(make_site(), mosquitto.config(commands=True))
        sink.on_order = orders.append
        listener = Listener(mosquitto.port)
        sink.snoozed([Snoozed("fall", None, 1.0, 2.0, "Bob")])
        running(sink)
        wait_for(lambda: listener.of("streamwatch/rules/snoozed"), "what is snoozed is told")
        (snoozed,) = json.loads(listener.of("streamwatch/rules/snoozed")[0])
        assert (snoozed["rule"], snoozed["until"], snoozed["by"]) == ("fall", 2.0, "Bob")
        incident = "01M81GXG3PJYC11C2ZZ9JGJX56"
        note = 256 * "é"  # as long as can be, each written as six bytes
        listener.publish(f"streamwatch/alerts/{incident}/ack", json.dumps({"by": "Ann", "note": note}).encode())
        listener.publish("streamwatch/rules/snooze", b'{"camera": "dock", "for": "1m"}')
        wait_for(lambda: len(orders) == 2, "both orders")
        assert set(orders) == {Acknowledge(incident, "Ann", note), Snooze(None, "dock", span=60.0)}
        sink.answer({"order": "acknowledge", "done": True})
        wait_for(lambda: listener.of("streamwatch/answer") == ['{"order": "acknowledge", "done": true}'], "the answer")
        listener.close()

    def test_commands_are_off_unless_enabled(
        self, mosquitto: Mosquitto, running: Start, commands: list[tuple[str, bool]]
    ) -> None:
        listener = Listener(mosquitto.port)
        site = make_site()
        sink = MqttSink(site, mosquitto.config(), lambda camera, enabled: commands.append((camera, enabled)))
        running(sink)
        wait_for(lambda: sink.state is LinkState.CONNECTED, "connected")
        listener.publish("streamwatch/dock/enabled/set", b"OFF")
        site.outbox.append(make_alert())
        wait_for(listener.alerts, "a round trip later")
        assert commands == []
        listener.close()


class TestStates:
    def test_an_unknown_camera_is_refused(self) -> None:
        sink = MqttSink(make_site(), MqttConfig(port=free_port()))
        with pytest.raises(ValueError, match="'dok' is not one of dock, gate"):
            sink.status("dok", "online")

    def test_an_earlier_runs_incidents_do_not_open(self, mosquitto: Mosquitto, running: Start) -> None:
        class Restored(MemoryOutbox):
            def pending(self, after: int, limit: int, timeout: float) -> list[Entry]:
                found = super().pending(after, limit, timeout)
                return [Entry(entry.sequence, entry.alert, entry.stored, earlier=True) for entry in found]

        listener = Listener(mosquitto.port)
        site = make_site(Restored())
        site.outbox.append(make_alert())
        running(MqttSink(site, mosquitto.config()))
        wait_for(listener.alerts, "the alert arrives")
        wait_for(lambda: not site.outbox.pending(0, 1, 0.0), "acknowledged")
        assert listener.of("streamwatch/dock/alert/fall/state") == ["OFF"]
        listener.close()

    def test_is_idle_before_it_runs_and_stopped_if_stop_comes_first(self) -> None:
        sink = MqttSink(make_site(), MqttConfig(port=free_port()))
        assert sink.state == "idle"
        stop = threading.Event()
        stop.set()
        sink.run(stop)
        assert str(sink.state) == "stopped"
