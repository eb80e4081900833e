"""Does the broker take us? One connection, said and ended; under a name of its own, so that nobody is thrown out."""

import time

from streamwatch.config import MqttConfig
from streamwatch.sinks.connection import Connected, Connection, Lost, Refused
from streamwatch.sinks.endpoint import Endpoint

__all__ = ["greet"]

LIMIT = 10.0  # seconds for a name, TCP, TLS and the broker's answer


def greet(config: MqttConfig, limit: float = LIMIT) -> str | None:
    """Connect as ``config`` says; None if the broker takes us, else why it does not. Raises ConfigError."""
    endpoint = Endpoint.read(config.model_copy(update={"client_id": f"{config.client_id[:100]}-doctor"}))
    reason = "no answer"
    for version in endpoint.versions:
        connection = Connection(endpoint, (f"{config.topic_prefix}/doctor", ""), version)
        connection.open()
        deadline = time.monotonic() + limit
        try:
            while (left := deadline - time.monotonic()) > 0:
                match connection.event(left):
                    case Connected():
                        return None
                    case Refused(reason=said) | Lost(reason=said):
                        reason = said
                        break
        finally:
            connection.close(1.0)
    return reason
