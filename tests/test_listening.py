import socket

import pytest

from streamwatch.errors import ConfigError, PortInUseError
from streamwatch.listening import is_loopback, listen


def test_it_listens_where_it_was_told() -> None:
    with listen("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()[:2], timeout=5):
        assert listening.getsockname()[0] == "127.0.0.1"


def test_a_port_in_use_is_told_with_what_to_do() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortInUseError, match=f"127.0.0.1:{port}.*another http.port"):
            listen("127.0.0.1", port)


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid", "x" * 300])
def test_an_address_of_another_machine_is_a_fault_of_the_configuration(host: str) -> None:
    with pytest.raises(ConfigError, match="http"):
        listen(host, 0)


@pytest.mark.parametrize(
    ("host", "is_it"), [("127.0.0.1", True), ("[::1]", True), ("localhost", True), ("0.0.0.0", False), ("evil", False)]
)
def test_loopback_is_known_by_address_and_name(host: str, is_it: bool) -> None:
    assert is_loopback(host) is is_it
