"""What the service manager hears, on a real datagram socket."""

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamwatch.notify import Notifier


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(5)
        yield listening


def heard(manager: socket.socket) -> list[str]:
    return manager.recv(4096).decode().splitlines()


def test_says_ready_with_a_line_for_people(manager: socket.socket, tmp_path: Path) -> None:
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")}).ready("2 cameras")
    assert heard(manager) == ["READY=1", "STATUS=2 cameras", f"MAINPID={os.getpid()}"]


def test_says_stopping(manager: socket.socket, tmp_path: Path) -> None:
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")}).stopping()
    assert heard(manager) == ["STOPPING=1"]


def test_is_alive_twice_in_the_time_of_the_watchdog(manager: socket.socket, tmp_path: Path) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "400000"})
    began = time.monotonic()
    while time.monotonic() - began < 1.0:
        notifier.alive()
        time.sleep(0.01)
    manager.setblocking(False)
    said = 0
    with pytest.raises(BlockingIOError):
        while heard(manager) == ["WATCHDOG=1"]:
            said += 1
    assert 2 <= said <= 6  # one at once, then every 0.2 s


@pytest.mark.parametrize("watchdog", [{}, {"WATCHDOG_USEC": "many"}, {"WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}])
def test_says_nothing_to_a_watchdog_that_waits_for_nobody_or_another(
    manager: socket.socket, tmp_path: Path, watchdog: dict[str, str]
) -> None:
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")} | watchdog).alive()
    manager.setblocking(False)
    with pytest.raises(BlockingIOError):
        heard(manager)


def test_speaks_in_the_abstract_namespace() -> None:
    name = f"@streamwatch-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0" + name[1:])
        listening.settimeout(5)
        Notifier({"NOTIFY_SOCKET": name}).stopping()
        assert heard(listening) == ["STOPPING=1"]


def test_goes_on_where_nobody_listens(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Notifier({}).ready("alone")
    assert not caplog.records
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "nobody")}).ready("alone")
    assert "does not listen" in caplog.text
