import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from streamwatch.sinks.broker import EmbeddedBroker
from streamwatch.sinks.connection import HUNG_UP, Acknowledged, Connected, Connection, Event, Lost, Message
from streamwatch.sinks.endpoint import Endpoint
from streamwatch.sinks.formats import Body
from tests.sinks.stage import LIMIT, Listener, Mosquitto, free_port, wait_for

WILL = ("streamwatch/available", "offline")


def connection(port: int, version: int = 5) -> Connection:
    return Connection(Endpoint("127.0.0.1", port, "under-test"), WILL, version)


def next_of(link: Connection, kind: type[Event]) -> Event:
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        event = link.event(0.1)
        if isinstance(event, kind):
            return event
    raise AssertionError(f"no {kind.__name__}")


@pytest.mark.parametrize("version", [4, 5])
def test_publishes_subscribes_and_closes(mosquitto: Mosquitto, version: int) -> None:
    listener = Listener(mosquitto.port)
    link = connection(mosquitto.port, version)
    link.open()
    assert isinstance(next_of(link, Connected), Connected)
    link.subscribe("in")
    mid = link.publish("out", Body("hällo"), retain=True)
    answer = next_of(link, Acknowledged)
    assert isinstance(answer, Acknowledged)
    assert (answer.mid, answer.refused) == (mid, None)
    assert answer.at <= time.monotonic()
    listener.publish("in", b"x" * 5000)
    message = next_of(link, Message)
    assert message == Message("in", b"x" * 4096, False), "no more is kept than any command needs"
    assert link.close(LIMIT)
    wait_for(lambda: listener.shows("out", "hällo"), "the message")
    assert listener.of(WILL[0]) == [], "a clean end has no last will"
    assert link.publish("out", Body("late"), retain=False) is None
    listener.close()


def test_nobody_listening_is_said_with_the_reason() -> None:
    link = connection(free_port())
    link.open()
    lost = next_of(link, Lost)
    assert lost == Lost("Connection refused", None)
    assert link.close(LIMIT)


def test_a_name_that_is_unknown_is_said_with_the_reason() -> None:
    link = Connection(Endpoint("no-such-host.invalid", 1883, "x"), WILL, 5)
    link.open()
    lost = next_of(link, Lost)
    assert isinstance(lost, Lost)
    assert lost.reason
    assert link.close(LIMIT)


def test_a_killed_broker_is_seen_at_once(mosquitto: Mosquitto) -> None:
    link = connection(mosquitto.port)
    link.open()
    next_of(link, Connected)
    mosquitto.kill()
    assert next_of(link, Lost) == Lost(HUNG_UP, None)
    assert link.close(LIMIT)


def test_the_embedded_broker_hangs_up_on_mqtt_5(embedded: EmbeddedBroker) -> None:
    """Why the sink speaks 3.1.1 to it."""
    link = connection(embedded.port, version=5)
    link.open()
    assert next_of(link, Lost) == Lost(HUNG_UP, None)
    assert link.close(LIMIT)


def test_closing_is_bounded_while_a_connect_hangs_and_nothing_stays_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        link = connection(silent.getsockname()[1])
        link.open()
        assert link.event(0.2) is None
        begun = time.monotonic()
        assert link.close(2.0)
        assert time.monotonic() - begun < 2.0
    assert not [thread for thread in threading.enumerate() if "under-test" in thread.name]


def test_a_flood_of_messages_is_bounded(mosquitto: Mosquitto) -> None:
    listener = Listener(mosquitto.port)
    link = connection(mosquitto.port)
    link.open()
    next_of(link, Connected)
    link.subscribe("in")
    mid = link.publish("out", Body(""), retain=False)
    assert isinstance(next_of(link, Acknowledged), Acknowledged), mid
    for _ in range(600):
        listener.publish("in", b"x")
    listener.publish("in", b"last")
    time.sleep(0.2)
    assert 1 <= len(link.events(0.0)) <= 300
    assert link.close(LIMIT)
    listener.close()


# paho leaves the socket of a failed handshake to its reference count
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_tls_is_checked(tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    try:
        subprocess.run([*command, *names, "-keyout", key, "-out", cert], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    broker = Mosquitto(tmp_path, "allow_anonymous true", f"certfile {cert}", f"keyfile {key}")
    broker.start()
    trusting = Endpoint.read(broker.config(tls={"ca_file": cert}))
    link = Connection(trusting, WILL, 5)
    link.open()
    next_of(link, Connected)
    assert link.close(LIMIT)
    link = Connection(Endpoint.read(broker.config(tls={})), WILL, 5)
    link.open()
    lost = next_of(link, Lost)
    assert isinstance(lost, Lost)
    assert "certificate" in lost.reason.lower()
    assert link.close(LIMIT)
    broker.kill()
