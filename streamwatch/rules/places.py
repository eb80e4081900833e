"""What each step of ``on_cameras`` is on each camera: a condition for every step and camera, fed with that camera's
detections only.
"""

from collections.abc import Callable, Iterable
from math import inf

from streamwatch.models.detection import Detection
from streamwatch.rules.camera import NO_MODEL
from streamwatch.rules.condition import SILENCE, Condition, Evidence

__all__ = ["LOST", "Cell", "Places", "Started", "lost"]

LOST = "@lost"
"""The zone in which a gap of a camera is heard by rules across cameras; no zone of a site can be named so."""

Started = Callable[[str], Iterable[tuple[int, Condition]]]
"""The steps that are about a camera, each with its index and fresh state."""


def lost(camera: str, at: float) -> Detection:
    """The gap of ``camera`` at ``at`` in a detection's clothes."""
    return Detection(camera, at, at, LOST, {}, 0.0, 1.0, NO_MODEL)


class Cell:
    """Step ``index`` on ``camera``: whether it ``holds`` (None: unknown), ``since`` when, and when it ``last`` did."""

    __slots__ = ("camera", "condition", "evidence", "holds", "index", "last", "since")

    def __init__(self, index: int, camera: str, condition: Condition) -> None:
        self.index = index
        self.camera = camera
        self.condition = condition
        self.holds: bool | None = None
        self.evidence: Evidence | None = None  # of the time it last held
        self.since = self.last = -inf

    def forget(self) -> None:
        """What holds is unknown."""
        self.condition.reset()
        self.holds = None


class Places:
    """The cells of all cameras heard so far; grows with their number, nothing else. ``unheard`` stand for the steps
    of which no camera was heard.
    """

    __slots__ = ("_cells", "_seen", "_started", "_unheard", "_unknown")

    def __init__(self, started: Started, unheard: tuple[Condition, ...]) -> None:
        self._started = started
        self._unheard = unheard
        self._cells: dict[str, tuple[Cell, ...]] = {}
        self._seen: dict[str, float] = {}  # when each was heard; the longest silent first
        self._unknown: dict[Cell, None] = {}  # those that hold neither nor not

    def hear(self, detection: Detection, at: float) -> tuple[Cell, ...]:
        """Feed the cells of the detection's camera; they. ``at`` is the time now."""
        camera = detection.camera
        cells = self._cells.get(camera)
        if cells is None:
            cells = tuple(Cell(i, camera, condition) for i, condition in self._started(camera))
            self._cells[camera] = cells
        if not cells:
            return ()
        if at - self._seen.pop(camera, -inf) > SILENCE or detection.zone == LOST:
            for cell in cells:
                cell.forget()
        self._seen[camera] = at
        for cell in cells:
            self._feed(cell, detection, at)
        return cells

    def speaks(self, camera: str, at: float) -> bool:
        """Whether ``camera`` was heard lately."""
        return at - self._seen.get(camera, -inf) <= SILENCE

    def unsure(self, at: float) -> bool:
        """Whether any cell is unknown, or no camera was heard."""
        longest = next(iter(self._seen.values()), -inf)
        return bool(self._unknown) or at - longest > SILENCE

    def inside(self) -> tuple[Condition, ...]:
        """For each step its condition on the camera on which it last held, else on one that was heard."""
        found: dict[int, Cell] = {}
        for cells in self._cells.values():
            for cell in cells:
                if cell.index not in found or cell.last > found[cell.index].last:
                    found[cell.index] = cell
        return tuple(found[i].condition if i in found else blank for i, blank in enumerate(self._unheard))

    def reset(self) -> None:
        """What holds is unknown everywhere."""
        for cells in self._cells.values():
            for cell in cells:
                cell.forget()
                self._unknown[cell] = None

    def _feed(self, cell: Cell, detection: Detection, at: float) -> None:
        holds = None if detection.zone == LOST else cell.condition.observe(detection)
        if holds:
            if not cell.holds:
                cell.since = at
            cell.last = at
            cell.evidence = cell.condition.evidence()
        if holds is None:
            self._unknown[cell] = None
        elif cell.holds is None:
            self._unknown.pop(cell, None)
        cell.holds = holds
