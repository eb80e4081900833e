"""A listening socket, with an error that says what to do where it cannot be had."""

import errno
import ipaddress
import socket

from streamwatch.errors import ConfigError, PortInUseError

__all__ = ["CONNECTIONS", "is_loopback", "listen"]

CONNECTIONS = 128  # that wait to be taken, and at a time


def is_loopback(host: str) -> bool:
    """Whether ``host``, an address or a name, is this machine for nobody but itself."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def listen(host: str, port: int) -> socket.socket:
    """A listening socket: whether the address is free is known before anything else starts.

    Raises PortInUseError, or ConfigError for an address that is not ours.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"http.host: {host!r} is not an address of this machine: {error}") from error
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(CONNECTIONS)
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUseError(
                f"http.port: another process listens on {host}:{port}. Is streamwatch running already? "
                "Else set another http.port"
            ) from error
        raise ConfigError(f"http: cannot listen on {host}:{port}: {error.strerror}") from error
    return listening
