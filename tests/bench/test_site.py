"""The product in a process of its own."""

import psutil
import pytest

from streamwatch.bench import site
from streamwatch.bench.site import Setup, run_site
from streamwatch.errors import StreamwatchError
from tests.sinks.stage import free_port


def test_runs_and_ends_with_the_block(url: str) -> None:
    with run_site([url], Setup()) as running:
        took = running.until(lambda found: found.sum("camera_up") == 1)
        process = psutil.Process(running.pid)
        assert "run" in process.cmdline()
        assert took > 0.1
    assert not process.is_running()


def test_what_decodes_is_handed_on(url: str) -> None:
    with run_site([url], Setup(hwaccel="cuda")) as running:  # decodes on the CPU where there is no device
        running.until(lambda found: found.sum("frames_decoded_total") > 0)
    with run_site([url], Setup(hwaccel="steam")) as running, pytest.raises(StreamwatchError, match="hwaccel"):
        running.until(lambda found: False)


def test_a_process_that_ends_says_why(url: str) -> None:
    with run_site([url], Setup(model="/nowhere")) as running, pytest.raises(StreamwatchError, match="nowhere"):
        running.until(lambda found: False)


def test_waiting_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site, "_LIMIT", 1.0)
    gone = f"rtsp://127.0.0.1:{free_port()}/x"
    with run_site([gone], Setup()) as running, pytest.raises(StreamwatchError, match="not ready within 1 s"):
        running.until(lambda found: False)


def test_free_ports_are_free() -> None:
    assert site.free_port() > 1024
