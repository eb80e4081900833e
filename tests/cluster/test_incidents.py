"""Alerts of hosts on the way into the site's outbox, also into one that fails."""

import dataclasses

import pytest

from streamwatch.cluster.incidents import Incidents
from streamwatch.errors import SinkError
from streamwatch.metrics import Metrics
from streamwatch.rules.alert import Alert, AlertType
from streamwatch.sinks.outbox import Entry
from tests.sinks.stage import make_alert, value

NEW = make_alert(1)
UPDATE = dataclasses.replace(make_alert(1, AlertType.UPDATE), seq=1)
END = dataclasses.replace(make_alert(1, AlertType.END), seq=2)


class Shelf:
    """A store that can be broken, and remembers what it keeps."""

    def __init__(self) -> None:
        self.kept: list[Alert] = []
        self.broken = False

    def knows(self, alert: Alert) -> bool:
        self.check()
        return any((alert.id, alert.seq) == (known.id, known.seq) for known in self.kept)

    def deliver(self, alert: Alert) -> None:
        self.check()
        self.kept.append(alert)

    def check(self) -> None:
        if self.broken:
            raise SinkError("broken")


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def incidents(shelf: Shelf, metrics: Metrics | None = None, owner: str = "north") -> Incidents:
    refused = (metrics or Metrics()).cluster_alerts_refused
    return Incidents(shelf, shelf.deliver, lambda host, camera, at: host == owner, refused)


def entries(*alerts: Alert) -> list[Entry]:
    return [Entry(number, alert, 0.0) for number, alert in enumerate(alerts, 1)]


def test_what_is_told_twice_is_kept_once(shelf: Shelf) -> None:
    running = incidents(shelf)
    assert running.take("north", entries(NEW, UPDATE)) == 2
    assert running.take("north", entries(NEW, UPDATE, END)) == 3
    assert shelf.kept == [NEW, UPDATE, END]
    assert running.cameras == frozenset()


def test_a_host_speaks_for_its_cameras_and_ends_what_it_began(shelf: Shelf) -> None:
    metrics = Metrics()
    running = incidents(shelf, metrics)
    assert running.take("south", entries(NEW)) == 1
    assert (shelf.kept, value(metrics, "cluster_alerts_refused_total")) == ([], 1)
    running.take("north", entries(NEW))
    assert running.cameras == {"dock"}
    assert (running.camera(NEW.id), running.camera("none")) == ("dock", None)
    running.take("south", entries(END))  # it is known here: whoever began it may end it
    assert shelf.kept == [NEW, END]


def test_a_store_that_fails_costs_nothing(shelf: Shelf) -> None:
    running = incidents(shelf)
    running.take("north", entries(NEW))
    shelf.broken = True
    assert running.take("north", entries(UPDATE, END)) == 0
    assert running.cameras == {"dock"}
    shelf.broken = False
    assert running.take("north", entries(UPDATE, END)) == 2
    assert shelf.kept == [NEW, UPDATE, END]


def test_what_nobody_goes_on_with_ends_once_the_store_takes_it(shelf: Shelf) -> None:
    running = incidents(shelf)
    running.adopt(NEW)
    running.end(["gate"])
    assert running.cameras == {"dock"}
    shelf.broken = True
    running.end(["dock"])
    assert running.cameras == frozenset()
    shelf.broken = False
    running.retry()
    running.retry()
    (end,) = shelf.kept
    assert (end.type, end.seq, end.annotations["end_reason"]) == (AlertType.END, 1, "restart")
