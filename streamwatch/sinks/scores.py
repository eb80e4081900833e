"""The score log: every detection, gap and state of a camera, kept so that new rules can be tried on what has been.

Owned by the rules thread. Rows wait in memory and go to disk in blocks, about once a minute and camera, so a process
that is killed loses at most the last minute of scores, and never what was written before. Not synced: a power cut
may cost what the kernel had not yet written. A disk that is full costs scores, never alerts: they are counted.
"""

import contextlib
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from math import inf, isfinite
from pathlib import Path

from streamwatch.config import Config
from streamwatch.metrics import Metrics
from streamwatch.models.detection import Detection
from streamwatch.sinks.in_force import FILE, InForce, note
from streamwatch.sinks.score_block import Row, encode, time_of
from streamwatch.sinks.score_files import HOUR, file_name, prune

__all__ = ["Retention", "ScoreLog", "open_score_log"]

log = logging.getLogger(__name__)

FLUSH = 50.0  # seconds that a row may wait; ticks come each second
MAX_ROWS = 4096  # of a block
SETBACK = 10.0  # seconds; a row that much before its hour says that the clock was set back


@dataclass(frozen=True, slots=True)
class Retention:
    """How long scores are kept: whatever is reached first."""

    days: float = 30.0
    max_bytes: int = 5_000_000_000


@dataclass(slots=True)
class _Buffer:
    """The rows of one camera that are not yet on disk; all go into the file of ``hour``."""

    hour: float
    kind: object = None  # what all detections of a block share
    rows: list[Row] = field(default_factory=list)
    due: float = inf


class ScoreLog:
    """Appends to ``folder``. Not thread-safe; no call raises OSError.

    ``on_drop(rows, reason)`` hears of rows that could not be written.
    """

    def __init__(
        self,
        folder: Path,
        keep: Retention | None = None,
        on_drop: Callable[[int, str], object] = lambda rows, reason: None,
    ) -> None:
        self._folder = folder
        self._keep = keep
        self._on_drop = on_drop
        self._buffers: dict[str, _Buffer] = {}
        self._swept = -inf
        self.writing = True

    def add(self, row: Row) -> None:
        """Keep ``row``. Writes when the hour or what rows share changes, and when there are MAX_ROWS of them."""
        at = time_of(row)
        buffer = self._buffers.get(row.camera)
        if buffer is None:
            buffer = self._buffers[row.camera] = _Buffer(_hour(at))
        elif isfinite(at) and not buffer.hour - SETBACK <= at < buffer.hour + HOUR:
            self._flush(row.camera, buffer)
            buffer.hour = _hour(at)
        if isinstance(row, Detection):
            kind = (row.model, tuple(row.scores))
            if kind != buffer.kind:
                self._flush(row.camera, buffer)
                buffer.kind = kind
        buffer.rows.append(row)
        if len(buffer.rows) >= MAX_ROWS:
            self._flush(row.camera, buffer)

    def take(self, rows: Iterable[Row]) -> None:
        """Keep several."""
        for row in rows:
            self.add(row)

    def in_force(self, entry: InForce) -> None:
        """Keep which rules are in force, too."""
        try:
            note(self._folder, entry)
        except OSError as error:
            log.error("%s cannot be written, backtests will not know which rules were in force: %s", FILE, error)

    def tick(self, at: float) -> None:
        """It is ``at`` (UTC s) now: write what has waited for FLUSH seconds; once an hour let old files go."""
        for camera, buffer in self._buffers.items():
            if buffer.rows and buffer.due == inf:
                buffer.due = at + FLUSH
            elif at >= buffer.due:
                self._flush(camera, buffer)
        if self._keep is not None and not self._swept <= at < self._swept + HOUR:
            self._swept = at
            self._sweep(at, self._keep)

    def close(self) -> None:
        """Write all that waits. Idempotent."""
        for camera, buffer in self._buffers.items():
            self._flush(camera, buffer)

    def _flush(self, camera: str, buffer: _Buffer) -> None:
        rows, buffer.rows, buffer.due = buffer.rows, [], inf
        if not rows:
            return
        try:
            _append(self._folder / file_name(camera, buffer.hour), encode(rows))
        except OSError as error:
            if self.writing:
                log.error("the score log cannot be written, scores are lost, alerts are not: %s", error)
            self.writing = False
            self._on_drop(len(rows), "write")
        else:
            if not self.writing:
                log.info("the score log is written again")
            self.writing = True

    def _sweep(self, at: float, keep: Retention) -> None:
        try:
            gone = prune(self._folder, at - keep.days * 86400, keep.max_bytes)
        except FileNotFoundError:  # nothing written yet, or somebody else tidied up
            return
        except OSError as error:
            log.error("old score logs cannot be deleted: %s", error)
            return
        if gone:
            log.info("%d files of the score log were older than %g days or beyond its size", gone, keep.days)


def open_score_log(config: Config, metrics: Metrics) -> ScoreLog | None:
    """The log that ``config`` wants, None if it wants none; what it drops is counted."""
    keep = config.scores
    if not keep.enabled:
        return None
    retention = Retention(keep.keep_days, keep.max_bytes)
    count = metrics.scores_dropped
    return ScoreLog(config.data_dir / "scores", retention, lambda rows, reason: count.labels(reason).inc(rows))


def _hour(at: float) -> float:
    return at // HOUR * HOUR if isfinite(at) else 0.0


def _append(path: Path, data: bytes) -> None:
    """Add ``data`` in one write; whatever cannot be added whole is not added at all. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab", buffering=0) as file:
        size = file.seek(0, 2)
        written: int | None = None
        try:
            written = file.write(data)
        finally:
            if written != len(data):
                with contextlib.suppress(OSError):
                    file.truncate(size)
        if written != len(data):
            raise OSError(f"{path}: no room for {len(data)} bytes")
