"""Which incidents an outbox has told of and not ended: their last alerts, in a table beside it."""

import logging
import sqlite3
from collections.abc import Iterable

from streamwatch.rules.alert import Alert, AlertType
from streamwatch.sinks.record import load

__all__ = ["GOING", "LEFT", "LEFT_OPEN", "left_open", "note"]

log = logging.getLogger(__name__)

LEFT_OPEN = "CREATE TABLE IF NOT EXISTS left_open (id TEXT PRIMARY KEY, payload TEXT NOT NULL) STRICT;"
"""One row an open incident: as many as there are rules and cameras at most."""
LEFT = "SELECT id, payload FROM left_open ORDER BY id"
"""Their last alerts, in the order in which the incidents began."""
GOING = """
SELECT id, json_extract(payload, '$.camera') FROM left_open
WHERE json_valid(payload) AND NOT EXISTS (SELECT 1 FROM alerts WHERE alerts.id = left_open.id AND acked = 0)
"""
"""Those of which nothing waits to be acknowledged, and their cameras."""


def note(db: sqlite3.Connection, alert: Alert, payload: str) -> None:
    """``alert`` is being stored as ``payload``: within the same transaction. Raises sqlite3.Error."""
    if alert.type is AlertType.END:
        db.execute("DELETE FROM left_open WHERE id = ?", (alert.id,))
    elif alert.end_time is None:  # else it is said of one that has ended
        db.execute("INSERT OR REPLACE INTO left_open (id, payload) VALUES (?, ?)", (alert.id, payload))


def left_open(rows: Iterable[tuple[str, str]]) -> list[Alert]:
    """The last alerts: of (id, payload) those that can be read."""
    alerts = []
    for incident, payload in rows:
        try:
            alerts.append(load(payload))
        except ValueError as error:
            log.error("incident %s cannot be ended, its last alert cannot be read: %s", incident, error)
    return alerts
