"""The ledger: a line for each incident kept and each one deleted, every line with the hash of the one before.

Who changes a file, a record or a line must change all lines after it; who deletes old evidence leaves a line about
it. The hash of the last line, noted elsewhere, proves all that is above it. Append-only; one process writes.
"""

import contextlib
import hashlib
import json
import logging
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from streamwatch.errors import EvidenceError
from streamwatch.evidence.vault import LEDGER, Place

__all__ = ["FIRST", "Deletion", "Entry", "Ledger", "parse_line", "read_lines"]

log = logging.getLogger(__name__)

FIRST = "0" * 64  # what stands for the hash before the first


@dataclass(frozen=True, slots=True)
class Entry:
    """An incident: ``sha256`` is that of its record, ``previous`` that of the record of incident ``number`` - 1.

    ``start`` and ``end`` of the incident and ``closed`` are UTC seconds; ``bytes`` is the size of all its files.
    """

    number: int
    place: Place
    start: float
    end: float
    closed: float
    bytes: int
    sha256: str
    previous: str


@dataclass(frozen=True, slots=True)
class Deletion:
    """Incident ``number`` was deleted at ``time`` (UTC s) because of ``reason``: age or size."""

    number: int
    id: str
    time: float
    reason: str


class Ledger:
    """``ledger.jsonl`` in ``folder``. Not thread-safe. Raises EvidenceError if it cannot be read.

    ``kept`` are the incidents not deleted, oldest first.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / LEDGER
        self.kept: dict[str, Entry] = {}
        self.deleted: list[Place] = []
        self.number = 0  # of the newest incident
        self.head = FIRST  # sha256 of its record
        self._after = FIRST
        self._mend()
        for line in read_lines(self._path):
            self._after = hashlib.sha256(line).hexdigest()
            try:
                self._learn(parse_line(line)[0])
            except EvidenceError as error:
                log.error("%s: a line cannot be read and is passed over: %s", self._path, error)

    def add(self, entry: Entry) -> None:
        """Keep a line about an incident whose files are there. Raises EvidenceError."""
        self._append({"kind": "incident", **asdict(entry)})
        self._learn(entry)

    def delete(self, incident: str, time: float, reason: str) -> None:
        """Keep a line about an incident that is about to be deleted. Raises EvidenceError."""
        deletion = Deletion(self.kept[incident].number, incident, time, reason)
        self._append({"kind": "deleted", **asdict(deletion)})
        self._learn(deletion)

    def next(self, entry: Entry) -> Entry:
        """``entry`` as the next of the chain."""
        return replace(entry, number=self.number + 1, previous=self.head)

    def _learn(self, fact: Entry | Deletion) -> None:
        if isinstance(fact, Entry):
            self.kept[fact.place.id] = fact
            self.number, self.head = fact.number, fact.sha256
        elif fact.id in self.kept:
            self.deleted = [*self.deleted[-1000:], self.kept.pop(fact.id).place]

    def _append(self, content: dict[str, object]) -> None:
        line = json.dumps({**content, "after": self._after}, sort_keys=True, separators=(",", ":")).encode() + b"\n"
        size = None
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab", buffering=0) as file:
                size = file.seek(0, os.SEEK_END)
                if file.write(line) != len(line):
                    raise OSError(f"no room for {len(line)} bytes")
                os.fsync(file.fileno())
        except OSError as error:
            if size is not None:
                with contextlib.suppress(OSError):
                    os.truncate(self._path, size)
            raise EvidenceError(f"{self._path}: {error.strerror or error}") from error
        self._after = hashlib.sha256(line).hexdigest()

    def _mend(self) -> None:
        """What a crash left of a line is no line."""
        try:
            data = self._path.read_bytes()
            whole = data.rfind(b"\n") + 1
            if whole < len(data):
                log.warning("%s: its last line was cut off by a crash and is taken away", self._path)
                os.truncate(self._path, whole)
        except FileNotFoundError:
            return
        except OSError as error:
            raise EvidenceError(f"{self._path}: {error.strerror}") from error


def read_lines(path: Path) -> list[bytes]:
    """All lines, with their ends; [] where there is no file. Raises EvidenceError."""
    try:
        return path.read_bytes().splitlines(keepends=True)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise EvidenceError(f"{path}: {error.strerror}") from error


def parse_line(line: bytes) -> tuple[Entry | Deletion, str]:
    """What a line says, and the hash that it bears. Raises EvidenceError."""
    try:
        found: dict[str, Any] = json.loads(line)
        kind, after = found.pop("kind"), str(found.pop("after"))
        if kind == "incident":
            return Entry(**{**found, "place": Place(**found["place"])}), after
        return Deletion(**found), after
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise EvidenceError(f"is no line of a ledger: {error}") from error
