"""Tell the service manager how we are: systemd's notification protocol (sd_notify(3)).

A datagram of ``NAME=value`` lines to the Unix socket that ``NOTIFY_SOCKET`` names. Without that variable nothing is
sent, so the program need not know who started it.
"""

import logging
import os
import socket
import time
from collections.abc import Mapping

__all__ = ["Notifier"]

log = logging.getLogger(__name__)


class Notifier:
    """Says ready, alive and stopping to whoever started us; silent where nobody listens.

    ``environment`` holds NOTIFY_SOCKET (a path, or ``@name`` in the abstract namespace) and, if the manager restarts
    us when it hears nothing, WATCHDOG_USEC and WATCHDOG_PID.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._every = _watchdog_seconds(environment) / 2  # as sd_watchdog_enabled(3) advises
        self._due = 0.0

    def ready(self, status: str) -> None:
        """All is started; ``status`` is one line that ``systemctl status`` shows."""
        self._send(f"READY=1\nSTATUS={status}\nMAINPID={os.getpid()}")

    def alive(self) -> None:
        """Nothing is lost or stuck. Call it often: it speaks at half of the watchdog's time."""
        now = time.monotonic()
        if self._every and now >= self._due:
            self._due = now + self._every
            self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """An ordered stop has begun."""
        self._send("STOPPING=1")

    def _send(self, text: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as speaking:
                speaking.settimeout(1.0)
                speaking.sendto(text.encode(), self._address)
        except OSError as error:  # a manager that does not listen must not stop the watch
            log.warning("the service manager does not listen: %s", error.strerror or error)


def _watchdog_seconds(environment: Mapping[str, str]) -> float:
    """How long the manager waits for a sign of life; 0 where it does not, or where it waits for another process."""
    microseconds, pid = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
    ours = not pid or pid == str(os.getpid())
    return int(microseconds) / 1e6 if ours and microseconds.isascii() and microseconds.isdigit() else 0.0
