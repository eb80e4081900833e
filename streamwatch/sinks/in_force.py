"""Which rules were in force when: ``rules.jsonl`` beside the score log, a line each time that they changed."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["FILE", "KEPT", "InForce", "note", "read"]

FILE = "rules.jsonl"
KEPT = 1000  # lines; the oldest go


@dataclass(frozen=True, slots=True)
class InForce:
    """``rules`` rules with the hash ``hash`` (``rules.rule.hash_of``) are in force since ``since`` (UTC s)."""

    since: float
    hash: str
    rules: int


def note(folder: Path, entry: InForce) -> None:
    """Add ``entry`` unless the same rules were in force already. Raises OSError; the file is whole then."""
    known = read(folder)
    if known and known[-1].hash == entry.hash:
        return
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(asdict(each)) + "\n" for each in [*known, entry][-KEPT:]]
    fresh = folder / f".{FILE}"
    fresh.write_text("".join(lines), encoding="utf-8")
    fresh.replace(folder / FILE)


def read(folder: Path, since: float = float("-inf")) -> Sequence[InForce]:
    """Those in force at ``since`` (UTC s) or later, in order; none where nothing is known. Raises OSError."""
    try:
        lines = (folder / FILE).read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return ()
    found = [entry for line in lines if (entry := _parse(line)) is not None]
    before = [entry for entry in found if entry.since <= since][-1:]
    return [*before, *(entry for entry in found if entry.since > since)]


def _parse(line: str) -> InForce | None:
    try:
        known = json.loads(line)
        return InForce(float(known["since"]), str(known["hash"]), int(known["rules"]))
    except (ValueError, TypeError, LookupError, RecursionError):  # a damaged line says nothing
        return None
