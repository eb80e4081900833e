"""Where evidence lies: ``<camera>/<day>/<incident>.<kind>``, built from names that were checked, never from text."""

import contextlib
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from streamwatch.errors import EvidenceError
from streamwatch.evidence.film import part_of, publish

__all__ = ["KINDS", "LEDGER", "Place", "digest", "is_incident", "place_of", "read_record", "write_file"]

KINDS = {"clip": ".mp4", "snapshot": ".jpg", "json": ".json"}
LEDGER = "ledger.jsonl"
_ID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")  # a ULID
_CAMERA = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_RECORD_LIMIT = 64 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Place:
    """Of one incident. Raises EvidenceError for names that are none."""

    camera: str
    day: str
    id: str

    def __post_init__(self) -> None:
        if not (_CAMERA.fullmatch(self.camera) and _DAY.fullmatch(self.day) and is_incident(self.id)):
            raise EvidenceError(f"{self.camera!r}/{self.day!r}/{self.id!r} is no place of evidence")

    def path(self, folder: Path, kind: str) -> Path:
        """The file of ``kind``, one of KINDS, below ``folder``. Raises EvidenceError if that leads out of it."""
        path = folder / self.name(kind)
        if not path.resolve().is_relative_to(folder.resolve()):
            raise EvidenceError(f"{path} leads out of {folder}")
        return path

    def name(self, kind: str) -> str:
        """Relative to the folder."""
        return f"{self.camera}/{self.day}/{self.id}{KINDS[kind]}"


def is_incident(text: str) -> bool:
    """Whether ``text`` can be an incident's id."""
    return _ID.fullmatch(text) is not None


def place_of(camera: str, incident: str, at: float) -> Place:
    """Of the incident that began at ``at`` (UTC s)."""
    return Place(camera, f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d}", incident)


def digest(path: Path) -> str:
    """SHA-256 of a file. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_file(path: Path, data: bytes) -> None:
    """All of it or nothing, on the disk when this returns. Raises EvidenceError."""
    part = part_of(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(data)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise EvidenceError(f"{path}: {error.strerror}") from error
    publish(path)


def read_record(path: Path) -> Mapping[str, Any]:
    """An incident's JSON. Raises EvidenceError."""
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(_RECORD_LIMIT))
    except (OSError, ValueError, RecursionError) as error:
        raise EvidenceError(f"{path}: cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise EvidenceError(f"{path}: is no record")
    return found
