"""Logs: JSON where nobody watches, and never a password."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from streamwatch.logs import configure, redact_urls


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What is logged while a test runs; the root logger is put back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure(stream=stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def parsed(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("rtsp://u:p@h/x", "rtsp://***@h/x"),
        ("open 'RTSP://us%40er:p@h:554' failed", "open 'RTSP://***@h:554' failed"),
        ("http://a@b@h/ and rtsp://:pw@h", "http://***@h/ and rtsp://***@h"),
        ("rtsp://h/x?to=me@home", "rtsp://h/x?to=me@home"),
    ],
)
def test_redacts_urls(text: str, redacted: str) -> None:
    assert redact_urls(text) == redacted


def test_both_kinds_of_logger_speak_json(lines: io.StringIO) -> None:
    logging.getLogger("streamwatch.x").warning("broker %s is away", "b")
    structlog.get_logger("streamwatch.y").info("camera is online", camera="dock")
    first, second = parsed(lines)
    assert (first["event"], first["level"], first["logger"]) == ("broker b is away", "warning", "streamwatch.x")
    assert (second["event"], second["camera"]) == ("camera is online", "dock")
    assert "timestamp" in first


def test_no_credentials_pass(lines: io.StringIO) -> None:
    logging.getLogger("libav").error("cannot open %s", "rtsp://u:S3CR3T@h/x")
    try:
        raise OSError("rtsp://u:S3CR3T@h/x")
    except OSError:
        logging.getLogger("x").exception("it broke")
    assert "S3CR3T" not in lines.getvalue()
    assert "it broke" in lines.getvalue()
