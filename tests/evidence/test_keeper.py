import time
from collections.abc import Callable
from math import isnan
from pathlib import Path

import pytest

from streamwatch.config import Config
from streamwatch.errors import ConfigError
from streamwatch.evidence.keeper import RETRY, Keeper
from streamwatch.evidence.recorder import Outlet
from streamwatch.metrics import Metrics
from streamwatch.rules.alert import Alert
from tests.evidence.footage import EPOCH, ID, fill, make_alert, make_detection


def make_keeper(folder: Path, told: list[Alert], enabled: bool = True, metrics: Metrics | None = None) -> Keeper:
    cameras = [{"name": "dock", "url": "rtsp://127.0.0.1:9/x"}]
    evidence = {"enabled": enabled, "min_free": 0}
    config = Config.model_validate({"cameras": cameras, "data_dir": folder, "evidence": evidence})
    return Keeper(config, Outlet(told.append, lambda camera, rule, jpeg: None), metrics or Metrics(), lambda: EPOCH + 4)


def wait_for(condition: Callable[[], object], limit: float = 30) -> None:
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_a_camera_leaves_becomes_evidence(tmp_path: Path, video: Path) -> None:
    told: list[Alert] = []
    keeper = make_keeper(tmp_path, told)
    ring = keeper.ring("dock")
    assert ring is not None
    keeper.start()
    fill(ring, video)
    keeper.put(make_detection(4.0, 0.9))
    keeper.deliver(make_alert())
    assert keeper.stop(30) == []
    assert [(alert.id, alert.seq, alert.clip is None) for alert in told] == [(ID, 0, True), (ID, 1, False)]
    assert keeper.find(ID, "clip") == tmp_path / "evidence" / "dock" / "2026-02-02" / f"{ID}.mp4"
    assert keeper.ring("attic") is None


def test_switched_off_it_keeps_nothing(tmp_path: Path) -> None:
    told: list[Alert] = []
    metrics = Metrics()
    keeper = make_keeper(tmp_path, told, enabled=False, metrics=metrics)
    keeper.start()
    writing = metrics.registry.get_sample_value("streamwatch_evidence_writing")
    assert writing is not None
    assert isnan(writing), "0 would be an alert of Prometheus"
    assert keeper.degraded() == []
    keeper.deliver(make_alert())
    assert keeper.ring("dock") is None
    assert told == [make_alert()]
    assert keeper.find(ID, "clip") is None
    assert keeper.stop(1) == []
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_used_is_said_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "evidence").write_text("")
    with pytest.raises(ConfigError, match="evidence cannot be kept"):
        make_keeper(tmp_path, [])


def test_a_fault_in_its_thread_ends_evidence_and_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> None:
        raise ValueError("a fault of ours")

    monkeypatch.setattr("streamwatch.evidence.recorder.Recorder._turn", fail)
    keeper = make_keeper(tmp_path, [])
    keeper.start()
    wait_for(keeper.degraded)
    wait_for(lambda: "a fault of ours" in caplog.text)
    assert "its thread failed" in keeper.degraded()[0]
    keeper.put(make_alert())
    assert keeper.stop(10) == []


def test_its_thread_is_started_again_slowly(tmp_path: Path, video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Alert] = []
    keeper = make_keeper(tmp_path, told)
    keeper.start()
    keeper.put(None)  # type: ignore[arg-type]
    wait_for(keeper.degraded)
    keeper.supervise(1000.0)
    keeper.supervise(1000.0 + RETRY - 1)
    assert keeper.degraded()
    keeper.supervise(1000.0 + RETRY)
    assert keeper.degraded() == []
    ring = keeper.ring("dock")
    assert ring is not None
    fill(ring, video)
    keeper.deliver(make_alert())
    assert keeper.stop(30) == []
    assert [alert.clip is None for alert in told] == [True, False]
