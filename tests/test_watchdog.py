"""Lost workers over time; the clock is an argument."""

import logging

import pytest

from streamwatch.errors import WorkerLostError
from streamwatch.metrics import Metrics
from streamwatch.watchdog import GIVE_UP, Watchdog


class Workers:
    """Names of those lost, as the health knows them."""

    def __init__(self) -> None:
        self.lost: list[str] = []
        self.metrics = Metrics()
        self.watchdog = Watchdog(lambda: list(self.lost), self.metrics.worker_lost)

    def gauge(self, name: str) -> float | None:
        return self.metrics.registry.get_sample_value("streamwatch_worker_lost", {"worker": name})


def test_all_well_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    workers = Workers()
    assert [list(workers.watchdog.look(now)) for now in range(100)] == [[]] * 100
    assert not caplog.records


def test_a_lost_worker_is_said_once_and_shown(caplog: pytest.LogCaptureFixture) -> None:
    workers = Workers()
    workers.lost = ["inference"]
    for tenth in range(50):
        assert workers.watchdog.look(tenth / 10) == ["inference"]
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert workers.gauge("inference") == 1


def test_one_that_comes_back_is_forgiven(caplog: pytest.LogCaptureFixture) -> None:
    workers = Workers()
    for stall in range(20):  # many short stalls are not a long one
        workers.lost = ["rules"]
        workers.watchdog.look(stall * 20.0)
        workers.lost = []
        workers.watchdog.look(stall * 20.0 + 5.0)
    assert workers.gauge("rules") == 0
    assert "worker rules moves again after 5.0 s" in caplog.text


def test_one_that_does_not_is_given_up() -> None:
    workers = Workers()
    workers.lost = ["inference"]
    workers.watchdog.look(100.0)
    workers.watchdog.look(100.0 + GIVE_UP - 0.1)
    workers.lost = ["inference", "rules"]
    with pytest.raises(WorkerLostError, match="worker inference has not moved for 30 s"):
        workers.watchdog.look(100.0 + GIVE_UP)
