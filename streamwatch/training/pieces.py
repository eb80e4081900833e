"""Single seconds out of many files: on what a quantiser measures how far activations reach."""

import math

import av
import numpy as np

from streamwatch.errors import TrainingError
from streamwatch.training.data import Entry, Images, Picture, clips_of, read_pictures
from streamwatch.training.manifest import Manifest

__all__ = ["calibration_clips", "piece"]

LONG = 40  # seconds; of longer files a second is read, not all


def calibration_clips(
    manifest: Manifest, size: int, count: int = 120, seed: int = 0, split: str = "train"
) -> list[Images]:
    """The middle clip of ``count`` files of a split; where there are too few, as many more as needed out of the long
    ones, evenly over their length. May be fewer, or none."""
    rng = np.random.default_rng(seed)
    entries = [e for e in manifest.entries if e.split == split]
    found: list[Images] = []
    for entry in _turned([e for e in entries if e.seconds < LONG], rng):
        if len(found) == count:
            return found
        clips = [clip for *_, clip in clips_of(read_pictures(manifest.root / entry.path), size)]
        found += clips[len(clips) // 2 : len(clips) // 2 + 1]
    long = _turned([e for e in entries if e.seconds >= LONG], rng)
    each = math.ceil((count - len(found)) / max(1, len(long)))
    for entry in long:
        for number in range(min(each, count - len(found))):
            clip = piece(manifest, entry, (number + 0.5) / each, size)
            found += [] if clip is None else [clip]
    return found


def _turned(entries: list[Entry], rng: np.random.Generator) -> list[Entry]:
    return [entries[i] for i in rng.permutation(len(entries))]


def piece(manifest: Manifest, entry: Entry, share: float, size: int) -> Images | None:
    """uint8 [8, S, S, 3]: the second around ``share`` of the file, found by its keyframes; None where it holds none.
    Raises TrainingError."""
    path, start = manifest.root / entry.path, max(0.0, entry.seconds * share - 0.5)
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            stream.thread_type = "NONE"
            first = float((stream.start_time or 0) * (stream.time_base or 0))
            container.seek(int((first + start) * av.time_base))
            pictures: list[Picture] = []
            for frame in container.decode(stream):
                if frame.time is not None and frame.time >= first + start:
                    pictures.append(Picture(frame.time, frame))
                    if frame.time >= pictures[0].time + 1:
                        break
    except (OSError, IndexError, av.error.FFmpegError) as error:
        raise TrainingError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    begun = [Picture(p.time - pictures[0].time, p.frame) for p in pictures]
    return next((clip for *_, clip in clips_of(begun, size)), None)
