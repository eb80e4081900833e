"""Alerts of hosts on the way into the site's outbox, also into one that fails."""

import dataclasses
from types import SimpleNamespace

import pytest

from streamwatch.cluster.incidents import RETRY, Incidents
from streamwatch.errors import SinkError
from streamwatch.metrics import Metrics
from streamwatch.rules.alert import Alert, AlertType
from streamwatch.sinks.outbox import Entry
from tests.sinks.stage import make_alert, value

NEW = make_alert(1)
UPDATE = dataclasses.replace(make_alert(1, AlertType.UPDATE), seq=1)
PATIENCE = 8.0  # seconds
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
    return Incidents(shelf, shelf.deliver, lambda host, camera, at: host == owner, refused, PATIENCE)


def entries(*alerts: Alert) -> list[Entry]:
    return [Entry(number, alert, 0.0) for number, alert in enumerate(alerts, 1)]


def test_what_is_told_twice_is_kept_once(shelf: Shelf) -> None:
    running = incidents(shelf)
    assert running.take("north", entries(NEW, UPDATE), 0.0) == 2
    assert running.take("north", entries(NEW, UPDATE, END), 0.0) == 3
    assert shelf.kept == [NEW, UPDATE, END]
    assert running.cameras == frozenset()


def test_a_host_speaks_for_its_cameras_and_ends_what_it_began(shelf: Shelf) -> None:
    metrics = Metrics()
    running = incidents(shelf, metrics)
    assert running.take("south", entries(NEW), 0.0) == 1
    assert (shelf.kept, value(metrics, "cluster_alerts_refused_total")) == ([], 1)
    running.take("north", entries(NEW), 0.0)
    assert running.cameras == {"dock"}
    assert (running.host(NEW.id), running.host("none")) == ("north", None)
    assert (running.is_open(NEW.id), running.is_open("none")) == (True, False)
    running.take("south", entries(END), 0.0)  # it is known here: whoever began it may end it
    assert shelf.kept == [NEW, END]


def test_a_store_that_fails_costs_nothing(shelf: Shelf) -> None:
    running = incidents(shelf)
    running.take("north", entries(NEW), 0.0)
    shelf.broken = True
    assert running.take("north", entries(UPDATE, END), 0.0) == 0
    assert running.cameras == {"dock"}
    shelf.broken = False
    assert running.take("north", entries(UPDATE, END), RETRY / 2) == 0  # it is left alone for a while
    assert running.take("north", entries(UPDATE, END), 2 * RETRY) == 2
    assert shelf.kept == [NEW, UPDATE, END]


def test_what_waits_for_a_store_that_fails_goes_on_meanwhile(shelf: Shelf) -> None:
    running = incidents(shelf)
    other = dataclasses.replace(NEW, id="other")
    running.take("north", entries(NEW, other), 0.0)
    shelf.broken = True
    later = entries(UPDATE, dataclasses.replace(other, type=AlertType.UPDATE, seq=1))
    for now in range(1, 30):
        running.take("north", later, float(now))
        running.go_on("north", {}, False, float(now))  # of both something waits
        running.expire(float(now), 1.0)
    shelf.broken = False
    assert running.take("north", later, 40.0) == 2
    assert [(alert.id, alert.type) for alert in shelf.kept[2:]] == [
        (NEW.id, AlertType.UPDATE),
        ("other", AlertType.UPDATE),
    ]


def test_a_store_that_takes_long_to_fail_holds_up_few_reports(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """As PostgreSQL does behind a line that swallows all: hosts take a site that does not answer for lost."""
    clock, asked = [0.0], []

    def knows(alert: Alert) -> bool:
        asked.append(clock[0])
        clock[0] += 8.0
        raise SinkError("no answer")

    monkeypatch.setattr(shelf, "knows", knows)
    monkeypatch.setattr("streamwatch.cluster.incidents.time", SimpleNamespace(monotonic=lambda: clock[0]))
    running = incidents(shelf)
    while clock[0] < 100.0:
        clock[0] += 0.5
        assert running.take("north", entries(NEW), clock[0]) == 0
        running.expire(clock[0], 1.0)
    assert asked == [0.5, 32.5, 64.5, 96.5]


def test_what_nobody_goes_on_with_ends_once_the_store_takes_it(shelf: Shelf) -> None:
    running = incidents(shelf)
    running.adopt(NEW)
    running.expire(100.0, 1.0)  # from now on it waits for its host
    running.expire(100.0 + PATIENCE, 1.0)
    assert running.cameras == {"dock"}
    shelf.broken = True
    running.expire(100.1 + PATIENCE, 1.0)
    assert running.cameras == frozenset()
    shelf.broken = False
    running.retry(100.2 + PATIENCE)
    assert shelf.kept == []  # it is left alone for a while
    running.retry(100.2 + PATIENCE + RETRY)
    running.retry(100.2 + PATIENCE + RETRY)
    (end,) = shelf.kept
    assert (end.type, end.seq, end.annotations["end_reason"]) == (AlertType.END, 1, "restart")


def test_it_lasts_as_long_as_its_host_goes_on_with_it(shelf: Shelf) -> None:
    running = incidents(shelf)
    running.adopt(NEW)
    running.expire(0.0, 1.0)
    assert running.go_on("south", {}, True, 5.0) == frozenset()  # behind: it may be in what it has not told yet
    running.expire(5.0 + PATIENCE, 1.0)
    assert running.go_on("north", {NEW.id: "dock"}, False, 12.0) == frozenset()
    running.go_on("south", {}, True, 20.0)  # not its own any more
    running.expire(12.0 + PATIENCE, 1.0)
    assert running.cameras == {"dock"}
    running.lose("south", 20.0, 1.0)
    assert running.cameras == {"dock"}
    running.lose("north", 20.0, 1.0)
    assert [alert.type for alert in shelf.kept] == [AlertType.END]
    assert running.go_on("north", {NEW.id: "dock"}, False, 21.0) == {"dock"}  # it is over here


def test_what_has_ended_is_not_opened_again(shelf: Shelf) -> None:
    metrics = Metrics()
    running = incidents(shelf, metrics)
    running.take("north", entries(NEW, UPDATE, END), 0.0)
    late = dataclasses.replace(UPDATE, seq=3)
    where = dataclasses.replace(END, type=AlertType.UPDATE, seq=3, clip="evidence/1.mp4")
    assert running.take("north", entries(late), 0.0) == 1
    assert (running.cameras, shelf.kept[3:], value(metrics, "cluster_alerts_refused_total")) == (frozenset(), [], 1)
    running.take("north", entries(where), 0.0)
    assert (running.cameras, shelf.kept[3:]) == (frozenset(), [where])
