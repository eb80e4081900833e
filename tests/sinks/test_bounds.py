import dataclasses
import itertools
import sqlite3
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamwatch.rules.alert import Alert
from streamwatch.sinks.bounds import Bounds, Held, Pruned, ranges, rank
from streamwatch.sinks.store import SqliteOutbox
from tests.sinks.stage import make_alert


def graded(number: int, severity: str) -> Alert:
    return dataclasses.replace(make_alert(number), severity=severity)


class Pruning:
    """An outbox of a few alerts, and what it said of those it gave up."""

    def __init__(self, path: Path, **bounds: float) -> None:
        self.told: list[tuple[int, str]] = []
        given = dataclasses.replace(Bounds(), **bounds)  # type: ignore[arg-type]
        self.outbox = SqliteOutbox(path, bounds=given, on_pruned=lambda rows, why: self.told.append((rows, why)))

    def waiting(self) -> list[int]:
        return [entry.sequence for entry in self.outbox.pending(0, 10_000, 0.0)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "alerts.sqlite"


class TestGivingUp:
    def test_the_oldest_of_the_least_grave_go_first(self, path: Path) -> None:
        pruning = Pruning(path, rows=4)
        for number, severity in enumerate(["critical", "info", "warning", "info", "critical", "critical", "critical"]):
            pruning.outbox.append(graded(number, severity))
        assert pruning.waiting() == [1, 5, 6, 7], "the four critical ones"
        assert pruning.told == [(1, "rows")] * 3
        pruning.outbox.append(graded(8, "info"))
        assert pruning.waiting() == [1, 5, 6, 7], "it gives way at once"
        pruning.outbox.append(graded(9, "critical"))
        assert pruning.waiting() == [5, 6, 7, 9]
        assert len(pruning.outbox) == 4
        pruning.outbox.close()

    def test_bytes_are_bounded(self, path: Path) -> None:
        pruning = Pruning(path, size=5000)
        for number in range(50):
            pruning.outbox.append(make_alert(number))
        held = sum(len(row[0]) for row in pruning.outbox._db.execute("SELECT payload FROM alerts WHERE acked = 0"))
        assert 3000 < held <= 5000
        assert {reason for _, reason in pruning.told} == {"bytes"}
        assert pruning.waiting()[-1] == 50
        pruning.outbox.close()

    def test_age_is_bounded(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        pruning = Pruning(path, age=3600.0)
        pruning.outbox.append(make_alert(1))
        pruning.outbox.append(make_alert(2))
        later = time.time() + 4000
        monkeypatch.setattr("streamwatch.sinks.store.time.time", lambda: later)
        pruning.outbox.append(make_alert(3))
        assert pruning.waiting() == [3]
        assert pruning.told == [(2, "age")]
        pruning.outbox.close()

    def test_is_said_once_in_the_log_until_all_is_well(self, path: Path, caplog: pytest.LogCaptureFixture) -> None:
        pruning = Pruning(path, rows=1)
        for number in range(5):
            pruning.outbox.append(make_alert(number))
        assert caplog.text.count("outbox.max_rows") == 1
        pruning.outbox.acknowledge(5)
        pruning.outbox.append(make_alert(6))
        pruning.outbox.append(make_alert(7))
        assert caplog.text.count("outbox.max_rows") == 2
        pruning.outbox.close()

    def test_what_was_given_up_in_flight_is_not_counted_off_twice(self, path: Path) -> None:
        pruning = Pruning(path, rows=2)
        for number in range(3):
            pruning.outbox.append(make_alert(number))
        pruning.outbox.acknowledge(1)
        assert len(pruning.outbox) == 2
        pruning.outbox.close()

    def test_counts_are_the_same_after_a_restart(self, path: Path) -> None:
        first = Pruning(path, rows=5)
        for number in range(9):
            first.outbox.append(graded(number, "info" if number % 2 else "critical"))
        first.outbox.acknowledge(1)
        before = (len(first.outbox), first.outbox._size, first.outbox.held(0))
        first.outbox.close()
        second = Pruning(path, rows=5)
        assert (len(second.outbox), second.outbox._size, second.outbox.held(0)) == before
        second.outbox.close()

    def test_lower_bounds_are_kept_from_the_next_alert_on(self, path: Path) -> None:
        first = Pruning(path)
        for number in range(30):
            first.outbox.append(make_alert(number))
        first.outbox.close()
        second = Pruning(path, rows=3)
        second.outbox.append(make_alert(31))
        assert second.waiting() == [29, 30, 31]
        second.outbox.close()

    @settings(max_examples=20, deadline=None)  # each writes to disk
    @given(st.lists(st.sampled_from(["info", "warning", "critical", "ack"]), max_size=40), st.integers(1, 6))
    def test_never_more_than_the_bound_and_no_number_without_a_fate(
        self, tmp_path_factory: pytest.TempPathFactory, actions: list[str], rows: int
    ) -> None:
        pruning = Pruning(tmp_path_factory.mktemp("box") / "alerts.sqlite", rows=rows)
        acked = set()
        for number, action in enumerate(actions):
            if action == "ack":
                for sequence in pruning.waiting()[:1]:
                    pruning.outbox.acknowledge(sequence)
                    acked.add(sequence)
            else:
                pruning.outbox.append(graded(number, action))
        held = pruning.outbox.held(0)
        gone = set(itertools.chain.from_iterable(range(p.first, p.last + 1) for p in held.pruned))
        waiting = pruning.waiting()
        assert len(waiting) == len(pruning.outbox) <= rows
        assert sorted([*waiting, *acked, *gone]) == list(range(1, held.last + 1)), "each number has one fate"
        pruning.outbox.close()


class TestTrace:
    def test_a_subscriber_is_told_what_was_given_up_and_where_memory_begins(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pruning = Pruning(path, rows=3)
        for number in range(8):
            pruning.outbox.append(make_alert(number))
        assert pruning.outbox.held(0) == Held(1, 8, (Pruned(1, 5, "rows"),))
        assert pruning.outbox.held(3) == Held(1, 8, (Pruned(4, 5, "rows"),))
        assert [entry.sequence for entry in pruning.outbox.alerts_after(0, 100)] == [6, 7, 8]
        pruning.outbox.close()
        monkeypatch.setattr("streamwatch.sinks.store._TRIM_EVERY", 1)
        short = SqliteOutbox(path, keep=4, bounds=Bounds(rows=3))
        short.append(make_alert(9))
        assert short.held(0) == Held(6, 9, (Pruned(6, 6, "rows"),)), "traces are as bounded as all else"
        short.close()

    def test_an_unreadable_one_is_told_too(self, path: Path) -> None:
        pruning = Pruning(path)
        for number in range(3):
            pruning.outbox.append(make_alert(number))
        pruning.outbox._db.execute("UPDATE alerts SET payload = '{}' WHERE sequence = 2")
        assert pruning.waiting() == [1, 3]
        assert pruning.outbox.held(0).pruned == (Pruned(2, 2, "unreadable"),)
        pruning.outbox.close()

    def test_a_file_of_before_is_taken_over(self, path: Path) -> None:
        SqliteOutbox(path).close()
        db = sqlite3.connect(path, isolation_level=None)
        db.executescript("DROP INDEX graveness; DROP INDEX given_up;")
        for column in ("rank", "size"):
            db.execute(f"ALTER TABLE alerts DROP COLUMN {column}")
        db.close()
        outbox = SqliteOutbox(path, bounds=Bounds(rows=1))
        outbox.append(make_alert(1))
        outbox.append(make_alert(2))
        assert outbox.held(0).pruned == (Pruned(1, 1, "rows"),)
        outbox.close()


class TestRanges:
    def test_neighbours_of_one_reason_are_one(self) -> None:
        marked = [(1, "rows"), (2, "rows"), (3, "age"), (5, "age")]
        assert ranges(marked) == ((Pruned(1, 2, "rows"), Pruned(3, 3, "age"), Pruned(5, 5, "age")), None)
        assert ranges([]) == ((), None)

    def test_a_long_list_is_cut_and_says_where(self) -> None:
        found, until = ranges((number * 2, "rows") for number in range(1, 1000))
        assert len(found) == 200
        assert until == found[-1].last == 400


def test_what_nobody_knows_is_grave() -> None:
    assert rank("info") < rank("warning") < rank("critical") == rank("of my own making")
