"""Alerts to disk, and to a reader in this process."""

import sqlite3
import threading
import time
from pathlib import Path

import pytest

from streamwatch.delivery import UNREAD, Delivery
from streamwatch.errors import SinkError
from streamwatch.metrics import Metrics
from streamwatch.rules.alert import Alert
from streamwatch.sinks.outbox import Entry, MemoryOutbox
from streamwatch.sinks.reserve import Reserve
from streamwatch.sinks.store import SqliteOutbox
from tests.sinks.stage import make_alert


class Full(MemoryOutbox):
    """A disk without room as long as the reserve is there, or for ever."""

    def __init__(self, reserve: Path, for_ever: bool = False) -> None:
        super().__init__()
        self._reserve = reserve
        self._for_ever = for_ever

    def append(self, alert: Alert) -> Entry:
        if self._for_ever or self._reserve.exists():
            raise SinkError("the disk is full")
        return super().append(alert)


@pytest.fixture
def reserve(tmp_path: Path) -> Reserve:
    return Reserve(tmp_path / "reserve", 4096)


def test_what_is_kept_can_be_read(reserve: Reserve) -> None:
    outbox = MemoryOutbox()
    delivery = Delivery(outbox, reserve, Metrics().alerts_dropped)
    alerts = [make_alert(number) for number in range(3)]
    for alert in alerts:
        delivery.deliver(alert)
    assert delivery.read(0.0) == alerts
    assert delivery.read(0.0) == []
    assert [entry.alert for entry in outbox.alerts_after(0, 9)] == alerts
    assert reserve.held


def test_a_full_disk_costs_the_reserve_and_no_alert(reserve: Reserve, tmp_path: Path) -> None:
    outbox = Full(tmp_path / "reserve")
    delivery = Delivery(outbox, reserve, Metrics().alerts_dropped)
    delivery.deliver(make_alert())
    assert len(outbox) == 1
    assert not reserve.held


def test_without_a_reserve_the_caller_hears_of_it(reserve: Reserve, tmp_path: Path) -> None:
    delivery = Delivery(Full(tmp_path / "reserve", for_ever=True), reserve, Metrics().alerts_dropped)
    for _ in range(2):
        with pytest.raises(SinkError):
            delivery.deliver(make_alert())
    assert delivery.read(0.0) == []  # what is not on disk was not delivered


def test_a_lock_does_not_cost_the_reserve(tmp_path: Path, reserve: Reserve) -> None:
    """A backup program holds the file for a moment."""
    store = SqliteOutbox(tmp_path / "alerts.sqlite")
    other = sqlite3.connect(tmp_path / "alerts.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    delivery = Delivery(store, reserve, Metrics().alerts_dropped)
    with pytest.raises(SinkError, match="locked"):
        delivery.deliver(make_alert())
    assert reserve.held
    other.execute("ROLLBACK")
    other.close()
    delivery.deliver(make_alert())
    assert len(store) == 1
    store.close()


@pytest.mark.parametrize(("reads", "dropped"), [(False, None), (True, 5.0)])
def test_only_a_reader_can_miss_something(reserve: Reserve, reads: bool, dropped: float | None) -> None:
    metrics = Metrics()
    delivery = Delivery(MemoryOutbox(), reserve, metrics.alerts_dropped)
    if reads:
        delivery.read(0.0)
    for number in range(UNREAD + 5):
        delivery.deliver(make_alert(number))
    found = metrics.registry.get_sample_value("streamwatch_alerts_dropped_total", {"reason": "unread"})
    assert found == dropped
    assert len(delivery.read(0.0)) == UNREAD


def test_a_waiting_reader_wakes_for_an_alert_and_for_the_end(reserve: Reserve) -> None:
    delivery = Delivery(MemoryOutbox(), reserve, Metrics().alerts_dropped)
    threading.Timer(0.1, delivery.deliver, [make_alert()]).start()
    began = time.monotonic()
    assert len(delivery.read(30)) == 1
    threading.Timer(0.1, delivery.close).start()
    assert delivery.read(30) == []
    assert time.monotonic() - began < 20
