"""All that is known to train on: the labelled clips and rendered scenes, as cached features."""

import hashlib
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from streamwatch.errors import TrainingError
from streamwatch.training.data import Entry, Segment, clips_of
from streamwatch.training.features import Features, See, Seeing, dump, eyes, judge, load, save, stack
from streamwatch.training.manifest import MAX_NAMED, Manifest, require_split
from streamwatch.training.recipe import FeatureRecipe, Recipe
from streamwatch.training.scenes import UNSEEN, cast, entry_of, pictures_of, segments_of, stagings
from streamwatch.training.sight import Sight, Tuned
from streamwatch.video.synthetic import Scene

__all__ = ["Dataset", "gather", "join", "rendered"]

PART = 32  # clips


@dataclass(frozen=True, slots=True)
class Dataset:
    """``features.entry`` counts ``entries``; ``segments`` by an entry's path."""

    features: Features
    entries: list[Entry]
    segments: dict[str, list[Segment]]

    def only(self, split: str) -> "Dataset":
        """The rows of one split; entries keep their numbers."""
        return self.where(lambda entry: entry.split == split)

    def where(self, wanted: Callable[[Entry], bool]) -> "Dataset":
        """The rows of the entries wanted."""
        return self._rows(np.array([wanted(self.entries[i]) for i in self.features.entry], bool))

    def clean(self) -> "Dataset":
        """The rows that are not disturbed."""
        return self._rows(self.features.variant == 0)

    def _rows(self, rows: NDArray[np.bool_]) -> "Dataset":
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


def rendered(scenes: Iterable[Scene], eyes: Seeing, size: int, split: str) -> Dataset:
    """Scenes through the eyes, with their own truth."""
    rows = []
    entries: list[Entry] = []
    segments: dict[str, list[Segment]] = {}
    for scene in tqdm(list(scenes), desc="scenes", mininterval=5):
        entry = entry_of(scene, split)
        pictures = pictures_of(scene)
        for which, variant in enumerate(stagings(scene)):
            for start, end, frames in clips_of(pictures, size, variant):
                own = eyes.own(entry.group, frames)
                rows.append((eyes.see(frames[None])[0], own, len(entries), which, start, end))
        entries.append(entry)
        segments[entry.path] = segments_of(scene)
    return Dataset(stack(rows), entries, segments)


def gather(manifest: Manifest, work: Path, recipe: Recipe, tuned: Tuned | None = None) -> Dataset:
    """The clips of ``manifest`` and rendered scenes; features are kept in ``work`` and used again for the same clips,
    seen alike. ``tuned`` eyes see, or the backbone that the recipe names."""
    size, seen = recipe.train.size, recipe.features
    name = f"{size}_{_digest(manifest, seen, tuned)}"
    real = work / f"clips_{name}.npz"
    eyes_of = _Lazily(seen, tuned, size, work)
    if not real.exists():
        _dump_in_parts(manifest, eyes_of(), recipe, real)
    found = Dataset(load(real), manifest.entries, manifest.segments)
    _count_empty(found, manifest)
    if not seen.rendered:
        return found
    scenes = list(cast(seen.rendered, UNSEEN))
    played = work / f"rendered_{seen.rendered}_{name}.npz"
    if not played.exists():
        save(rendered(scenes, eyes_of(), size, "train").features, played)
    own = [entry_of(scene, "train") for scene in scenes]
    return join(found, Dataset(load(played), own, {e.path: segments_of(s) for e, s in zip(own, scenes, strict=True)}))


@dataclass(frozen=True, slots=True)
class _Lazily:
    """Sessions take seconds to make, and a cache may do without."""

    seen: FeatureRecipe
    tuned: Tuned | None
    size: int
    work: Path

    def __call__(self) -> Seeing:
        if self.seen.backbone is not None:
            from streamwatch.training.backbone import Backbone

            return Seeing(Backbone(self.seen.backbone))
        if self.tuned is None:
            raise TrainingError("Lite0's eyes see nothing before they are made: call streamwatch.training.tune.encoder")
        see = eyes(self.tuned.sight, self.size, self.work)
        if not self.tuned.folds:
            return Seeing(see)
        judges = {g: j for groups, sight in self.tuned.folds for j in [self._judge(sight)] for g in groups}
        return Seeing(see, self._judge(self.tuned.sight), judges)

    def _judge(self, sight: Sight) -> See:
        return judge(sight, self.size, self.work)


def _count_empty(found: Dataset, manifest: Manifest) -> None:
    """Say how many clips gave nothing, also where the features are of an earlier run. Raises TrainingError if these are
    all there are to train on: rendered scenes alone would be learnt, and nothing would say so."""
    seen = set(found.features.entry.tolist())
    empty = [entry for number, entry in enumerate(found.entries) if number not in seen]
    if empty:
        named = ", ".join(entry.path for entry in empty[:MAX_NAMED]) + (", …" if len(empty) > MAX_NAMED else "")
        tqdm.write(f"{len(empty)} clips of {len(found.entries)} gave no second to learn from: {named}", file=sys.stderr)
    train = require_split(manifest, "train")
    if not any(found.entries[number].split == "train" for number in seen):
        raise TrainingError(f"{manifest.path}: not one of {len(train)} clips in split 'train' lasts a second")


def _dump_in_parts(manifest: Manifest, eyes: Seeing, recipe: Recipe, whole: Path) -> None:
    """Into ``whole``, by way of a file for every ``PART`` clips: who is stopped goes on with the part at hand."""
    parts = []
    for first in range(0, len(manifest.entries), PART):
        path = whole.with_name(f"{whole.stem}.{first}.npz")
        if not path.exists():
            chosen = manifest.entries[first : first + PART]
            try:
                save(dump(manifest.root, chosen, eyes, recipe.train.size, recipe.features, first), path)
            except TrainingError:  # not one of these; perhaps others
                continue
        parts.append(path)
    if not parts:
        raise TrainingError(f"{manifest.path}: not one of {len(manifest.entries)} clips lasts a second")
    found = [load(path) for path in parts]
    save(Features(*(np.concatenate([getattr(f, name) for f in found]) for name in Features.__slots__)), whole)
    for path in parts:
        path.unlink()


def _digest(manifest: Manifest, seen: FeatureRecipe, tuned: Tuned | None) -> str:
    """Of what is seen, how and by whom; a clip that was cut anew has another size."""
    found = hashlib.sha256(seen.model_dump_json(exclude={"rendered"}).encode())
    if tuned is not None and seen.backbone is None:
        found.update("".join([tuned.sight.digest(), *(sight.digest() for _, sight in tuned.folds)]).encode())
    for entry in manifest.entries:
        path = manifest.root / entry.path
        length = path.stat().st_size if path.exists() else 0
        found.update(f"{entry.path} {entry.source} {entry.seconds} {length}\n".encode())
    return found.hexdigest()[:12]
