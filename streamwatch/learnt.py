"""What rules have learnt of cameras, on disk: ``learnt.json`` in the data folder, written each hour and at the end.

A process that is killed loses the last hour of it; what is damaged is logged, and learnt anew.
"""

import base64
import json
import logging
import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from streamwatch.rules.book import RuleBook
from streamwatch.rules.memory import Learnt

__all__ = ["FILE", "SCHEMA", "LearntFile"]

log = logging.getLogger(__name__)

FILE = "learnt.json"
SCHEMA = "streamwatch.learnt/1"
EVERY = 3600.0  # seconds
MAX_STATE = 1_000_000  # bytes of one condition, unpacked


class LearntFile:
    """Keeps what a book learns in ``folder``. Not thread-safe; no call raises OSError."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._due: float | None = None
        self._written: Sequence[Learnt] = ()

    def recall(self, book: RuleBook) -> None:
        """Tell ``book`` what an earlier run had learnt. Before it hears anything."""
        self._written = self._read()
        book.remember(self._written)

    def tick(self, book: RuleBook, at: float) -> None:
        """It is ``at`` (UTC s) now: write once an hour."""
        if self._due is None:
            self._due = at + EVERY
        elif not self._due - EVERY <= at < self._due:  # the former: the clock was set back
            self._due = at + EVERY
            self.write(book)

    def write(self, book: RuleBook) -> None:
        """Write what ``book`` has learnt, if it learns at all."""
        learnt = book.learnt()
        if learnt == tuple(self._written):
            return
        text = json.dumps({"schema": SCHEMA, "learnt": [_payload(each) for each in learnt]}, separators=(",", ":"))
        fresh = self._path.with_name(f".{FILE}")
        try:
            with fresh.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._path)
        except OSError as error:
            log.error("%s cannot be written; after a restart anomaly rules would warm up anew: %s", self._path, error)
            return
        self._written = learnt

    def _read(self) -> Sequence[Learnt]:
        try:
            found = json.loads(self._path.read_bytes())
            if found["schema"] != SCHEMA:
                raise ValueError(f"its schema is {str(found['schema'])[:64]!r}, not {SCHEMA}")
            return tuple(_learnt(each) for each in found["learnt"])
        except FileNotFoundError:
            return ()
        except (OSError, ValueError, TypeError, LookupError, RecursionError, zlib.error) as error:
            log.error("%s cannot be read; anomaly rules warm up anew: %s", self._path, error)
            return ()


def _payload(learnt: Learnt) -> dict[str, object]:
    states = [base64.b64encode(zlib.compress(state, 1)).decode("ascii") for state in learnt.states]
    return {"rule": learnt.rule, "rule_hash": learnt.rule_hash, "camera": learnt.camera, "states": states}


def _learnt(payload: Any) -> Learnt:
    states = tuple(_unpacked(text) for text in payload["states"])
    return Learnt(str(payload["rule"]), str(payload["rule_hash"]), str(payload["camera"]), states)


def _unpacked(text: str) -> bytes:
    """No more than MAX_STATE of it: a longer one is not what was written, and is refused when it is recalled."""
    return zlib.decompressobj().decompress(base64.b64decode(text, validate=True), MAX_STATE)
