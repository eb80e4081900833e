"""The files of the score log: ``<folder>/<camera>/<UTC hour>.scores``, a row of blocks each.

::

    for row in read_rows(Path("streamwatch-data/scores")):      # all cameras, in order of time
        ...
    pandas.DataFrame(columns(Path("streamwatch-data/scores"), "dock"))

A file is replayed as it was written; files of one camera by their hour, so after a clock was set back by hours the
earlier hour comes first. What a crash cut off is passed over: a block holds all that is needed to read it.
"""

import heapq
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote, unquote

import numpy as np
from numpy.typing import NDArray

from streamwatch.errors import SourceError
from streamwatch.sinks.score_block import MAGIC, Block, Row, decode, peek, time_of

__all__ = ["HOUR", "cameras", "columns", "file_name", "names", "newest", "prune", "read_blocks", "read_rows"]

log = logging.getLogger(__name__)

HOUR = 3600.0
SUFFIX = ".scores"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_HOUR = 24 * 365 * 2000  # a clock beyond that is no clock


@dataclass(frozen=True, slots=True)
class _File:
    hour: str
    path: str
    size: int


def file_name(camera: str, at: float) -> str:
    """Where, below the folder, the rows of ``camera`` at ``at`` (UTC s) are kept."""
    hour = _EPOCH + timedelta(hours=min(max(int(at // HOUR), 0), _LAST_HOUR))
    return f"{quote(camera, safe='').replace('.', '%2E')}/{hour:%Y-%m-%dT%H}{SUFFIX}"


def cameras(folder: Path) -> tuple[str, ...]:
    """The cameras that ``folder`` knows, by name. Raises SourceError if it is no score log."""
    if not folder.is_dir():
        raise SourceError(f"{folder}: no such folder", reason="not_found")
    found = sorted(unquote(inside.name) for inside in folder.iterdir() if any(inside.glob(f"*{SUFFIX}")))
    if not found:
        raise SourceError(f"{folder}: holds no score log (<camera>/<hour>{SUFFIX})", reason="not_found")
    return tuple(found)


def read_blocks(folder: Path, camera: str, since: float = -np.inf) -> Iterator[Block]:
    """The blocks of ``camera`` in order, from the hour in which ``since`` (UTC s) lies. Damage is logged and left out.

    Raises SourceError for a file that cannot be read.
    """
    for path in _paths(folder, camera, since):
        yield from _blocks(path)


def read_rows(folder: Path, camera: str | None = None, since: float = -np.inf) -> Iterator[Row]:
    """Detections, gaps and states of one or all cameras from ``since`` (UTC s) on, merged by time.

    Those of one camera keep their order. Raises SourceError.
    """
    names = cameras(folder) if camera is None else (camera,)
    streams = [_rows(folder, name, since) for name in names]
    return streams[0] if len(streams) == 1 else heapq.merge(*streams, key=time_of)


def names(folder: Path, camera: str, since: float = -np.inf) -> tuple[frozenset[str], frozenset[str]]:
    """The events and the zones that were scored on ``camera``. Reads headers only. Raises SourceError."""
    events: set[str] = set()
    zones: set[str] = set()
    for path in _paths(folder, camera, since):
        data, at = _read(path), 0
        while at < len(data):
            try:
                scored, where, at = peek(data, at)
            except ValueError:
                at = _next(data, at)
                continue
            events.update(scored)
            zones.update(zone for zone in where if zone is not None)
    return frozenset(events), frozenset(zones)


def newest(folder: Path) -> float:
    """The latest time in the log (UTC s). Raises SourceError."""
    ends = []
    for camera in cameras(folder):
        for path in sorted((folder / file_name(camera, 0)).parent.glob(f"*{SUFFIX}"), reverse=True):
            times = [float(block.end.max()) for block in _blocks(path)]
            if times:
                ends.append(max(times))
                break
    return max(ends, default=0.0)


def columns(folder: Path, camera: str) -> dict[str, NDArray[np.generic]]:
    """The detections (nothing else) of ``camera`` as equally long arrays: ``time``, ``start``, ``zone`` (empty: the
    whole picture), ``motion``, ``filled``, ``model`` and each event's score (NaN where it was not scored).

    Raises SourceError.
    """
    blocks = list(read_blocks(folder, camera))
    if not blocks:
        raise SourceError(f"{folder}: has no scores of camera {camera!r}", reason="not_found")
    keep = [block.detections() for block in blocks]
    events = list(dict.fromkeys(event for block in blocks for event in block.events))
    parts: dict[str, list[NDArray[np.generic]]] = {
        "time": [block.end[k] for block, k in zip(blocks, keep, strict=True)],
        "start": [block.start[k] for block, k in zip(blocks, keep, strict=True)],
        "zone": [_names(block)[k] for block, k in zip(blocks, keep, strict=True)],
        "motion": [block.motion[k] for block, k in zip(blocks, keep, strict=True)],
        "filled": [block.filled[k] for block, k in zip(blocks, keep, strict=True)],
        "model": [
            np.full(k.sum(), f"{block.model.name} {block.model.version}") for block, k in zip(blocks, keep, strict=True)
        ],
    }
    for event in events:
        parts[event] = [_scores(block, event)[k] for block, k in zip(blocks, keep, strict=True)]
    return {name: np.concatenate(arrays) for name, arrays in parts.items()}


def prune(folder: Path, before: float, max_bytes: int) -> int:
    """Delete files of hours that ended before ``before`` (UTC s), then the oldest while all are above ``max_bytes``.

    Files of the newest hour stay. Returns how many went. Raises OSError.
    """
    files = sorted(_files(folder), key=lambda file: file.hour)
    total = sum(file.size for file in files)
    oldest = Path(file_name("x", before)).name
    gone = 0
    for file in files:
        if file.hour == files[-1].hour or not (file.hour < oldest or total > max_bytes):
            break
        Path(file.path).unlink(missing_ok=True)
        total -= file.size
        gone += 1
    return gone


def _files(folder: Path) -> Iterator[_File]:
    with os.scandir(folder) as inside:
        for entry in inside:
            if entry.is_dir(follow_symlinks=False):
                with os.scandir(entry.path) as found:
                    yield from (_File(f.name, f.path, f.stat().st_size) for f in found if f.name.endswith(SUFFIX))


def _paths(folder: Path, camera: str, since: float) -> list[Path]:
    first = folder / file_name(camera, since if np.isfinite(since) else 0.0)
    return [path for path in sorted(first.parent.glob(f"*{SUFFIX}")) if path.name >= first.name]


def _blocks(path: Path) -> Iterator[Block]:
    data = _read(path)
    at = lost = 0
    while at < len(data):
        try:
            block, at = decode(data, at)
        except ValueError:
            skipped, at = at, _next(data, at)
            lost += at - skipped
            continue
        yield block
    if lost:
        log.warning("%s: %d of %d bytes are damaged and left out", path, lost, len(data))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror}") from error


def _next(data: bytes, at: int) -> int:
    """Where, after the damage ``at``, the next block may begin."""
    found = data.find(MAGIC, at + 1)
    return found if found >= 0 else len(data)


def _rows(folder: Path, camera: str, since: float) -> Iterator[Row]:
    for block in read_blocks(folder, camera, since):
        if block.end.min() >= since:
            yield from block.rows()
        else:
            yield from (row for row in block.rows() if not time_of(row) < since)


def _names(block: Block) -> NDArray[np.generic]:
    names = np.array([name or "" for name in block.zones] or [""])
    return np.asarray(names[np.minimum(block.zone, len(names) - 1)])


def _scores(block: Block, event: str) -> NDArray[np.float64]:
    if event in block.events:
        return np.asarray(block.scores[block.events.index(event)])
    return np.full(len(block.end), np.nan)
