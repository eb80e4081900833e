"""Knocking at a camera that went away: real sockets on loopback."""

import socket
import time
from contextlib import suppress
from types import SimpleNamespace

import pytest

from streamwatch.secret import SecretUrl
from streamwatch.video import door as module
from streamwatch.video.door import Door
from tests.video.rtsp import free_port


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVERY", 0.01)


def opened(door: Door) -> bool:
    time.sleep(0.02)
    return door.opened()


def test_it_opens_when_somebody_answers_where_nobody_did() -> None:
    port = free_port()
    door = Door(SecretUrl(f"rtsp://ca.na%40ry:pw@127.0.0.1:{port}/x"))
    assert [opened(door) for _ in range(3)] == [False] * 3
    with socket.create_server(("127.0.0.1", port)) as camera:
        monotonic = time.monotonic()
        while not opened(door):
            assert time.monotonic() < monotonic + 20
        connection, _ = camera.accept()
        with connection:
            connection.settimeout(5)
            assert connection.recv(100) == b""  # closed at once, and nothing said


def test_who_answers_is_asked_ever_more_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(module, "EVERY", 0.3)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now))
    asked: list[float] = []
    with socket.create_server(("127.0.0.1", 0)) as camera:
        camera.setblocking(False)
        door = Door(SecretUrl(f"http://127.0.0.1:{camera.getsockname()[1]}/x.mjpg"))
        for step in range(200):
            now = 100.0 + step / 10
            assert not door.opened()
            with suppress(BlockingIOError):
                camera.accept()[0].close()
                asked.append(step / 10)
    assert asked == pytest.approx([0.0, 0.6, 1.8, 4.2, 9.0, 14.0, 19.0], abs=0.11)


def test_who_answered_and_left_is_seen_to_come_back() -> None:
    with socket.create_server(("127.0.0.1", port := free_port())) as camera:
        door = Door(SecretUrl(f"rtsp://127.0.0.1:{port}/x"))
        assert not opened(door)
        camera.accept()[0].close()
    assert not opened(door)
    with socket.create_server(("127.0.0.1", port)):
        assert opened(door)


def test_it_does_not_knock_more_often_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVERY", 30.0)
    port = free_port()
    door = Door(SecretUrl(f"rtsp://127.0.0.1:{port}/x"))
    assert not door.opened()
    with socket.create_server(("127.0.0.1", port)):
        assert not opened(door)


@pytest.mark.parametrize(
    "url", ["file:///a.mp4", "device:0", "synthetic:walk", "rtsp://127.0.0.1:99999/x", "rtsp:///x", "rtsp://a..b/x"]
)
def test_what_has_no_address_is_never_open(url: str) -> None:
    door = Door(SecretUrl(url))
    assert [opened(door) for _ in range(3)] == [False] * 3
