"""What the store knows of incidents that have not ended."""

import dataclasses
import sqlite3
from pathlib import Path

import pytest

from streamwatch.rules.alert import Alert, AlertType
from streamwatch.sinks.store import SqliteOutbox
from tests.sinks.stage import make_alert

NEW, UPDATE, END = AlertType.NEW, AlertType.UPDATE, AlertType.END


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "alerts.db"


def left(path: Path, *alerts: Alert) -> list[Alert]:
    """What another process finds after these."""
    outbox = SqliteOutbox(path)
    for alert in alerts:
        outbox.append(alert)
    outbox.close()
    again = SqliteOutbox(path)
    found = again.left_open()
    again.close()
    return found


def test_the_last_alert_of_each_that_has_not_ended(path: Path) -> None:
    update = make_alert(1, UPDATE, seq=1)
    other = make_alert(3)
    assert left(path, make_alert(1), make_alert(2), update, make_alert(2, END, seq=1), other) == [update, other]


def test_none_once_they_are_ended(path: Path) -> None:
    assert left(path, make_alert(1)) != []
    assert left(path, make_alert(1, END, seq=1)) == []


def test_what_is_said_after_the_end_opens_nothing(path: Path) -> None:
    end = make_alert(1, END, seq=1)
    assert left(path, make_alert(1), end, dataclasses.replace(end, type=UPDATE, seq=2, clip="x.mp4")) == []


def test_outlives_what_was_acknowledged_and_trimmed(path: Path) -> None:
    outbox = SqliteOutbox(path, keep=1)
    first = make_alert(1)
    outbox.append(first)
    for number in range(2, 1003):
        outbox.append(make_alert(number))
        outbox.append(make_alert(number, END, seq=1))
    for entry in outbox.pending(0, 3000, 0.0):
        outbox.acknowledge(entry.sequence)
    assert outbox.alerts_after(0, 1)[0].sequence > 1
    assert outbox.left_open() == [first]
    outbox.close()


def test_a_store_of_before_has_none(path: Path) -> None:
    left(path, make_alert(1))
    with sqlite3.connect(path) as db:
        db.execute("DROP TABLE left_open")
    db.close()
    assert left(path) == []
    assert left(path, make_alert(2)) != []


def test_what_cannot_be_read_is_said_and_left(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    left(path, make_alert(1), make_alert(2))
    with sqlite3.connect(path) as db:
        db.execute("UPDATE left_open SET payload = 'x' WHERE id = ?", (make_alert(1).id,))
    db.close()
    assert [alert.id for alert in left(path)] == [make_alert(2).id]
    assert make_alert(1).id in caplog.text


def test_knows_those_of_which_nothing_waits(path: Path) -> None:
    outbox = SqliteOutbox(path)
    for alert in (make_alert(1), make_alert(2, camera="gate"), make_alert(3), make_alert(3, END, seq=1)):
        outbox.append(alert)
    assert outbox.going() == {}
    outbox.acknowledge(1, 2, 3, 4)
    assert outbox.going() == {make_alert(1).id: "dock", make_alert(2).id: "gate"}
    outbox.append(make_alert(2, UPDATE, camera="gate", seq=1))
    assert outbox.going() == {make_alert(1).id: "dock"}
    with sqlite3.connect(path) as db:
        db.execute("UPDATE left_open SET payload = 'x'")
    db.close()
    assert outbox.going() == {}
    outbox.close()
