"""Where evidence is of what a backtest would have told: the same camera, overlapping times."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from streamwatch.errors import EvidenceError
from streamwatch.evidence.ledger import Deletion, Entry, parse_line, read_lines
from streamwatch.evidence.vault import LEDGER

__all__ = ["add_links"]


def add_links(incidents: Iterable[dict[str, Any]], folder: Path) -> None:
    """Give each of ``incidents`` (with camera, start and end in UTC s) the list ``evidence``: clips or snapshots in
    ``folder`` of incidents that overlap it. Raises EvidenceError if ``folder`` holds none.
    """
    kept: dict[str, Entry] = {}
    for line in read_lines(folder / LEDGER):
        try:
            fact, _ = parse_line(line)
        except EvidenceError:  # said by `evidence verify`
            continue
        if isinstance(fact, Deletion):
            kept.pop(fact.id, None)
        else:
            kept[fact.place.id] = fact
    if not kept:
        raise EvidenceError(f"{folder}: holds no evidence ({LEDGER} and <camera>/<day>/<incident>.mp4)")
    for incident in incidents:
        near = [
            entry
            for entry in kept.values()
            if entry.place.camera == incident["camera"]
            and entry.start <= incident["end"]
            and entry.end >= incident["start"]
        ]
        incident["evidence"] = [str(path) for entry in near if (path := _shown(folder, entry)) is not None]


def _shown(folder: Path, entry: Entry) -> Path | None:
    paths = [entry.place.path(folder, kind) for kind in ("clip", "snapshot")]
    return next((path for path in paths if path.exists()), None)
