"""The outbox that outlives the process: SQLite, one row an alert, on disk before ``append`` returns."""

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from streamwatch.errors import SinkError
from streamwatch.rules.alert import Alert
from streamwatch.sinks.bounds import GIVEN_UP, Bounds, Held, give_up, ranges, rank
from streamwatch.sinks.left_open import GOING, LEFT, LEFT_OPEN, left_open, note
from streamwatch.sinks.outbox import Entry
from streamwatch.sinks.record import dump, load

__all__ = ["SqliteOutbox"]

log = logging.getLogger(__name__)

T = TypeVar("T")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS alerts (
    sequence INTEGER PRIMARY KEY, id TEXT NOT NULL, seq INTEGER NOT NULL, stored REAL NOT NULL,
    payload TEXT NOT NULL, acked INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX IF NOT EXISTS waiting ON alerts (sequence) WHERE acked = 0;
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
"""
# Came later; rows of before count as grave and small. acked 2: given up, its payload is the reason.
_COLUMNS = {"rank": "INTEGER NOT NULL DEFAULT 2", "size": "INTEGER NOT NULL DEFAULT 0"}
_INDEXES = f"""
CREATE INDEX IF NOT EXISTS graveness ON alerts (rank, sequence, size) WHERE acked = 0;
CREATE INDEX IF NOT EXISTS told ON alerts (id, seq);
CREATE INDEX IF NOT EXISTS given_up ON alerts (sequence) WHERE acked = {GIVEN_UP};
"""
_CORRUPT = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_TRIM_EVERY = 1000  # acknowledgements, or alerts
_PRUNED_LIMIT = 20_000  # rows looked at for one answer
_BUSY_LIMIT = 2.0  # s; less than the watchdog and an ordered stop wait for the rules thread
_BOUNDS = Bounds()


class SqliteOutbox:
    """Alerts in one SQLite file (WAL, ``synchronous=FULL``); ``sequence`` is gapless over restarts.

    ``keep`` acknowledged alerts stay for those who ask again. ``instance`` is a name made with the file: the pair
    (instance, sequence) never means two alerts, even after a file was lost. One process per file; any thread.
    A corrupt file is put aside, with a line that says so, and a new one begun where the numbers can go on.
    What waits is kept within ``bounds``; ``on_pruned(rows, reason)`` hears of what is given up.
    """

    def __init__(
        self,
        path: Path,
        keep: int = 100_000,
        bounds: Bounds = _BOUNDS,
        on_pruned: Callable[[int, str], None] = lambda rows, reason: None,
    ) -> None:
        self.path = path
        self._bounds = bounds
        self._on_pruned = on_pruned
        self._pruning = False  # said so
        self.fault: str | None = None  # why the last write failed
        self.instance = ""
        self._keep = keep
        self._lock = threading.Condition()
        self._changes = 0
        with self._lock:
            try:
                self._open(first=1, instance=None)
            except (sqlite3.Error, OSError) as error:
                self._renew_if_corrupt(error, first=1, instance=None)
            self._earlier = self._last

    def append(self, alert: Alert) -> Entry:
        """Keep ``alert``; it is on disk when this returns. Raises SinkError if it cannot be (a full disk, for one)."""
        with self._lock:
            entry, size, gone = self._write(partial(self._insert, alert))
            self._last = entry.sequence
            self._waiting += 1 - len(gone)
            self._size += size - sum(its for _, its in gone)
            self._lock.notify_all()
        self._told(gone)
        return entry

    def pending(self, after: int, limit: int, timeout: float) -> list[Entry]:
        """See :meth:`streamwatch.sinks.outbox.Outbox.pending`. Raises SinkError if the file cannot be read."""
        with self._lock:
            self._lock.wait_for(lambda: self._waiting > 0 and self._last > after, timeout)
            if not self._waiting or self._last <= after:
                return []
            return self._select("acked = 0 AND sequence > ?", after, limit)

    def acknowledge(self, *sequences: int) -> None:
        """Take alerts off the line, all in one transaction; unknown numbers are ignored.

        Raises SinkError if the file cannot be written.
        """
        with self._lock:
            self._took(self._write(partial(self._mark, sequences)))
            self._pruning = self._pruning and self._waiting > 0

    def alerts_after(self, sequence: int, limit: int) -> list[Entry]:
        """Up to ``limit`` alerts above ``sequence``, acknowledged or not, oldest first. Raises SinkError."""
        with self._lock:
            return self._select(f"acked != {GIVEN_UP} AND sequence > ?", sequence, limit)

    def held(self, after: int) -> Held:
        """What can be asked for above ``after``, and what was given up there. Raises SinkError."""
        with self._lock:
            query = f"SELECT sequence, payload FROM alerts WHERE acked = {GIVEN_UP} AND sequence > ?"
            marked = self._read(f"{query} ORDER BY sequence LIMIT ?", (after, _PRUNED_LIMIT))
            pruned, until = ranges(marked)
            if until is None and len(marked) == _PRUNED_LIMIT:
                until = pruned[-1].last
            return Held(self._first, self._last, pruned, until)

    def knows(self, alert: Alert) -> bool:
        """Whether it is kept already, by its incident and ``seq``. Raises SinkError."""
        with self._lock:
            return bool(self._read("SELECT 1 FROM alerts WHERE id = ? AND seq = ? LIMIT 1", (alert.id, alert.seq)))

    def left_open(self) -> list[Alert]:
        """The last alert of each incident that has not ended. Raises SinkError."""
        with self._lock:
            return left_open(self._read(LEFT, ()))

    def going(self) -> dict[str, str]:
        """Incident → camera of those that have not ended and of which nothing waits. Raises SinkError."""
        with self._lock:
            return dict(self._read(GOING, ()))

    def oldest(self) -> float | None:
        """When the oldest alert not yet acknowledged was put in (UTC s), None if nothing waits."""
        with self._lock:
            found = self._read("SELECT stored FROM alerts WHERE acked = 0 ORDER BY sequence LIMIT 1", ())
            return found[0][0] if found else None

    def __len__(self) -> int:
        with self._lock:
            return self._waiting

    def close(self) -> None:
        """Close the file. Idempotent."""
        with self._lock:
            self._db.close()

    def _open(self, first: int, instance: str | None) -> None:
        """Open or make the file; a new one counts from ``first``. Raises sqlite3.Error."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(self.path, timeout=_BUSY_LIMIT, isolation_level=None, check_same_thread=False)
        try:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(_SCHEMA + LEFT_OPEN)
            known = {row[1] for row in self._db.execute("PRAGMA table_info(alerts)")}
            for name in _COLUMNS.keys() - known:
                self._db.execute(f"ALTER TABLE alerts ADD COLUMN {name} {_COLUMNS[name]}")
            self._db.executescript(_INDEXES)
            check = self._db.execute("PRAGMA quick_check(1)").fetchone()[0]
            if check != "ok":
                error = sqlite3.DatabaseError(check)
                error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
                raise error
            made = [("instance", instance or _new_instance()), ("first", str(first))]
            self._db.executemany("INSERT OR IGNORE INTO facts VALUES (?, ?)", made)
            facts = dict(self._db.execute("SELECT name, value FROM facts"))
            self.instance = str(facts["instance"])
            newest = self._db.execute("SELECT max(sequence) FROM alerts").fetchone()[0]
            self._last = int(facts["first"]) - 1 if newest is None else int(newest)
            self._first = int(facts.get("kept_from", facts["first"]))
            query = "SELECT count(*), coalesce(sum(size), 0) FROM alerts WHERE acked = 0"
            self._waiting, self._size = map(int, self._db.execute(query).fetchone())
        except sqlite3.Error:
            self._db.close()
            raise

    def _insert(self, alert: Alert) -> tuple[Entry, int, list[tuple[str, int]]]:
        entry = Entry(self._last + 1, alert, time.time())
        payload = dump(alert)
        row = (entry.sequence, alert.id, alert.seq, entry.stored, payload, rank(alert.severity), len(payload))
        columns = "sequence, id, seq, stored, payload, rank, size"
        self._db.execute(f"INSERT INTO alerts ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        note(self._db, alert, payload)
        self._trim(entry.sequence)
        gone = give_up(self._db, self._bounds, (self._waiting + 1, self._size + len(payload)), entry.stored)
        return entry, len(payload), gone

    def _mark(self, sequences: tuple[int, ...]) -> list[int]:
        query = "UPDATE alerts SET acked = 1 WHERE sequence = ? AND acked = 0 RETURNING size"
        sizes = []
        for sequence in sequences:
            self._trim(self._last)
            sizes += [row[0] for row in self._db.execute(query, (sequence,)).fetchall()]
        return sizes

    def _trim(self, last: int) -> None:
        """Forget what is acknowledged or given up and old; the newest row stays: it holds the count."""
        self._changes += 1
        if self._changes % _TRIM_EVERY:
            return
        until = last - max(1, self._keep)
        if self._db.execute("DELETE FROM alerts WHERE acked != 0 AND sequence <= ?", (until,)).rowcount:
            self._first = until + 1
            self._db.execute("INSERT OR REPLACE INTO facts VALUES ('kept_from', ?)", (str(self._first),))

    def _told(self, gone: list[tuple[str, int]]) -> None:
        for reason in sorted({reason for reason, _ in gone}):
            self._on_pruned(sum(why == reason for why, _ in gone), reason)
        if gone and not self._pruning:
            self._pruning = True
            log.error(
                "%s: alerts that nobody took are beyond a bound of the outbox (%s); the oldest of the least grave are "
                "given up. Mend the broker, or raise outbox.max_rows, max_bytes or keep_days", self.path, gone[0][0],
            )  # fmt: skip

    def _write(self, change: Callable[[], T]) -> T:
        """``change`` in a transaction of its own, begun IMMEDIATE because an upgrade ignores the busy time-out."""
        try:
            return self._transact(change)
        except sqlite3.DatabaseError as error:
            self._renew_if_corrupt(error, self._last + 1, self.instance)
        try:
            return self._transact(change)
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def _transact(self, change: Callable[[], T]) -> T:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            result = change()
            self._db.execute("COMMIT")
        except sqlite3.Error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        self.fault = None
        return result

    def _select(self, where: str, after: int, limit: int) -> list[Entry]:
        query = f"SELECT sequence, payload, stored FROM alerts WHERE {where} ORDER BY sequence LIMIT ?"
        entries = []
        for sequence, payload, stored in self._read(query, (after, limit)):
            try:
                entries.append(Entry(sequence, load(payload), stored, earlier=sequence <= self._earlier))
            except ValueError as error:
                log.error("%s: alert %d cannot be read (%s) and is passed over", self.path, sequence, error)
                self._took(self._write(partial(self._pass_over, sequence)))
        return entries

    def _pass_over(self, sequence: int) -> list[int]:
        sizes = self._mark((sequence,))
        change = f"UPDATE alerts SET acked = {GIVEN_UP}, payload = 'unreadable', size = 0 WHERE sequence = ?"
        self._db.execute(change, (sequence,))
        return sizes

    def _took(self, sizes: list[int]) -> None:
        """These no longer wait."""
        self._waiting -= len(sizes)
        self._size -= sum(sizes)

    def _read(self, query: str, values: tuple[object, ...]) -> list[Any]:
        try:
            return self._db.execute(query, values).fetchall()
        except sqlite3.DatabaseError as error:
            self._renew_if_corrupt(error, self._last + 1, self.instance)
            return []

    def _renew_if_corrupt(self, error: sqlite3.Error | OSError, first: int, instance: str | None) -> None:
        """Put a corrupt file aside and begin a new one. Raises SinkError for any other error."""
        if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _CORRUPT:
            raise self._failure(error) from error
        self._db.close()
        aside = self.path.with_name(f"{self.path.name}.corrupt-{time.time_ns()}")
        try:
            for suffix in ("", "-wal", "-shm"):
                part = Path(f"{self.path}{suffix}")
                if part.exists():
                    part.replace(f"{aside}{suffix}")
            self._open(first, instance)
        except (OSError, sqlite3.Error) as second:
            raise self._failure(second) from second
        log.error("%s is corrupt (%s); it was put aside as %s and a new one begun", self.path, error, aside.name)

    def _failure(self, error: Exception) -> SinkError:
        self.fault = f"{self.path}: {error}"
        return SinkError(self.fault, busy=getattr(error, "sqlite_errorcode", 0) & 0xFF in _BUSY)


def _new_instance() -> str:
    return f"{os.uname().nodename}-{os.urandom(4).hex()}"
