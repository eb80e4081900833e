"""Whether a broker takes us."""

from pathlib import Path

import pytest

from streamwatch.config import MqttConfig
from streamwatch.errors import ConfigError
from streamwatch.sinks.greeting import greet
from tests.sinks.stage import Mosquitto, free_port


def test_a_broker_that_takes_us_and_one_that_is_not_there(mosquitto: Mosquitto) -> None:
    assert greet(mosquitto.config()) is None
    assert "refused" in (greet(MqttConfig(host="127.0.0.1", port=free_port()), limit=5.0) or "")


def test_a_broker_that_wants_a_password(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path, "allow_anonymous false")
    broker.start()
    try:
        assert "uthori" in (greet(broker.config()) or "")
    finally:
        broker.kill()


def test_a_running_instance_keeps_its_session(mosquitto: Mosquitto) -> None:
    """Two clients of one name throw each other out; the doctor must not do that to the watch."""
    from tests.sinks.stage import Listener

    running = Listener(mosquitto.port, name="streamwatch-under-test")
    for _ in range(3):
        assert greet(mosquitto.config()) is None
    running.publish("x", b"still here")
    running.close()


def test_a_password_file_that_is_missing_is_said(tmp_path: Path) -> None:
    config = MqttConfig(host="127.0.0.1", username="u", password_file=tmp_path / "none")
    with pytest.raises(ConfigError, match="password_file"):
        greet(config)
