"""Which second of which clip the eyes are shown next, and what is known of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamwatch.training.data import FRAMES, Entry
from streamwatch.training.events import EVENTS
from streamwatch.training.labels import Labelling, labels_at
from streamwatch.training.recipe import Recipe
from streamwatch.training.reel import Reel
from streamwatch.training.shares import share_table

__all__ = ["AWAY", "ODDS", "Drawing", "Drawn", "kind_of"]

AWAY = "away"  # clips of sources that show no event
SYNTHETIC = "synthetic"
ODDS = {  # what kind of clip is shown how often; "near": nothing happens, in a source that shows the event elsewhere
    "fight": 0.24,
    "near fight": 0.24,
    "shoplifting": 0.08,
    "near shoplifting": 0.08,
    "fall": 0.10,
    "near fall": 0.06,
    AWAY: 0.10,
    "rendered fall": 0.03,
    "rendered fight": 0.03,
    "rendered": 0.04,
}
BY_SOURCE = 0.5  # of these clips: first a source, then one of its clips; some sources have many
SPEED = (0.75, 1.4)
AIMED = 0.75  # of the falls are shown near their onset, which is all that there is to see
BACKWARDS = 0.12  # of these run backwards: nobody falls
STANDSTILL = 0.01  # one picture eight times: nothing happens


@dataclass(frozen=True, slots=True)
class Drawn:
    """``pictures`` [B, 8] of the reel; ``targets`` [B, E] with nan for what is not known, ``weights`` [B, E]."""

    pictures: NDArray[np.int64]
    targets: NDArray[np.float32]
    weights: NDArray[np.float32]


class Drawing:
    """Draws from the clips of ``reel`` that are numbered in ``chosen``."""

    def __init__(self, reel: Reel, chosen: Sequence[int], recipe: Recipe) -> None:
        self.reel = reel
        self.labelling = Labelling(recipe.labels.unsaid, recipe.labels.complete)
        self.shares = share_table(reel.entries, recipe)
        self.kinds: dict[str, list[int]] = {}
        for i in chosen:
            self.kinds.setdefault(kind_of(reel.entries[i], reel.entries), []).append(i)
        self.names = [name for name in ODDS if name in self.kinds]
        odds = np.array([ODDS[name] for name in self.names])
        self.odds = odds / odds.sum()

    def stills(self) -> NDArray[np.int64]:
        """The first pictures of real clips in which nothing happens."""
        reel = self.reel
        numbers = [i for rows in self.kinds.values() for i in rows]
        quiet = [i for i in numbers if reel.entries[i].label == "normal" and reel.entries[i].source != SYNTHETIC]
        return np.asarray(reel.first[sorted(quiet or numbers)], np.int64)

    def __call__(self, batch: int, rng: np.random.Generator) -> Drawn:
        rows = [self._one(rng) for _ in range(batch)]
        pictures, targets, weights = (np.stack(column) for column in zip(*rows, strict=True))
        return Drawn(pictures, targets.astype(np.float32), weights.astype(np.float32))

    def _one(self, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float64]]:
        i = self._clip(rng)
        entry, reel = self.reel.entries[i], self.reel
        told = reel.segments.get(entry.path, ())
        speed = float(rng.uniform(*SPEED))
        room = max(0.0, reel.lasts(i) - (1 - 1 / FRAMES) * speed)
        start = float(rng.uniform(0.0, room)) if room else 0.0
        onsets = [a for a, _, label, _ in told if label == "fall"]
        backwards = False
        if onsets and entry.shows("fall") and rng.random() < AIMED:
            start = float(np.clip(onsets[int(rng.integers(len(onsets)))] + rng.uniform(-0.45, 0.65), 0.0, room))
            backwards = rng.random() < BACKWARDS
        target = labels_at(entry, told, (start, start + speed), self.labelling)
        pictures = reel.at(i, start + np.arange(FRAMES) / FRAMES * speed)
        if backwards:
            pictures = pictures[::-1]
            target[EVENTS.index("fall")] = 0.0 if target[EVENTS.index("fall")] == 1.0 else np.nan
        if rng.random() < STANDSTILL:
            pictures, target = np.repeat(pictures[:1], FRAMES), np.where(np.isnan(target), target, np.float32(0.0))
        return pictures, target, self.shares[i]

    def _clip(self, rng: np.random.Generator) -> int:
        name = self.names[int(rng.choice(len(self.names), p=self.odds))]
        members = self.kinds[name]
        if name in (AWAY, "near fight", "near fall") and rng.random() < BY_SOURCE:
            sources = sorted({self.reel.entries[i].source for i in members})
            source = sources[int(rng.integers(len(sources)))]
            members = [i for i in members if self.reel.entries[i].source == source]
        return members[int(rng.integers(len(members)))]


def kind_of(entry: Entry, entries: Sequence[Entry]) -> str:
    """Its name in :data:`ODDS`."""
    if entry.source == SYNTHETIC:
        return f"rendered {entry.label}" if f"rendered {entry.label}" in ODDS else "rendered"
    for event in EVENTS:
        if entry.shows(event):
            return event
    for event in ("fight", "shoplifting", "fall"):
        if any(other.source == entry.source and other.shows(event) for other in entries):
            return f"near {event}"
    return AWAY
