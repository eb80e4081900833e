"""Every picture of every clip at 16 a second, squashed, in one file that is mapped into memory: for training the eyes,
which want other pictures of a clip each time.

288×288 pixels take 250 kB: 45 minutes of clips 11 GB of disk, and as much memory as there is, or a GPU's.
"""

import hashlib
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from streamwatch.errors import TrainingError
from streamwatch.training.data import FRAMES, Entry, Images, Picture, Segment, read_pictures
from streamwatch.training.disk import naming
from streamwatch.training.manifest import Manifest
from streamwatch.training.scenes import cast, entry_of, pictures_of, segments_of
from streamwatch.training.skipped import Skipped
from streamwatch.video.scale import scale

__all__ = ["PER_SECOND", "Reel", "wind"]

PER_SECOND = 2 * FRAMES


@dataclass(frozen=True, slots=True)
class Reel:
    """``pictures`` uint8 [n, S, S, 3]; those of ``entries[i]`` begin at ``first[i]`` and are ``count[i]``."""

    pictures: Tensor
    first: NDArray[np.int64]
    count: NDArray[np.int64]
    entries: list[Entry]
    segments: dict[str, list[Segment]]

    def at(self, entry: int, times: NDArray[np.float64]) -> NDArray[np.int64]:
        """The newest picture at or before each of ``times`` [k], in seconds of the file."""
        k = np.floor(times * PER_SECOND + 1e-6).astype(np.int64)
        return np.asarray(self.first[entry] + np.clip(k, 0, self.count[entry] - 1), np.int64)

    def lasts(self, entry: int) -> float:
        """Seconds from the first picture to the last."""
        return float(self.count[entry] - 1) / PER_SECOND

    def known(self, chosen: Sequence[int]) -> list[object]:
        """All that is known of these entries, to tell them from others; the same in each process."""
        found: list[object] = []
        for i in sorted(chosen):
            e = self.entries[i]
            looked_for = None if e.annotates is None else sorted(e.annotates)
            found.append((e.path, e.source, e.label, e.also, looked_for, int(self.count[i]), self.segments.get(e.path)))
        return found

    def to(self, device: str) -> "Reel":
        """With the pictures there, e.g. in a GPU's memory."""
        return Reel(self.pictures.to(device), self.first, self.count, self.entries, self.segments)


def wind(manifest: Manifest, size: int, rounds: int, work: Path) -> Reel:
    """The clips of ``manifest`` that can be read, and ``rounds`` of rendered scenes; kept in ``work`` and used again.

    What cannot be read is named and left out. Raises TrainingError if nothing can.
    """
    path = work / f"reel_{size}_{_digest(manifest, rounds)}.u8"
    table = path.with_suffix(".npz")
    scenes = {entry.path: (entry, scene) for scene in cast(rounds) for entry in [entry_of(scene, "train")]}
    wound = table.exists()
    if not wound:
        path.parent.mkdir(parents=True, exist_ok=True)
        films = [(e.path, partial(read_pictures, manifest.root / e.path)) for e in manifest.entries]
        films += [(name, partial(pictures_of, scene)) for name, (_, scene) in scenes.items()]
        _write(path, table, films, size)
    with np.load(table) as kept:
        names, count = [str(name) for name in kept["names"]], kept["count"]
    lacking = len(manifest.entries) + len(scenes) - len(names)
    if lacking and wound:
        tqdm.write(
            f"{lacking} clips of {lacking + len(names)} are not on {path}: unreadable when it was made", file=sys.stderr
        )
    found = {e.path: e for e in manifest.entries} | {name: entry for name, (entry, _) in scenes.items()}
    told = manifest.segments | {name: segments_of(scene) for name, (_, scene) in scenes.items()}
    pictures = np.memmap(path, np.uint8, "c", shape=(int(count.sum()), size, size, 3))
    first = np.concatenate([[0], np.cumsum(count)[:-1]]).astype(np.int64)
    return Reel(torch.from_numpy(pictures), first, count, [found[name] for name in names], told)


def _write(path: Path, table: Path, films: Sequence[tuple[str, Callable[[], list[Picture]]]], size: int) -> None:
    """The pictures first, then the table that says that they are all there."""
    names, count = [], []
    skipped = Skipped(len(films))
    with naming(path), path.open("wb") as file:
        for name, read in tqdm(films, desc="pictures", mininterval=5):
            try:
                written = 0
                for image in _sampled(read(), size):
                    file.write(image.tobytes())
                    written += 1
            except TrainingError as error:
                skipped.failed(error)
                continue
            if written:
                names.append(name)
                count.append(written)
            else:
                skipped.left_out(name, "without a picture")
    skipped.sum_up()
    if not names:
        raise TrainingError(f"{path}: not one of {len(films)} clips can be read")
    with naming(table), table.open("wb") as file:
        np.savez(file, names=np.array(names), count=np.array(count))


def _sampled(pictures: Sequence[Picture], size: int) -> Iterator[Images]:
    """The newest picture at or before each 16th of a second, up to half a picture after the last."""
    times = np.array([p.time for p in pictures])
    if not len(times):
        return
    slack = float(np.median(np.diff(times))) / 2 if len(times) > 1 else 0.0
    wanted = np.arange(int((times[-1] + slack) * PER_SECOND + 1e-6) + 1) / PER_SECOND
    before, image = -1, np.zeros((0,), np.uint8)
    for i in np.clip(np.searchsorted(times, wanted + 1e-6, side="right") - 1, 0, None):
        if i != before:
            before, image = int(i), scale(pictures[i].frame, size)
        yield image


def _digest(manifest: Manifest, rounds: int) -> str:
    found = hashlib.sha256(f"{rounds}".encode())
    for entry in manifest.entries:
        file = manifest.root / entry.path
        found.update(f"{entry.path} {file.stat().st_size if file.exists() else 0}\n".encode())
    return found.hexdigest()[:12]
