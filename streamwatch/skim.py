"""A score log read a column at a time: what wakes no rule is passed over without making a value of each row."""

import heapq
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamwatch.rules.backtest import Entry
from streamwatch.rules.book import RuleBook
from streamwatch.rules.condition import SILENCE
from streamwatch.rules.lull import Calm, Lull, Passed, begin_of
from streamwatch.rules.rest import Band
from streamwatch.sinks.score_block import Block, join, time_of
from streamwatch.sinks.score_files import cameras, read_blocks

__all__ = ["skim"]

MIN_ROWS = 16  # fewer are told one by one, and so many before the book is asked again: it is no slower
_KEPT = 4  # answers about a block, each for other bands

Flags = NDArray[np.bool_]
Rows = NDArray[np.int64]


def skim(
    folder: Path, book: RuleBook, since: float = -np.inf, progress: Callable[[float], None] = lambda at: None
) -> Iterator[Entry]:
    """What was logged of all cameras from ``since`` (UTC s) on, in order of time, for ``book`` to be told of at once.

    Each entry must have been told before the next is asked for. Raises SourceError.
    """
    return heapq.merge(*(_entries(folder, camera, book, since, progress) for camera in cameras(folder)), key=begin_of)


def _entries(
    folder: Path, camera: str, book: RuleBook, since: float, progress: Callable[[float], None]
) -> Iterator[Entry]:
    for block in join(read_blocks(folder, camera, since)):
        progress(float(block.end[0]))
        if block.end.min() >= since:
            yield from _skimmed(block, book)
        else:
            yield from (row for row in block.rows() if not time_of(row) < since)


def _skimmed(block: Block, book: RuleBook) -> Iterator[Entry]:
    scan = _Scan(block)
    i = 0
    while i < len(block.end):
        calm = book.calm(block.camera)
        end = scan.end_of_lull(i, calm) if calm is not None else i
        if end - i >= MIN_ROWS:
            yield scan.lull(i, end)
        else:
            end = i + MIN_ROWS
            yield from block.rows(i, end)
        i = end


class _Scan:
    """Looks through the columns of ``block`` for what must be heard."""

    def __init__(self, block: Block) -> None:
        self._block = block
        self._codes = {zone: code for code, zone in enumerate(block.zones)}
        self._out_of_step = self._steps()
        self._loud: dict[object, Rows] = {}

    def end_of_lull(self, start: int, calm: Calm) -> int:
        """The first row from ``start`` on that must be heard, or the end of the block."""
        loud = self._loud.get(calm.zones)
        if loud is None:
            while len(self._loud) >= _KEPT:
                del self._loud[next(iter(self._loud))]
            loud = self._loud[calm.zones] = self._find(calm)
        place = int(np.searchsorted(loud, start))
        end = int(loud[place]) if place < len(loud) else len(self._block.end)
        times = self._block.end[start:end]
        outside = np.flatnonzero(~((times >= calm.after) & (times < calm.until)))
        return start + int(outside[0]) if len(outside) else end

    def lull(self, start: int, end: int) -> Lull:
        """The rows from ``start`` to ``end``."""
        block = self._block
        times, motions, codes = block.end[start:end], block.motion[start:end], block.zone[start:end]
        passed = tuple(
            Passed(block.zones[code], times[codes == code].tolist(), motions[codes == code].tolist())
            for code in np.unique(codes)
        )
        return Lull(block.camera, float(times[0]), float(times.max()), block.model, passed)

    def _find(self, calm: Calm) -> Rows:
        quiet = np.zeros(len(self._block.end), np.bool_)
        for zone, bands in calm.zones:
            if zone in self._codes:
                quiet |= (self._block.zone == self._codes[zone]) & self._within(bands)
        return np.flatnonzero(~quiet | self._out_of_step)

    def _within(self, bands: tuple[Band, ...]) -> Flags:
        block = self._block
        inside = np.ones(len(block.end), np.bool_)
        for event, floor, ceiling in bands:
            if event is not None and event not in block.events:
                return np.zeros(len(block.end), np.bool_)
            level = block.motion if event is None else block.scores[block.events.index(event)]
            inside &= (level >= floor) & (level < ceiling)  # not so if it is not a number
        return inside

    def _steps(self) -> Flags:
        """Which rows are the first of their zone in the block, late, or after a silence; gaps and states, too.

        So are one after which the clock is set, and the last of the block, after which it may be: what a lull holds
        is heard at its beginning, how far time came by it with the row that follows it.
        """
        block = self._block
        found = ~block.detections()
        step = np.diff(block.end)
        found[:-1] |= ~((step >= 0) & (step <= SILENCE))
        found[-1] = True
        for code in range(len(block.zones)):
            rows = np.flatnonzero(block.zone == code)
            if len(rows):
                newest = np.maximum.accumulate(block.end[rows])
                step = block.end[rows[1:]] - newest[:-1]
                found[rows[0]] = True
                found[rows[1:]] |= ~((step >= 0) & (step <= SILENCE))
        return found
