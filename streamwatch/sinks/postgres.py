"""The outbox in PostgreSQL: for a site that may begin again on another machine."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection, Select, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from streamwatch.errors import SinkError
from streamwatch.rules.alert import Alert, AlertType
from streamwatch.secret import SecretUrl
from streamwatch.sinks.bounds import GIVEN_UP, Bounds, Held, ranges, rank
from streamwatch.sinks.outbox import Entry
from streamwatch.sinks.record import dump, load
from streamwatch.sinks.session import Session
from streamwatch.sinks.tables import ALERTS, INSTANCES, LEFT_OPEN

__all__ = ["PostgresOutbox"]

log = logging.getLogger(__name__)

_TRIM_EVERY = 1000  # acknowledgements, or alerts
_AT_ONCE = 1000  # rows given up in one transaction
_PRUNED_LIMIT = 20_000  # rows looked at for one answer
_BOUNDS = Bounds()


class PostgresOutbox:
    """As ``SqliteOutbox``, for ``instance`` in the database at ``url``; several instances may share one.

    The numbers are counted in the transaction that stores the alert: none is left out, none given twice. An alert that
    is stored already (the answer to the commit was lost) keeps its number. One process an instance. Any thread.
    Raises SinkError if the database cannot be used now.
    """

    def __init__(
        self,
        url: SecretUrl,
        instance: str,
        keep: int = 100_000,
        bounds: Bounds = _BOUNDS,
        on_pruned: Callable[[int, str], None] = lambda rows, reason: None,
    ) -> None:
        self.instance = instance
        self._keep = keep
        self._bounds = bounds
        self._on_pruned = on_pruned
        self._pruning = False  # said so
        self._changes = 0
        self._last = self._first = self._waiting = self._size = 0
        self._lock = threading.Condition()
        self._session = Session(url, instance, self._look)
        try:
            self._session.run(lambda connection: None)
        except SinkError:
            self._session.close()
            raise
        self._earlier = self._last
        self._mine = ALERTS.c.instance == instance

    def append(self, alert: Alert) -> Entry:
        """Keep ``alert``; it is committed when this returns. Raises SinkError if it cannot be."""
        with self._lock:
            entry, gone = self._session.run(lambda connection: self._insert(connection, alert))
            self._lock.notify_all()
        self._told(gone)
        return entry

    def pending(self, after: int, limit: int, timeout: float) -> list[Entry]:
        """See :meth:`streamwatch.sinks.outbox.Outbox.pending`. Raises SinkError."""
        with self._lock:
            self._lock.wait_for(lambda: self._waiting > 0 and self._last > after, timeout)
            if not self._waiting or self._last <= after:
                return []
            return self._entries(_rows(self._mine, ALERTS.c.acked == 0, ALERTS.c.sequence > after).limit(limit))

    def acknowledge(self, *sequences: int) -> None:
        """Take alerts off the line, all in one transaction; unknown numbers are ignored. Raises SinkError."""
        with self._lock:
            self._session.run(lambda connection: self._mark(connection, sequences))
            self._pruning = self._pruning and self._waiting > 0

    def alerts_after(self, sequence: int, limit: int) -> list[Entry]:
        """Up to ``limit`` alerts above ``sequence``, acknowledged or not, oldest first. Raises SinkError."""
        with self._lock:
            kept = ALERTS.c.acked != GIVEN_UP
            return self._entries(_rows(self._mine, kept, ALERTS.c.sequence > sequence).limit(limit))

    def held(self, after: int) -> Held:
        """What can be asked for above ``after``, and what was given up there. Raises SinkError."""
        query = select(ALERTS.c.sequence, ALERTS.c.payload).where(
            self._mine, ALERTS.c.acked == GIVEN_UP, ALERTS.c.sequence > after
        )
        query = query.order_by(ALERTS.c.sequence).limit(_PRUNED_LIMIT)
        with self._lock:
            marked = [(row[0], row[1]) for row in self._session.run(lambda connection: connection.execute(query).all())]
            pruned, until = ranges(marked)
            if until is None and len(marked) == _PRUNED_LIMIT:
                until = pruned[-1].last
            return Held(self._first, self._last, pruned, until)

    def knows(self, alert: Alert) -> bool:
        """Whether it is kept already, by its incident and ``seq``. Raises SinkError."""
        with self._lock:
            return self._session.run(lambda connection: self._known(connection, alert)) is not None

    def left_open(self) -> list[Alert]:
        """The last alert of each incident that has not ended. Raises SinkError."""
        query = select(LEFT_OPEN.c.id, LEFT_OPEN.c.payload).where(LEFT_OPEN.c.instance == self.instance)
        alerts = []
        with self._lock:
            found = self._session.run(lambda connection: connection.execute(query.order_by(LEFT_OPEN.c.id)).all())
        for incident, payload in found:
            try:
                alerts.append(load(payload))
            except ValueError as error:
                log.error("incident %s cannot be ended, its last alert cannot be read: %s", incident, error)
        return alerts

    def oldest(self) -> float | None:
        """When the oldest alert not yet acknowledged was put in (UTC s), None if nothing waits. Raises SinkError."""
        query = _rows(self._mine, ALERTS.c.acked == 0).limit(1)
        with self._lock:
            found = self._session.run(lambda connection: connection.execute(query).first())
        return None if found is None else float(found.stored)

    def __len__(self) -> int:
        with self._lock:
            return self._waiting

    def close(self) -> None:
        """Let go of the database. Idempotent."""
        with self._lock:
            self._session.close()

    def _look(self, connection: Connection) -> None:
        """A new connection: how things are there."""
        facts = connection.execute(select(INSTANCES).where(INSTANCES.c.name == self.instance)).one()
        self._last, self._first = int(facts.last), int(facts.kept_from)
        query = select(func.count(), func.coalesce(func.sum(ALERTS.c.size), 0)).where(
            ALERTS.c.instance == self.instance, ALERTS.c.acked == 0
        )
        self._waiting, self._size = map(int, connection.execute(query).one())

    def _known(self, connection: Connection, alert: Alert) -> Any:
        query = _rows(self._mine, ALERTS.c.id == alert.id, ALERTS.c.seq == alert.seq)
        return connection.execute(query).first()

    def _insert(self, connection: Connection, alert: Alert) -> tuple[Entry, list[tuple[str, int]]]:
        if (known := self._known(connection, alert)) is not None:
            return Entry(known.sequence, alert, known.stored), []
        counted = update(INSTANCES).where(INSTANCES.c.name == self.instance).values(last=INSTANCES.c.last + 1)
        number = int(connection.execute(counted.returning(INSTANCES.c.last)).scalar_one())
        entry, payload = Entry(number, alert, time.time()), dump(alert)
        connection.execute(
            insert(ALERTS).values(
                instance=self.instance, sequence=number, id=alert.id, seq=alert.seq, stored=entry.stored,
                payload=payload, acked=0, rank=rank(alert.severity), size=len(payload),
            )
        )  # fmt: skip
        self._note(connection, alert, payload)
        self._trim(connection, number)
        gone = self._give_up(connection, entry.stored, self._waiting + 1, self._size + len(payload))
        self._last = number
        self._waiting += 1 - len(gone)
        self._size += len(payload) - sum(size for _, size in gone)
        return entry, gone

    def _note(self, connection: Connection, alert: Alert, payload: str) -> None:
        if alert.type is AlertType.END:
            mine = LEFT_OPEN.c.instance == self.instance
            connection.execute(delete(LEFT_OPEN).where(mine, LEFT_OPEN.c.id == alert.id))
        elif alert.end_time is None:
            row = insert(LEFT_OPEN).values(instance=self.instance, id=alert.id, payload=payload)
            replaced = row.on_conflict_do_update(index_elements=["instance", "id"], set_={"payload": payload})
            connection.execute(replaced)

    def _mark(self, connection: Connection, sequences: Sequence[int]) -> None:
        query = update(ALERTS).where(self._mine, ALERTS.c.sequence.in_(sequences), ALERTS.c.acked == 0)
        sizes = connection.execute(query.values(acked=1).returning(ALERTS.c.size)).scalars().all()
        self._trim(connection, self._last, len(sizes))
        self._waiting -= len(sizes)
        self._size -= sum(sizes)

    def _trim(self, connection: Connection, last: int, changes: int = 1) -> None:
        """Forget what is acknowledged or given up, and old."""
        self._changes += changes
        if self._changes < _TRIM_EVERY:
            return
        self._changes = 0
        until = last - max(1, self._keep)
        gone = connection.execute(delete(ALERTS).where(self._mine, ALERTS.c.acked != 0, ALERTS.c.sequence <= until))
        if gone.rowcount:
            mine = INSTANCES.c.name == self.instance
            connection.execute(update(INSTANCES).where(mine).values(kept_from=until + 1))
            self._first = until + 1

    def _give_up(self, connection: Connection, at: float, rows: int, size: int) -> list[tuple[str, int]]:
        """Mark what is beyond the bounds: (reason, bytes) of each."""
        bounds, waits = self._bounds, ALERTS.c.acked == 0
        old = _rows(self._mine, waits, ALERTS.c.stored < at - bounds.age).limit(_AT_ONCE)
        marked = [(row, "age") for row in connection.execute(old).all()]
        rows, size = rows - len(marked), size - sum(row.size for row, _ in marked)
        if rows > bounds.rows or size > bounds.size:
            lowest = select(ALERTS).where(self._mine, waits, ALERTS.c.stored >= at - bounds.age)
            lowest = lowest.order_by(ALERTS.c.rank, ALERTS.c.sequence).limit(_AT_ONCE)
            for row in connection.execute(lowest).all():
                if rows <= bounds.rows and size <= bounds.size:
                    break
                marked.append((row, "rows" if rows > bounds.rows else "bytes"))
                rows, size = rows - 1, size - row.size
        for row, reason in marked:
            where = self._mine, ALERTS.c.sequence == row.sequence
            connection.execute(update(ALERTS).where(*where).values(acked=GIVEN_UP, payload=reason, size=0))
        return [(reason, row.size) for row, reason in marked]

    def _told(self, gone: list[tuple[str, int]]) -> None:
        for reason in sorted({reason for reason, _ in gone}):
            self._on_pruned(sum(why == reason for why, _ in gone), reason)
        if gone and not self._pruning:
            self._pruning = True
            log.error(
                "%s: alerts that nobody took are beyond a bound of the outbox (%s); the oldest of the least grave are "
                "given up. Mend the broker, or raise outbox.max_rows, max_bytes or keep_days",
                self.instance, gone[0][0],
            )  # fmt: skip

    def _entries(self, query: Select[Any]) -> list[Entry]:
        entries = []
        for row in self._session.run(lambda connection: connection.execute(query).all()):
            try:
                alert = load(row.payload)
            except ValueError as error:
                log.error("alert %d cannot be read (%s) and is passed over", row.sequence, error)
                self._session.run(partial(self._pass_over, row.sequence))
                continue
            entries.append(Entry(row.sequence, alert, row.stored, earlier=row.sequence <= self._earlier))
        return entries

    def _pass_over(self, sequence: int, connection: Connection) -> None:
        self._mark(connection, (sequence,))
        where = self._mine, ALERTS.c.sequence == sequence
        connection.execute(update(ALERTS).where(*where).values(acked=GIVEN_UP, payload="unreadable", size=0))


def _rows(*where: Any) -> Select[Any]:
    return select(ALERTS).where(*where).order_by(ALERTS.c.sequence)
