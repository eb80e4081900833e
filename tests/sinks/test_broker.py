import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from streamwatch.errors import PortInUseError
from streamwatch.sinks.broker import EmbeddedBroker
from streamwatch.worker import Worker
from tests.sinks.stage import LIMIT, Listener, accepts, wait_for

ROOT = Path(__file__).parents[2]


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    broker = EmbeddedBroker(port=0)
    yield broker
    broker.stop()


def test_accepts_when_started_and_gives_the_port_back(broker: EmbeddedBroker) -> None:
    broker.start()
    assert broker.running
    assert accepts(broker.port)
    pid = broker.pid
    broker.start()
    assert broker.pid == pid, "starting again changes nothing"
    broker.stop()
    broker.stop()
    assert not broker.running
    assert not accepts(broker.port)
    port = broker.port
    broker.start()
    assert broker.port == port, "the port stays ours"


def test_listens_on_this_machine_only(broker: EmbeddedBroker) -> None:
    broker.start()
    listening = [c for c in psutil.Process(broker.pid).net_connections() if c.status == psutil.CONN_LISTEN]
    assert [(c.laddr.ip, c.laddr.port) for c in listening] == [("127.0.0.1", broker.port)]


def test_a_port_in_use_is_refused_with_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortInUseError, match=rf"127\.0\.0\.1:{port}.*mqtt\.port"):
            EmbeddedBroker(port).start()


def test_a_child_that_dies_is_started_again(broker: EmbeddedBroker, caplog: pytest.LogCaptureFixture) -> None:
    broker.start()
    worker = Worker("broker", broker.run)
    worker.start()
    first = broker.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: broker.running and broker.pid != first and accepts(broker.port), "a new child accepts")
    assert "starting it again" in caplog.text
    Listener(broker.port).close()
    worker.stop()
    assert worker.join(LIMIT)
    assert worker.error is None
    assert not broker.running


def test_the_child_ends_with_us_even_after_kill_9() -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT], stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait(LIMIT)
    parent.stdout.close()
    wait_for(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, "the child ends")


_PARENT = """
from streamwatch.sinks.broker import EmbeddedBroker
broker = EmbeddedBroker(0)
broker.start()
print(broker.pid, flush=True)
time.sleep(60)
"""


def test_ctrl_c_in_the_terminal_does_not_reach_it(broker: EmbeddedBroker) -> None:
    broker.start()
    assert broker.pid is not None
    assert os.getpgid(broker.pid) != os.getpgid(0)


def test_a_large_payload_passes(broker: EmbeddedBroker) -> None:
    broker.start()
    listener = Listener(broker.port)
    listener.publish("x", b"y" * 200_000)
    wait_for(lambda: listener.of("x"), "200 kB arrive")
    listener.close()
