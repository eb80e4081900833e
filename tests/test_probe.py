"""Asking a real server, a deaf one and one that is not ours."""

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from streamwatch.config import HttpConfig
from streamwatch.errors import ProbeError
from streamwatch.http import HttpServer, Readiness
from streamwatch.metrics import Metrics
from streamwatch.probe import ask_health
from streamwatch.worker import Worker
from tests.sinks.stage import free_port


class Process:
    """A process with these workers lost."""

    def __init__(self, *lost: str) -> None:
        self._lost = lost

    def lost(self) -> Sequence[str]:
        return self._lost

    def readiness(self) -> Readiness:
        return Readiness("bundled 1", "cpu", True, {}, "connected")


@contextmanager
def serving(process: Process, host: str = "127.0.0.1") -> Iterator[HttpConfig]:
    config = HttpConfig(host=host, port=free_port())
    server = HttpServer(config, Metrics(), process)
    worker = Worker("http", server.run)
    worker.start()
    try:
        yield config
    finally:
        worker.stop()
        assert worker.join(10)


def test_a_process_that_is_well() -> None:
    with serving(Process()) as config:
        answer = ask_health(config, 10)
    assert answer.well
    assert answer.body == {"status": "ok", "lost": []}


def test_a_lost_worker_is_not_well() -> None:
    with serving(Process("inference")) as config:
        answer = ask_health(config, 10)
    assert not answer.well
    assert answer.body["lost"] == ["inference"]


def test_what_listens_everywhere_is_asked_on_loopback() -> None:
    with serving(Process(), "0.0.0.0") as config:
        assert ask_health(config, 10).well


def test_nobody_there() -> None:
    with pytest.raises(ProbeError, match="no answer of streamwatch"):
        ask_health(HttpConfig(port=free_port()), 2)


def test_somebody_who_never_answers() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        with pytest.raises(ProbeError, match="timed out"):
            ask_health(HttpConfig(port=deaf.getsockname()[1]), 0.3)
