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
_CORRUPT = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_TRIM_EVERY = 1000  # acknowledgements
_BUSY_LIMIT = 5.0  # s


class SqliteOutbox:
    """Alerts in one SQLite file (WAL, ``synchronous=FULL``); ``sequence`` is gapless over restarts.

    ``keep`` acknowledged alerts stay for those who ask again. ``instance`` is a name made with the file: the pair
    (instance, sequence) never means two alerts, even after a file was lost. One process per file; any thread.
    A corrupt file is put aside, with a line that says so, and a new one begun where the numbers can go on.
    """

    def __init__(self, path: Path, keep: int = 100_000) -> None:
        self.path = path
        self.fault: str | None = None  # why the last write failed
        self.instance = ""
        self._keep = keep
        self._lock = threading.Condition()
        self._acks = 0
        with self._lock:
            try:
                self._open(first=1, instance=None)
            except (sqlite3.Error, OSError) as error:
                self._renew_if_corrupt(error, first=1, instance=None)
            self._earlier = self._last

    def append(self, alert: Alert) -> Entry:
        """Keep ``alert``; it is on disk when this returns. Raises SinkError if it cannot be (a full disk, for one)."""
        with self._lock:
            entry = self._write(partial(self._insert, alert))
            self._last = entry.sequence
            self._waiting += 1
            self._lock.notify_all()
            return entry

    def pending(self, after: int, limit: int, timeout: float) -> list[Entry]:
        """See :meth:`streamwatch.sinks.outbox.Outbox.pending`. Raises SinkError if the file cannot be read."""
        with self._lock:
            self._lock.wait_for(lambda: self._waiting > 0 and self._last > after, timeout)
            if not self._waiting or self._last <= after:
                return []
            return self._select("acked = 0 AND sequence > ?", after, limit)

    def acknowledge(self, sequence: int) -> None:
        """Take an alert off the line; unknown numbers are ignored. Raises SinkError if the file cannot be written."""
        with self._lock:
            self._waiting -= self._write(partial(self._mark, sequence))

    def alerts_after(self, sequence: int, limit: int) -> list[Entry]:
        """Up to ``limit`` alerts above ``sequence``, acknowledged or not, oldest first. Raises SinkError."""
        with self._lock:
            return self._select("sequence > ?", sequence, limit)

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
            self._db.executescript(_SCHEMA)
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
            self._waiting = int(self._db.execute("SELECT count(*) FROM alerts WHERE acked = 0").fetchone()[0])
        except sqlite3.Error:
            self._db.close()
            raise

    def _insert(self, alert: Alert) -> Entry:
        entry = Entry(self._last + 1, alert, time.time())
        row = (entry.sequence, alert.id, alert.seq, entry.stored, dump(alert))
        self._db.execute("INSERT INTO alerts (sequence, id, seq, stored, payload) VALUES (?, ?, ?, ?, ?)", row)
        return entry

    def _mark(self, sequence: int) -> int:
        self._acks += 1
        if self._acks % _TRIM_EVERY == 0:  # the newest row stays: it holds the count
            self._db.execute("DELETE FROM alerts WHERE acked = 1 AND sequence <= ?", (self._last - max(1, self._keep),))
        return self._db.execute("UPDATE alerts SET acked = 1 WHERE sequence = ? AND acked = 0", (sequence,)).rowcount

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
                self._waiting -= self._write(partial(self._mark, sequence))
        return entries

    def _read(self, query: str, values: tuple[int, ...]) -> list[Any]:
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
        return SinkError(self.fault)


def _new_instance() -> str:
    return f"{os.uname().nodename}-{os.urandom(4).hex()}"
