"""A host without a site: it takes and lets go of cameras, and leaves nothing behind."""

import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from streamwatch.cluster.host import SETTLED, Host
from streamwatch.cluster.report import Welcome
from streamwatch.errors import ConfigError
from streamwatch.models.detection import CameraState, Gap
from streamwatch.plan import rules_of
from tests.cluster.stage import configure, synthetic, wait_for

NOBODY: frozenset[str] = frozenset()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    config = configure(tmp_path, synthetic(3))
    made = Host("north", config, Welcome("site", rules_of(config, frozenset({"fall", "fight"}))), lambda worker: None)
    made.start()
    yield made
    assert made.stop() == []
    made.close()


def taken(host: Host, cameras: dict[str, int]) -> dict[str, int]:
    """What it reads once it is told so."""
    host.take(cameras, NOBODY)
    return host.leases()


def ended(host: Host) -> set[str]:
    return {e.alert.camera for e in host.spool.alerts_after(0, 99) if e.alert.type.value == "end"}


def test_it_takes_cameras_and_lets_them_go(host: Host) -> None:
    host.take({"cam-0": 1, "cam-1": 2, "unknown": 3}, NOBODY)
    assert host.leases() == {"cam-0": 1, "cam-1": 2}
    wait_for(lambda: host.states.get("cam-0") == "online" and host.states.get("cam-1") == "online", "online")
    wait_for(lambda: {e.alert.camera for e in host.spool.alerts_after(0, 99)} == {"cam-0", "cam-1"}, "incidents")
    assert all(alert.alert.rule == "anything" for alert in host.spool.alerts_after(0, 99)), "no rule across cameras"
    host.take({"cam-1": 2}, NOBODY)
    assert set(host.leases()) <= {"cam-0", "cam-1"}  # its thread may take a moment
    wait_for(lambda: taken(host, {"cam-1": 2}) == {"cam-1": 2}, "let go")
    wait_for(lambda: ended(host) == {"cam-0"}, "its incident ends")
    (end,) = [e.alert for e in host.spool.alerts_after(0, 99) if e.alert.type.value == "end"]
    assert end.annotations["end_reason"] == "moved"
    assert "cam-0" not in host.states
    wait_for(lambda: taken(host, {"cam-1": 2}) and "cam-0" not in scrape(host), "no series", SETTLED + 20)
    assert "cam-1" in scrape(host)
    host.take({"cam-0": 9, "cam-1": 2}, NOBODY)  # back again
    wait_for(lambda: host.states.get("cam-0") == "online", "online again")
    assert host.leases()["cam-0"] == 9


def scrape(host: Host) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{host.http.address[1]}/metrics", timeout=10) as answer:
        return str(answer.read().decode())


def test_rules_across_cameras_are_told_of_those_that_they_watch(host: Host) -> None:
    host.take({"cam-0": 1}, NOBODY)
    wait_for(lambda: any(not isinstance(row, Gap | CameraState) for row in list(host.rows)), "a detection")
    assert {row.camera for row in list(host.rows)} == {"cam-0"}
    host.follow(tuple(rule for rule in host.evaluation._book.rules if rule.scope == "camera"))
    wait_for(lambda: len(host.spool.alerts_after(0, 9)) >= 1, "it goes on")
    host.rows.clear()
    before = host.metrics.windows.labels("cam-0")._value.get()
    wait_for(lambda: host.metrics.windows.labels("cam-0")._value.get() > before + 1, "two more windows")
    assert not host.rows, "nobody asks for them"


def test_one_process_a_host(host: Host) -> None:
    config = host.config.model_copy(update={"data_dir": host.config.data_dir.parent.parent})
    with pytest.raises(ConfigError, match="in use by process"):
        Host("north", config, Welcome("site", ()), lambda worker: None)
    other = Host("south", config, Welcome("site", ()), lambda worker: None)
    other.close()
    assert replace(Welcome("a", ()), instance="b").instance == "b"


def test_the_reserve_of_its_disk_is_made_again(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    assert host.reserve.release()
    host.supervise()
    assert not host.reserve.held
    monkeypatch.setattr("streamwatch.cluster.host.TEND", 0.0)
    host.supervise()
    assert host.reserve.held
