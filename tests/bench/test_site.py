"""The product in a process of its own."""

import psutil
import pytest

from streamwatch.bench import site
from streamwatch.bench.scrape import Scrape, scrape
from streamwatch.bench.site import Running, Setup, run_site
from streamwatch.errors import ConfigError, StreamwatchError
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


@pytest.mark.parametrize("wrong", [{"provider": "foo"}, {"decode": "foo"}, {"hwaccel": "foo"}])
def test_what_no_configuration_may_say_is_refused_at_once(wrong: dict[str, str]) -> None:
    (name,) = wrong
    with pytest.raises(ConfigError, match=rf"^{name}: foo is none of \w+, "):
        Setup(**wrong)


def test_figures_are_asked_for_again_and_never_made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def busy(port: int) -> Scrape:
        asked.append(port)
        if len(asked) < 3:
            raise TimeoutError
        return Scrape({"camera_up": {}})

    monkeypatch.setattr(site, "scrape", busy)
    running = Running(0, 1, 0.0, lambda: None)
    assert running.read() == Scrape({"camera_up": {}})
    monkeypatch.setattr(site, "scrape", lambda port: scrape(free_port(), 1.0))
    with pytest.raises(StreamwatchError, match="did not give its metrics"):
        running.read()


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
