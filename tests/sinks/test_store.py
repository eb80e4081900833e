import dataclasses
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from streamwatch.errors import SinkError
from streamwatch.sinks.outbox import Entry
from streamwatch.sinks.store import SqliteOutbox
from tests.sinks.stage import LIMIT, make_alert

ROOT = Path(__file__).parents[2]


def sequences(entries: list[Entry]) -> list[int]:
    return [entry.sequence for entry in entries]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "alerts.db"


class TestSqliteOutbox:
    def test_hands_out_equal_alerts_in_order_until_they_are_acknowledged(self, path: Path) -> None:
        outbox = SqliteOutbox(path)
        alerts = [make_alert(number) for number in range(5)]
        assert sequences([outbox.append(alert) for alert in alerts]) == [1, 2, 3, 4, 5]
        outbox.acknowledge(2)
        outbox.acknowledge(2)
        outbox.acknowledge(99)
        found = outbox.pending(0, 3, 0.0)
        assert sequences(found) == [1, 3, 4]
        assert [entry.alert for entry in found] == [alerts[0], alerts[2], alerts[3]]
        assert sequences(outbox.pending(4, 9, 0.0)) == [5]
        assert len(outbox) == 4
        outbox.close()

    def test_goes_on_where_it_was_after_a_restart(self, path: Path) -> None:
        first = SqliteOutbox(path)
        for number in range(3):
            first.append(make_alert(number))
        first.acknowledge(1)
        first.close()
        second = SqliteOutbox(path)
        assert second.instance == first.instance
        assert len(second) == 2
        entry = second.append(make_alert(3))
        assert (entry.sequence, entry.earlier) == (4, False)
        assert [(e.sequence, e.earlier) for e in second.pending(0, 9, 0.0)] == [(2, True), (3, True), (4, False)]
        second.close()

    def test_keeps_counting_when_all_is_acknowledged(self, path: Path) -> None:
        first = SqliteOutbox(path)
        first.append(make_alert())
        first.acknowledge(1)
        first.close()
        second = SqliteOutbox(path)
        assert second.append(make_alert()).sequence == 2
        second.close()

    def test_waits_for_the_first_and_no_longer_than_asked(self, path: Path) -> None:
        outbox = SqliteOutbox(path)
        begun = time.monotonic()
        assert outbox.pending(0, 10, 0.05) == []
        assert time.monotonic() - begun >= 0.05
        late = threading.Timer(0.1, outbox.append, [make_alert()])
        late.start()
        assert sequences(outbox.pending(0, 10, LIMIT)) == [1]
        late.join(LIMIT)
        outbox.close()

    def test_shows_acknowledged_alerts_to_those_who_ask_again(self, path: Path) -> None:
        outbox = SqliteOutbox(path)
        for number in range(5):
            outbox.append(make_alert(number))
            outbox.acknowledge(number + 1)
        assert sequences(outbox.alerts_after(2, 2)) == [3, 4]
        assert outbox.alerts_after(5, 10) == []
        outbox.close()

    def test_keeps_a_bounded_number_of_acknowledged_alerts(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("streamwatch.sinks.store._TRIM_EVERY", 10)
        outbox = SqliteOutbox(path, keep=10)
        for number in range(1, 101):
            outbox.append(make_alert(number))
            if number != 50:
                outbox.acknowledge(number)
        kept = sequences(outbox.alerts_after(0, 1000))
        assert kept[0] == 50, "what nobody has acknowledged is never given up"
        assert kept[-1] == 100
        assert 11 <= len(kept) <= 10 + 10 + 1
        outbox.close()

    def test_knows_how_long_the_oldest_waits(self, path: Path) -> None:
        outbox = SqliteOutbox(path)
        assert outbox.oldest() is None
        entry = outbox.append(make_alert())
        outbox.append(make_alert())
        assert outbox.oldest() == entry.stored
        outbox.acknowledge(1)
        assert outbox.oldest() != entry.stored
        outbox.close()

    def test_refuses_a_folder_that_cannot_be_made(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(SinkError, match=r"alerts\.db"):
            SqliteOutbox(tmp_path / "file" / "alerts.db")

    def test_keeps_whatever_a_text_or_number_holds(self, path: Path) -> None:
        outbox = SqliteOutbox(path)
        alert = dataclasses.replace(make_alert(), summary="\ud800\x00ü", score=float("inf"))
        outbox.append(alert)
        assert outbox.pending(0, 1, 0.0)[0].alert == alert
        outbox.close()


class TestDurability:
    def test_what_append_returned_survives_kill_9_without_a_gap(self, path: Path) -> None:
        said = 0
        for _ in range(3):
            child = subprocess.Popen(
                [sys.executable, "-c", _WRITER, str(path)],
                stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(ROOT)},
            )  # fmt: skip
            assert child.stdout is not None
            lines = [child.stdout.readline() for _ in range(200)]
            child.send_signal(signal.SIGKILL)
            rest = child.stdout.read().split(b"\n")[:-1]  # the last may be cut off
            child.stdout.close()
            child.wait(LIMIT)
            numbers = [int(line) for line in [*lines, *rest]]
            assert numbers == list(range(said + 1, said + 1 + len(numbers)))
            said = numbers[-1]
            outbox = SqliteOutbox(path)
            stored = sequences(outbox.pending(0, 1_000_000, 0.0))
            assert stored == list(range(1, len(stored) + 1))
            assert len(stored) in (said, said + 1), "one may be stored that nobody could tell"
            said = len(stored)
            outbox.close()

    def test_a_full_disk_is_said_and_survived(self, path: Path) -> None:
        outbox = SqliteOutbox(path)
        outbox.append(make_alert())
        pages = outbox._db.execute("PRAGMA page_count").fetchone()[0]
        outbox._db.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(SinkError, match="full"):
            for number in range(100):
                outbox.append(make_alert(number))
        assert outbox.fault is not None
        last = sequences(outbox.alerts_after(0, 1000))[-1]
        outbox._db.execute("PRAGMA max_page_count = 100000")
        assert outbox.append(make_alert()).sequence == last + 1
        assert outbox.fault is None
        outbox.close()

    def test_waits_while_another_program_holds_the_file(self, path: Path) -> None:
        outbox = SqliteOutbox(path)
        other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        release = threading.Timer(0.2, other.execute, ["COMMIT"])
        release.start()
        assert outbox.append(make_alert()).sequence == 1
        release.join(LIMIT)
        other.close()
        outbox.close()


_WRITER = """
import sys
from pathlib import Path
from streamwatch.sinks.store import SqliteOutbox
from tests.sinks.stage import make_alert
outbox = SqliteOutbox(Path(sys.argv[1]))
while True:
    print(outbox.append(make_alert()).sequence, flush=True)
"""


class TestCorruption:
    @pytest.mark.parametrize("damage", ["no database", "page"])
    def test_a_corrupt_file_is_put_aside_at_start(
        self, path: Path, caplog: pytest.LogCaptureFixture, damage: str
    ) -> None:
        first = SqliteOutbox(path)
        for number in range(100):
            first.append(make_alert(number))
        first.close()
        with path.open("r+b") as file:
            file.seek(0 if damage == "no database" else 4096)
            file.write(os.urandom(20_000))
        second = SqliteOutbox(path)
        assert second.append(make_alert()).sequence == 1
        assert second.instance != first.instance, "the numbers begin again, so the name must change"
        second.close()
        assert len(list(path.parent.glob("alerts.db.corrupt-*"))) == 1
        assert "put aside" in caplog.text

    def test_a_file_that_becomes_corrupt_is_replaced_and_the_numbers_go_on(self, path: Path) -> None:
        outbox = SqliteOutbox(path)
        for number in range(100):
            outbox.append(make_alert(number))
        outbox._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        outbox._db.close()
        with path.open("r+b") as file:
            file.write(os.urandom(4096 * 4))
        outbox._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        assert outbox.append(make_alert()).sequence == 101
        instance = outbox.instance
        outbox.close()
        again = SqliteOutbox(path)
        assert (again.instance, again.append(make_alert()).sequence) == (instance, 102)
        assert sequences(again.pending(0, 10, 0.0)) == [101, 102]
        again.close()

    def test_an_alert_that_cannot_be_read_holds_up_nobody(self, path: Path, caplog: pytest.LogCaptureFixture) -> None:
        outbox = SqliteOutbox(path)
        for number in range(3):
            outbox.append(make_alert(number))
        outbox._db.execute("UPDATE alerts SET payload = '{}' WHERE sequence = 2")
        assert sequences(outbox.pending(0, 10, 0.0)) == [1, 3]
        assert len(outbox) == 2
        assert "alert 2 cannot be read" in caplog.text
        outbox.close()
