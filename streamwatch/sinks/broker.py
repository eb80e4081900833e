"""An MQTT broker of our own (iotcore: rumqttd in Rust) on 127.0.0.1, for those who have none.

It cannot be stopped inside a process, so it runs in a child that ends with us: its standard input is a pipe of which
we hold the other end. A child that dies is started again; what it retained is gone, and the sink says it again.
"""

import contextlib
import logging
import socket
import subprocess
import sys
import threading
import time

from streamwatch.errors import PortInUseError, SinkError

__all__ = ["EmbeddedBroker"]

log = logging.getLogger(__name__)

_HOST = "127.0.0.1"  # there are no passwords: nobody else may reach it
_PAYLOAD_LIMIT = 1 << 20  # bytes
_START_LIMIT = 10.0  # s
_WATCH = 0.25  # s

# Arguments: port, payload limit. An own session keeps Ctrl-C from it until we have said goodbye.
_CHILD = """
import logging, os, sys, threading
logging.getLogger("rumqttd").setLevel(logging.CRITICAL)  # it logs each packet as an error
def leave():
    sys.stdin.buffer.read()
    os._exit(0)
threading.Thread(target=leave, daemon=True).start()
from iotcore import IotCoreBroker
IotCoreBroker(listen="127.0.0.1", port=int(sys.argv[1]), max_payload_size=int(sys.argv[2])).run_forever()
"""


class EmbeddedBroker:
    """A broker on ``127.0.0.1:port``; port 0 takes a free one, see ``port`` after ``start``.

    ``start`` and ``stop`` may be called again; ``run`` is a worker's body that keeps it alive.
    """

    def __init__(self, port: int = 1883) -> None:
        self.port = port
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    @property
    def running(self) -> bool:
        """Whether the child lives."""
        process = self._process  # once: another thread may clear it
        return process is not None and process.poll() is None

    @property
    def pid(self) -> int | None:
        """The child's process id, None while there is none."""
        process = self._process
        return process.pid if process is not None else None

    def start(self) -> None:
        """Start and wait until it accepts. Raises PortInUseError, or SinkError if it does not come up in 10 s."""
        with self._lock:
            if self.running:
                return
            if self._process is not None:
                code = self._process.returncode
                log.error("the embedded broker ended with code %s; starting it again on port %d", code, self.port)
            self._clear()
            self.port = _free_port(self.port)
            command = [sys.executable, "-I", "-c", _CHILD, str(self.port), str(_PAYLOAD_LIMIT)]
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            self._wait_until_it_accepts(self._process)

    def stop(self) -> None:
        """End the child, at the latest after 3 s."""
        with self._lock:
            self._clear()

    def run(self, stop: threading.Event) -> None:
        """Start, and start again whenever the child dies, until ``stop``. The first start's errors are raised."""
        self.start()
        try:
            while not stop.wait(_WATCH):
                if not self.running:
                    self._revive(stop)
        finally:
            self.stop()

    def _revive(self, stop: threading.Event) -> None:
        try:
            self.start()
        except (SinkError, PortInUseError) as error:
            log.error("the embedded broker did not start: %s", error)
            stop.wait(2.0)

    def _wait_until_it_accepts(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _START_LIMIT
        while time.monotonic() < deadline:
            if process.poll() is not None:
                self._clear()
                raise SinkError(f"the embedded broker ended with code {process.returncode} while it started")
            with contextlib.suppress(OSError), socket.create_connection((_HOST, self.port), timeout=0.2):
                return
            time.sleep(0.02)
        self._clear()
        raise SinkError(f"the embedded broker did not accept on {_HOST}:{self.port} within {_START_LIMIT:.0f} s")

    def _clear(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(2.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(1.0)
        if process.stdin is not None:
            process.stdin.close()


def _free_port(port: int) -> int:
    """``port`` if nobody listens there, a free one for 0. Raises PortInUseError."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError as error:
            raise PortInUseError(
                f"mqtt.port: the embedded broker cannot listen on {_HOST}:{port} ({error.strerror}). If that is "
                f"a broker of yours, set mqtt.host: {_HOST}; else choose another mqtt.port"
            ) from error
        return int(probe.getsockname()[1])
