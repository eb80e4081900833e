"""The product in a process of its own."""

import json
from pathlib import Path
from typing import Any

import psutil
import pytest

from streamwatch.bench import site
from streamwatch.bench.scrape import Scrape, scrape
from streamwatch.bench.site import Running, Setup, run_site
from streamwatch.errors import ConfigError, StreamwatchError
from streamwatch.models.provider import ENGINES
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


@pytest.mark.parametrize("name", ["provider", "decode", "hwaccel"])
def test_what_no_configuration_may_say_is_refused_at_once(name: str) -> None:
    wrong: dict[str, Any] = {name: "foo"}
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


def test_engines_stay_when_a_run_ends(url: str, tmp_path: Path) -> None:
    """A file of ours for TensorRT's; the process that would write it there is the real one, on a CPU."""
    engines = tmp_path / "kept"
    with run_site([url], Setup(provider="cpu", engines=engines)) as running:
        running.until(lambda found: True)
        (command,) = [Path(word) for word in psutil.Process(running.pid).cmdline() if word.endswith(".yml")]
        seen = Path(json.loads(command.read_text())["data_dir"]) / ENGINES
        (seen / "x.engine").write_bytes(b"engine")
    assert not seen.exists()
    assert (engines / "x.engine").read_bytes() == b"engine"


@pytest.mark.parametrize(("provider", "there", "limit"), [("cpu", True, 90), ("auto", True, 900), ("cuda", False, 90)])
def test_a_gpu_has_time_to_build_what_it_runs(
    monkeypatch: pytest.MonkeyPatch, url: str, provider: str, there: bool, limit: float
) -> None:
    monkeypatch.setattr(site, "gpu_present", lambda: there)
    with run_site([url], Setup(provider=provider)) as running:
        assert running.limit == limit


def test_free_ports_are_free() -> None:
    assert site.free_port() > 1024
