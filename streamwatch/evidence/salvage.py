"""What a process that was killed left of the incidents that were open: put in order at the next start."""

import hashlib
import json
import logging
from dataclasses import replace
from pathlib import Path

from streamwatch.errors import EvidenceError
from streamwatch.evidence.ledger import Entry, Ledger
from streamwatch.evidence.vault import KINDS, Place, digest, read_record, write_file

__all__ = ["salvage"]

log = logging.getLogger(__name__)


def salvage(folder: Path, ledger: Ledger) -> int:
    """Remove partial files; take into the ledger what is whole but not in it. How many incidents that were.

    A record that lacks only its line gets it. A clip or snapshot without a record gets one that says so.
    """
    for part in folder.glob("*/*/*.part"):
        part.unlink(missing_ok=True)
    known = {*ledger.kept, *(place.id for place in ledger.deleted)}
    loose = [place for place in _places(folder) if place.id not in known]
    found = 0
    for place in sorted(loose, key=lambda place: (_number(folder, place), place.id)):
        try:
            ledger.add(_adopt(folder, place, ledger))
            found += 1
        except (EvidenceError, OSError) as error:
            log.error("evidence: %s cannot be taken into the ledger: %s", place.id, error)
    if found:
        log.warning("evidence: the last process ended without a record of %d incidents; what is there was kept", found)
    return found


def _places(folder: Path) -> set[Place]:
    found = set()
    for path in folder.glob("*/*/*"):
        if path.suffix in KINDS.values():
            try:
                found.add(Place(path.parts[-3], path.parts[-2], path.stem))
            except EvidenceError:  # not ours
                continue
    return found


def _number(folder: Path, place: Place) -> int:
    try:
        return int(read_record(place.path(folder, "json")).get("number", 0))
    except (EvidenceError, ValueError, TypeError):
        return 1 << 62


def _adopt(folder: Path, place: Place, ledger: Ledger) -> Entry:
    """Raises EvidenceError, OSError."""
    path = place.path(folder, "json")
    parts = [kind for kind in ("clip", "snapshot") if place.path(folder, kind).exists()]
    times = [place.path(folder, kind).stat().st_mtime for kind in parts] or [path.stat().st_mtime]
    entry = ledger.next(Entry(0, place, min(times), max(times), max(times), 0, "", ""))
    if path.exists():
        kept = read_record(path)
        if (kept.get("number"), kept.get("previous")) != (entry.number, entry.previous):
            raise EvidenceError(f"its record is not the {entry.number}th of the chain; see streamwatch evidence verify")
        return _sized(folder, entry, digest(path))
    record: dict[str, object] = {
        "schema": "streamwatch.evidence/1",
        "number": entry.number,
        "previous": entry.previous,
        "id": place.id,
        "camera": place.camera,
        "closed": entry.closed,
        "cut": "crash",
        "alert": None,
        "scores": [],
    }
    for kind in ("clip", "snapshot"):
        record[kind] = _known(folder, place, kind) if kind in parts else None
    data = json.dumps(record, indent=1).encode()
    write_file(path, data)
    return _sized(folder, entry, hashlib.sha256(data).hexdigest())


def _known(folder: Path, place: Place, kind: str) -> dict[str, object]:
    file = place.path(folder, kind)
    return {"file": place.name(kind), "sha256": digest(file), "bytes": file.stat().st_size}


def _sized(folder: Path, entry: Entry, sha256: str) -> Entry:
    place = entry.place
    size = sum(path.stat().st_size for kind in KINDS if (path := place.path(folder, kind)).exists())
    return replace(entry, bytes=size, sha256=sha256)
