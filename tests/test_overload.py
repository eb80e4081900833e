"""Overload over time; clock and counts are arguments."""

import logging

import pytest

from streamwatch.metrics import Metrics
from streamwatch.overload import BEGUN, ENDED, PERIOD, Overload, Totals, totals


class Machine:
    """A machine that is more or less too slow for 100 packets a second, of which 25 are a clip."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.totals = Totals()
        self.overload = Overload(lambda: self.totals)

    def run(self, seconds: float, share: float, received: float = 100.0) -> None:
        """Looks come five times a second, as supervision does."""
        for _ in range(round(seconds * 5)):
            self.now += 0.2
            skipped = share * received / 5
            old = self.totals
            self.totals = Totals(old.received + received / 5, old.skipped + skipped, old.missed + skipped / 25)
            self.overload.look(self.now)


def said(caplog: pytest.LogCaptureFixture) -> list[int]:
    return [record.levelno for record in caplog.records]


@pytest.fixture(autouse=True)
def listening(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def test_a_machine_that_keeps_up_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine()
    machine.run(600, 0.04)
    assert not machine.overload.overloaded
    assert machine.overload.degraded() == []
    assert said(caplog) == []


def test_one_that_is_too_slow_is_said_once_with_the_share_and_what_to_do(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine()
    machine.run(60, 0.0)
    machine.run(600, 0.4)
    assert machine.overload.overloaded
    assert machine.overload.degraded() == ["machine too slow for its cameras: 40% of their packets are left out"]
    assert said(caplog) == [logging.WARNING]
    assert "decode: auto" in caplog.text


def test_it_is_told_within_half_a_minute_or_so() -> None:
    machine = Machine()
    machine.run(60, 0.0)
    machine.run(BEGUN * PERIOD, 0.2)
    assert machine.overload.overloaded


def test_a_moment_is_none(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine()
    for _ in range(10):
        machine.run(120, 0.0)
        machine.run(1, 1.0)
    assert said(caplog) == []


def test_when_it_is_over_is_said_with_how_long_and_how_much(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine()
    machine.run(60, 0.0)
    machine.run(100, 0.5)
    machine.run(ENDED * PERIOD - 2 * PERIOD, 0.0)
    assert machine.overload.overloaded, "not before it was well for as long"
    machine.run(3 * PERIOD, 0.0)
    assert not machine.overload.overloaded
    assert machine.overload.degraded() == []
    assert said(caplog) == [logging.WARNING, logging.INFO]
    took, missed = caplog.records[-1].args
    assert 100 <= float(took) <= 200
    assert missed == pytest.approx(200, abs=20)


def test_one_that_just_about_keeps_up_is_not_well_and_ill_in_turn(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine()
    for share in [0.06, 0.03] * 20:
        machine.run(40, share)
    assert said(caplog) == [logging.WARNING]


def test_without_cameras_there_is_none() -> None:
    machine = Machine()
    machine.run(120, 0.0, received=0.0)
    assert not machine.overload.overloaded


def test_a_camera_that_goes_elsewhere_takes_its_counts_along(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine()
    machine.run(60, 0.5)
    machine.totals = Totals(10.0, 0.0, 0.0)
    machine.run(100, 0.0)
    assert not machine.overload.overloaded
    assert said(caplog) == [logging.WARNING, logging.INFO]


def test_all_cameras_are_counted_together() -> None:
    metrics = Metrics()
    assert totals(metrics) == Totals()
    for camera in ("dock", "gate"):
        metrics.packets_received.labels(camera).inc(100)
        metrics.packets_skipped.labels(camera).inc(10)
        metrics.clips_dropped.labels(camera, "overload").inc(3)
        metrics.clips_dropped.labels(camera, "replaced").inc(5)
    assert totals(metrics) == Totals(200, 20, 6)
