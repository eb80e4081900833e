"""Whether evidence is as it was: every file against its record, every record and line against the one before."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from streamwatch.errors import EvidenceError
from streamwatch.evidence.ledger import FIRST, Deletion, Entry, parse_line, read_lines
from streamwatch.evidence.vault import LEDGER, Place, digest, read_record

__all__ = ["Fault", "Report", "verify"]


@dataclass(frozen=True, slots=True)
class Fault:
    """``file`` (relative to the folder), and what is wrong with it."""

    file: str
    what: str


@dataclass(frozen=True, slots=True)
class Report:
    """``faults`` found among ``incidents`` kept and ``deleted`` ones; ``head`` is the hash of the last line."""

    faults: tuple[Fault, ...]
    incidents: int
    deleted: int
    head: str


def verify(folder: Path, head: str | None = None) -> Report:
    """Look at all of ``folder`` (``<data_dir>/evidence``). Reads every byte. Raises EvidenceError if it is none.

    ``head``: that of an earlier report; all lines up to it must still be there.
    """
    if not folder.is_dir():
        raise EvidenceError(f"{folder}: no such folder")
    lines = read_lines(folder / LEDGER)
    kept: dict[str, Entry] = {}
    gone: dict[str, Place] = {}
    faults = list(_check_lines(lines, kept, gone))
    if not lines and any(folder.glob("*/*/*")):
        faults.append(Fault(LEDGER, "missing"))
    if head is not None and head not in {FIRST, *(hashlib.sha256(line).hexdigest() for line in lines)}:
        faults.append(Fault(LEDGER, "the head noted earlier is not in it: lines were removed or changed"))
    hashes = {entry.sha256: entry for entry in kept.values()}
    known: set[str] = set()
    for entry in kept.values():
        known |= {entry.place.name(kind) for kind in ("clip", "snapshot", "json")}
        faults += _check_incident(folder, entry, hashes)
    for path in sorted(folder.glob("*/*/*")):
        name = str(path.relative_to(folder))
        if name not in known and path.suffix != ".part":
            what = "was deleted, says the ledger" if path.stem in gone else "not in the ledger"
            faults.append(Fault(name, what))
    newest = hashlib.sha256(lines[-1]).hexdigest() if lines else FIRST
    return Report(tuple(faults), len(kept), len(gone), newest)


def _check_lines(lines: list[bytes], kept: dict[str, Entry], gone: dict[str, Place]) -> Iterator[Fault]:
    before, previous, number = FIRST, FIRST, 0
    for i, line in enumerate(lines, start=1):
        where = f"{LEDGER} line {i}"
        try:
            fact, after = parse_line(line)
        except EvidenceError as error:
            yield Fault(where, str(error))
        else:
            if after != before:
                yield Fault(where, "does not follow the line before it: one of them was changed, moved or removed")
            if isinstance(fact, Entry):
                if (fact.number, fact.previous) != (number + 1, previous):
                    yield Fault(where, f"incident {fact.number} does not follow incident {number}")
                number, previous = fact.number, fact.sha256
                kept[fact.place.id] = fact
            elif isinstance(fact, Deletion) and fact.id in kept:
                gone[fact.id] = kept.pop(fact.id).place
            else:
                yield Fault(where, f"says that {fact.id} was deleted, which was never kept")
        before = hashlib.sha256(line).hexdigest()


def _check_incident(folder: Path, entry: Entry, hashes: dict[str, Entry]) -> Iterator[Fault]:
    name = entry.place.name("json")
    try:
        path = entry.place.path(folder, "json")
        found = digest(path)
    except FileNotFoundError:
        yield Fault(name, "missing")
        return
    except OSError as error:
        yield Fault(name, f"cannot be read: {error.strerror}")
        return
    if found != entry.sha256:
        other = hashes.get(found)
        yield Fault(name, "changed" if other is None else f"is the record of incident {other.number}: moved")
        return
    record = read_record(path)
    if (record.get("number"), record.get("previous")) != (entry.number, entry.previous):
        yield Fault(name, "is not where the ledger has it: moved")
    for kind in ("clip", "snapshot"):
        if record.get(kind) is not None:
            yield from _check_file(folder, entry.place, kind, record[kind]["sha256"])
        elif entry.place.path(folder, kind).exists():
            yield Fault(entry.place.name(kind), "not in its record")


def _check_file(folder: Path, place: Place, kind: str, sha256: str) -> Iterator[Fault]:
    try:
        if digest(place.path(folder, kind)) != sha256:
            yield Fault(place.name(kind), "changed")
    except FileNotFoundError:
        yield Fault(place.name(kind), "missing")
    except OSError as error:
        yield Fault(place.name(kind), f"cannot be read: {error.strerror}")
