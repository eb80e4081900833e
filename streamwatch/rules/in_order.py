"""``on_cameras`` with ``in_order``: see ``on_cameras.py``."""

from dataclasses import dataclass
from math import inf

from streamwatch.models.detection import Detection
from streamwatch.rules.condition import EPSILON, SILENCE, Condition, Evidence, Standing
from streamwatch.rules.places import Cell, Places

__all__ = ["InOrderCondition"]


@dataclass(frozen=True, slots=True)
class _Match:
    """The steps up to one of them matched on ``cameras`` at ``times``, and the last evidence among them."""

    times: tuple[float, ...]
    cameras: tuple[str, ...]
    evidence: Evidence | None

    @property
    def began(self) -> float:
        return self.times[0]


class InOrderCondition:
    """Holds while the last of ``steps`` does, the others having held before, each on another camera than the last."""

    __slots__ = ("_best", "_complete", "_holds", "_last", "_matched", "_new", "_now", "_places", "_since", "_within")

    def __init__(self, places: Places, within: float, steps: int) -> None:
        self._places = places
        self._within = within + EPSILON
        self._last = steps - 1
        self._matched: list[tuple[_Match, ...]] = [()] * self._last  # by step, at times before now; two at most
        self._new: list[tuple[int, _Match]] = []  # at the time that is now
        self._complete: dict[str, _Match] = {}  # by the camera on which the last step holds
        self._now = -inf
        self._best: _Match | None = None
        self._holds: bool | None = None
        self._since: float | None = None

    def observe(self, detection: Detection) -> bool | None:
        self._advance(detection.end)
        for cell in self._places.hear(detection, self._now):
            match = self._match(cell) if cell.holds else None
            if cell.index < self._last:
                if match:
                    self._new.append((cell.index, match))
            elif match:
                self._complete[cell.camera] = match
            else:
                self._complete.pop(cell.camera, None)
        self._expire()
        self._best = max(self._complete.values(), key=lambda match: (match.began, match.cameras), default=None)
        holds = True if self._best else None if self._places.unsure(self._now) else False
        if holds is not self._holds or self._since is None:
            self._since = self._now
        self._holds = holds
        return holds

    def evidence(self) -> Evidence | None:
        return _evidence(self._best) if self._best else None

    def standing(self) -> Standing:
        return Standing(self._holds, self._since, times=self._best.times if self._best else ())

    def inside(self) -> tuple[Condition, ...]:
        return self._places.inside()

    def reset(self) -> None:
        self._settle()
        self._places.reset()
        self._complete.clear()
        self._now = -inf
        self._best = self._holds = self._since = None

    def _match(self, cell: Cell) -> _Match | None:
        """The match that ``cell`` makes now, if those before it allow one."""
        if cell.index == 0:
            return _Match((self._now,), (cell.camera,), cell.evidence)
        elsewhere = [match for match in self._matched[cell.index - 1] if match.cameras[-1] != cell.camera]
        if not elsewhere or self._now - elsewhere[0].began > self._within:
            return None
        before = elsewhere[0]
        times, cameras = (*before.times, self._now), (*before.cameras, cell.camera)
        return _Match(times, cameras, cell.evidence or before.evidence)

    def _expire(self) -> None:
        if not self._complete:
            return
        for camera, match in list(self._complete.items()):
            if self._now - match.began > self._within or not self._places.speaks(camera, self._now):
                del self._complete[camera]

    def _advance(self, at: float) -> None:
        if at > self._now > -inf:  # nothing that matched lies ahead
            self._settle()
            self._now = at
            return
        if at <= self._now:
            if self._now - at <= SILENCE:
                return
            self._new.clear()  # the clock was set back
        self._settle()
        newest = max((match.began for matches in self._matched for match in matches), default=-inf)
        if newest - at > SILENCE:
            self._matched = [()] * self._last
            self._complete.clear()
            newest = -inf
        self._now = max(at, newest)

    def _settle(self) -> None:
        for i, match in self._new:
            others = [other for other in self._matched[i] if other.cameras[-1] != match.cameras[-1]]
            self._matched[i] = tuple(sorted([match, *others], key=lambda m: m.began, reverse=True)[:2])
        self._new.clear()


def _evidence(match: _Match) -> Evidence:
    cameras = tuple(reversed(dict.fromkeys(reversed(match.cameras))))  # the one that completed it last
    found = match.evidence or Evidence(None, None, 0.0, None)
    return Evidence(found.event, found.zone, found.score, found.threshold, cameras)
