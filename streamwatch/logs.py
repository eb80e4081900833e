"""Logs on stderr: readable on a terminal, JSON elsewhere, and a second net for credentials."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

__all__ = ["configure", "redact_urls"]

# The first net is SecretUrl. This one catches what a library prints by itself: everything between :// and the last @
# before the path, or before a blank.
_CREDENTIALS = re.compile(r"([a-z][a-z0-9+.-]*://)[^/\s\"'<>]*@", re.IGNORECASE)


def redact_urls(text: str) -> str:
    """``text`` without the user names and passwords of URLs in it."""
    return _CREDENTIALS.sub(r"\1***@", text)


def configure(level: int = logging.INFO, stream: TextIO = sys.stderr) -> None:
    """Send all logging through one formatter to ``stream``."""
    import structlog

    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.format_exc_info,
        _redact,
    ]
    terminal = stream.isatty()
    last: Any = structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)


def _redact(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = redact_urls(value)
    return event
