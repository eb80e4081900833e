"""Whether anybody is there: asked of a camera that went away, so that it is opened as soon as it is back."""

import socket
import time
from urllib.parse import urlsplit

from streamwatch.secret import SecretUrl

__all__ = ["Door"]

PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
EVERY = 0.3  # seconds between knocks, and for an answer at most
SELDOM = 5.0  # seconds between knocks at most


class Door:
    """Knocks at the address in ``url`` during one pause between two attempts.

    A knock is a TCP connection that is closed at once: no session, no password, nothing to be locked out for. Who
    answers is there and failed for another reason, or is about to go: it is asked ever more seldom. Files and devices
    are not asked.
    """

    def __init__(self, url: SecretUrl) -> None:
        self._url = url
        self._address: tuple[str, int] | None = None
        self._next = 0.0  # monotonic seconds
        self._pause = EVERY
        self._missed = False  # a knock
        self._asks = url.scheme in PORTS

    def opened(self) -> bool:
        """Whether it answers now and did not before. False if it is not yet time for another knock."""
        if not self._asks or time.monotonic() < self._next:
            return False
        there = self._knock()
        self._pause = min(2 * self._pause, SELDOM) if there else EVERY
        self._next = time.monotonic() + self._pause
        self._missed = self._missed or not there
        return there and self._missed

    def _knock(self) -> bool:
        try:
            self._address = self._address or _look_up(self._url)
            with socket.create_connection(self._address, EVERY):
                return True
        except (OSError, ValueError):  # ValueError: a port or name that is none, which the next attempt will say
            self._asks = self._address is not None
            return False


def _look_up(url: SecretUrl) -> tuple[str, int]:
    """The first address of its host: names are asked for once a pause, not with each knock."""
    parts = urlsplit(url.reveal())
    if not parts.hostname:
        raise ValueError("no host")
    port = parts.port or PORTS[url.scheme]
    found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)[0][4]
    return str(found[0]), int(found[1])
