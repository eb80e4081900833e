import socket
import threading

import pytest

from streamwatch.sinks.answer import UNANSWERED, await_answer
from streamwatch.sinks.connection import Connected, Connection, Lost
from streamwatch.sinks.endpoint import Endpoint
from tests.sinks.stage import LIMIT, Mosquitto


def opened(port: int) -> Connection:
    link = Connection(Endpoint("127.0.0.1", port, "under-test"), ("will", "gone"), 5)
    link.open()
    return link


def test_a_broker_says_yes(mosquitto: Mosquitto) -> None:
    link = opened(mosquitto.port)
    assert isinstance(await_answer(link, threading.Event()), Connected)
    assert link.close(LIMIT)


def test_one_that_hangs_up_at_once_did_not_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        link = opened(server.getsockname()[1])
        server.settimeout(LIMIT)
        peer, _ = server.accept()
        peer.recv(4096)
        peer.close()
        assert await_answer(link, threading.Event()) == Lost(UNANSWERED, None)
        assert link.close(LIMIT)


def test_one_that_is_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamwatch.sinks.answer._CONNACK_LIMIT", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        link = opened(silent.getsockname()[1])
        found = await_answer(link, threading.Event())
        assert isinstance(found, Lost)
        assert "no answer" in found.reason
        assert link.close(LIMIT)


def test_a_stop_ends_the_wait() -> None:
    stop = threading.Event()
    stop.set()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        link = opened(silent.getsockname()[1])
        assert await_answer(link, stop) is None
        assert link.close(LIMIT)
