"""``on_cameras`` without order: see ``on_cameras.py``."""

from math import inf

from streamwatch.models.detection import Detection
from streamwatch.rules.condition import EPSILON, MAX_TIMES, SILENCE, Condition, Evidence, Standing
from streamwatch.rules.places import Cell, Places

__all__ = ["TogetherCondition"]


class TogetherCondition:
    """Holds while each of ``steps`` counts on a camera of its own, or any of them on ``at_least`` cameras."""

    __slots__ = ("_at_least", "_counted", "_holds", "_now", "_places", "_since", "_steps", "_within")

    def __init__(self, places: Places, within: float, steps: int, at_least: int | None) -> None:
        self._places = places
        self._within = within + EPSILON
        self._steps = steps
        self._at_least = at_least
        self._counted: dict[Cell, None] = {}
        self._now = -inf
        self._holds: bool | None = None
        self._since: float | None = None

    def observe(self, detection: Detection) -> bool | None:
        at = self._advance(detection.end)
        for cell in self._places.hear(detection, at):
            if cell.holds:
                self._counted[cell] = None
        if self._counted:
            for cell in [cell for cell in self._counted if at - cell.last > self._within]:
                del self._counted[cell]
        still = (
            len(self._counted) > 1
            and self._enough()
            and any(c.holds and self._places.speaks(c.camera, at) for c in self._counted)
        )
        holds = True if still else None if self._places.unsure(at) else False
        if holds is not self._holds or self._since is None:
            self._since = at
        self._holds = holds
        return holds

    def evidence(self) -> Evidence | None:
        if not self._holds:
            return None
        cells = sorted(self._counted, key=lambda cell: (cell.since, cell.camera))
        cameras = tuple(dict.fromkeys(cell.camera for cell in cells))
        found = [cell.evidence for cell in cells if cell.evidence]
        best = max(found, key=lambda evidence: evidence.score, default=Evidence(None, None, 0.0, None))
        return Evidence(best.event, best.zone, best.score, best.threshold, cameras)

    def standing(self) -> Standing:
        times = sorted(cell.since for cell in self._counted)
        return Standing(self._holds, self._since, times=tuple(times[-MAX_TIMES:]))

    def inside(self) -> tuple[Condition, ...]:
        return self._places.inside()

    def reset(self) -> None:
        self._places.reset()
        self._now = -inf
        self._holds = self._since = None

    def _enough(self) -> bool:
        if len(self._counted) < 2:  # quick, and nearly always so
            return False
        if self._at_least is not None:
            return len({cell.camera for cell in self._counted}) >= self._at_least
        return len(self._counted) >= self._steps and _each_has_its_own(self._counted, self._steps)

    def _advance(self, at: float) -> float:
        if at >= self._now > -inf:  # nothing that counts lies ahead
            self._now = at
            return at
        newest = max((cell.last for cell in self._counted), default=-inf)
        if newest - at > SILENCE:  # the clock was set back
            self._counted.clear()
            newest = self._now = -inf
        self._now = max(at, newest, self._now)
        return self._now


def _each_has_its_own(cells: dict[Cell, None], steps: int) -> bool:
    """Whether each step can be given another camera, among ``cells`` (augmenting paths)."""
    seats: dict[str, int] = {}

    def seat(step: int, tried: set[str]) -> bool:
        for cell in cells:
            if cell.index == step and cell.camera not in tried:
                tried.add(cell.camera)
                if cell.camera not in seats or seat(seats[cell.camera], tried):
                    seats[cell.camera] = step
                    return True
        return False

    return all(seat(step, set()) for step in range(steps))
