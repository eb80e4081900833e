"""Asking a running streamwatch how it is, over its own HTTP."""

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass

from streamwatch.config import HttpConfig
from streamwatch.errors import ProbeError

__all__ = ["Answer", "ask_health"]

ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # what listens everywhere is asked on loopback
LARGEST = 65536  # bytes of an answer that is read


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether the process is well, and what it said."""

    well: bool
    body: Mapping[str, object]


def ask_health(config: HttpConfig, timeout: float) -> Answer:
    """GET /healthz where ``config`` says that streamwatch listens. Raises ProbeError if nobody answers in time."""
    host = ANYWHERE.get(config.host, config.host)
    connection = http.client.HTTPConnection(host, config.port, timeout=timeout)
    try:
        connection.request("GET", "/healthz")
        response = connection.getresponse()
        body = json.loads(response.read(LARGEST))
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise ProbeError(f"http://{host}:{config.port}/healthz: no answer of streamwatch: {error}") from error
    finally:
        connection.close()
    return Answer(response.status == http.client.OK, body if isinstance(body, dict) else {"status": body})
