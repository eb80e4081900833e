"""All that is known to train on: the labelled clips and rendered scenes, as cached features."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from streamwatch.training.data import Entry, clips_of, read_entries, read_segments
from streamwatch.training.features import Eyes, Features, dump, eyes, load, save, stack
from streamwatch.training.labels import Segment
from streamwatch.training.scenes import cast, entry_of, pictures_of, segments_of, stagings
from streamwatch.video.synthetic import Scene

__all__ = ["Dataset", "gather", "join", "rendered"]


@dataclass(frozen=True, slots=True)
class Dataset:
    """``features.entry`` counts ``entries``; ``segments`` by an entry's path."""

    features: Features
    entries: list[Entry]
    segments: dict[str, list[Segment]]

    def only(self, split: str) -> "Dataset":
        """The rows of one split; entries keep their numbers."""
        rows = np.array([self.entries[i].split == split for i in self.features.entry], bool)
        kept = (getattr(self.features, name)[rows] for name in Features.__slots__)
        return Dataset(Features(*kept), self.entries, self.segments)


def join(first: Dataset, second: Dataset) -> Dataset:
    """Both, the second's entries counted on."""
    shift = len(first.entries)
    columns = []
    for name in Features.__slots__:
        more = getattr(second.features, name)
        columns.append(np.concatenate([getattr(first.features, name), more + shift if name == "entry" else more]))
    entries, segments = [*first.entries, *second.entries], {**first.segments, **second.segments}
    return Dataset(Features(*columns), entries, segments)


def rendered(scenes: Iterable[Scene], see: Eyes, size: int, split: str) -> Dataset:
    """Scenes through the eyes, with their own truth."""
    rows = []
    entries: list[Entry] = []
    segments: dict[str, list[Segment]] = {}
    for scene in tqdm(list(scenes), desc="scenes", mininterval=5):
        entry = entry_of(scene, split)
        pictures = pictures_of(scene)
        for which, variant in enumerate(stagings(scene)):
            for start, end, frames in clips_of(pictures, size, variant):
                rows.append((see(frames[None])[0], len(entries), which, start, end))
        entries.append(entry)
        segments[entry.path] = segments_of(scene)
    return Dataset(stack(rows), entries, segments)


def gather(root: Path, work: Path, size: int = 160, variants: int = 8, rounds: int = 16) -> Dataset:
    """The clips of ``root`` and ``rounds`` of rendered scenes; features are kept in ``work`` and used again.

    About ten minutes on two cores the first time. Raises FileNotFoundError without clips.csv.
    """
    entries, segments = read_entries(root / "clips.csv"), read_segments(root / "segments.csv")
    see = eyes(size, work)
    real = work / f"real_{size}_{variants}.npz"
    if not real.exists():
        save(dump(root, see, size, variants), real)
    found = Dataset(load(real), entries, segments)
    if not rounds:
        return found
    played = work / f"rendered_{size}_{rounds}.npz"
    scenes = list(cast(rounds))
    if not played.exists():
        save(rendered(scenes, see, size, "train").features, played)
    own = [entry_of(scene, "train") for scene in scenes]
    return join(found, Dataset(load(played), own, {e.path: segments_of(s) for e, s in zip(own, scenes, strict=True)}))
