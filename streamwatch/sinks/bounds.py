"""How much may wait for a broker that stays away, and what is given up beyond that: the oldest of the least grave.

What is given up leaves a trace under its number, so that a subscriber can tell it from what was lost on the way.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["GIVEN_UP", "Bounds", "Held", "Pruned", "give_up", "ranges", "rank"]

GIVEN_UP = 2  # of the column acked
_AT_ONCE = 1000  # rows in one transaction; what is left is given up with the next alert
_RANGES = 200  # in one answer
_RANKS = {"info": 0, "warning": 1}  # anything else is grave


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of what is not acknowledged: rows, bytes of their payloads, seconds since they were put in."""

    rows: int = 1_000_000
    size: int = 10**9
    age: float = 30 * 86_400.0


@dataclass(frozen=True, slots=True)
class Pruned:
    """The alerts from ``first`` to ``last`` were given up for ``reason``: rows, bytes, age or unreadable."""

    first: int
    last: int
    reason: str


@dataclass(frozen=True, slots=True)
class Held:
    """What can be asked for: from ``first`` to ``last`` everything but what is in ``pruned``.

    Beyond ``pruned_until`` further ones may have been given up: ask again from there.
    """

    first: int
    last: int
    pruned: tuple[Pruned, ...] = ()
    pruned_until: int | None = None


def rank(severity: str) -> int:
    """The lowest go first."""
    return _RANKS.get(severity, len(_RANKS))


def give_up(db: sqlite3.Connection, bounds: Bounds, waiting: tuple[int, int], at: float) -> list[tuple[str, int]]:
    """Mark what is beyond ``bounds``: (reason, bytes) of each row. ``waiting``: rows and bytes not acknowledged."""
    rows, size = waiting
    gone: list[tuple[str, int]] = []
    query = "SELECT sequence, size, stored FROM alerts WHERE acked = 0 ORDER BY sequence LIMIT ?"
    for sequence, its, stored in db.execute(query, (_AT_ONCE,)).fetchall():
        if stored >= at - bounds.age:
            break
        gone.append(_mark(db, sequence, "age", its))
        rows, size = rows - 1, size - its
    if rows <= bounds.rows and size <= bounds.size:
        return gone
    query = "SELECT sequence, size FROM alerts WHERE acked = 0 ORDER BY rank, sequence LIMIT ?"
    for sequence, its in db.execute(query, (_AT_ONCE,)).fetchall():
        if rows <= bounds.rows and size <= bounds.size:
            break
        gone.append(_mark(db, sequence, "rows" if rows > bounds.rows else "bytes", its))
        rows, size = rows - 1, size - its
    return gone


def ranges(marked: Iterable[tuple[int, str]]) -> tuple[tuple[Pruned, ...], int | None]:
    """Neighbours of one reason together, and where the list was cut off (None: it was not)."""
    found: list[Pruned] = []
    for sequence, reason in marked:
        if found and found[-1].last == sequence - 1 and found[-1].reason == reason:
            found[-1] = Pruned(found[-1].first, sequence, reason)
        elif len(found) == _RANGES:
            return tuple(found), found[-1].last
        else:
            found.append(Pruned(sequence, sequence, reason))
    return tuple(found), None


def _mark(db: sqlite3.Connection, sequence: int, reason: str, size: int) -> tuple[str, int]:
    statement = f"UPDATE alerts SET acked = {GIVEN_UP}, payload = ?, size = 0 WHERE sequence = ?"
    db.execute(statement, (reason, sequence))
    return reason, size
