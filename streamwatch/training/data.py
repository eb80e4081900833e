"""Labelled clips → frames sampled by time, as the live path samples them, with augmentation.

Frame rates of the sources run from 6 to 60, so frame k of a clip is the newest decoded picture at or before
t0 + k/8 s, never the k-th picture. The whole picture is squashed to S×S by swscale (bilinear), also live.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from streamwatch.errors import TrainingError
from streamwatch.training.recipe import Augment
from streamwatch.video.scale import scale, scale_array

__all__ = [
    "CLEAN",
    "FRAMES",
    "Entry",
    "Images",
    "Picture",
    "Segment",
    "Variant",
    "clips_of",
    "draw_variant",
    "read_pictures",
    "sample_indices",
]

FRAMES = 8
Images = NDArray[np.uint8]
"""uint8 [..., S, S, 3], RGB."""
Segment = tuple[float, float, str, str]
"""start, end in seconds, label, caption."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One clip of a manifest: ``path`` relative to it; split by ``group`` only. ``also`` are further labels;
    ``annotates`` are the events of which something is known, None: all."""

    path: str
    source: str
    label: str
    group: str
    split: str
    seconds: float
    licence: str
    also: tuple[str, ...] = ()
    annotates: frozenset[str] | None = None

    def shows(self, event: str) -> bool:
        return event == self.label or event in self.also

    def says(self, event: str) -> bool:
        """Whether somebody looked for ``event`` in this clip."""
        return self.annotates is None or event in self.annotates


@dataclass(frozen=True, slots=True)
class Picture:
    """One decoded picture; ``time`` in seconds from the first one."""

    time: float
    frame: av.VideoFrame


@dataclass(frozen=True, slots=True)
class Variant:
    """How a clip is disturbed. ``crop`` is (left, top, width, height) as shares of the picture."""

    offset: float = 0.0
    speed: float = 1.0
    flip: bool = False
    crop: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    angle: float = 0.0
    gain: float = 1.0
    bias: float = 0.0
    quality: int = 0  # JPEG quality, 0: not recompressed


CLEAN = Variant()
MILD = Augment()


def draw_variant(rng: np.random.Generator, augment: Augment = MILD) -> Variant:
    """A random disturbance."""
    side = float(rng.uniform(augment.crop, 1.0))
    low, high = augment.quality
    return Variant(
        offset=float(rng.uniform(0.0, augment.offset)),
        speed=float(rng.uniform(*augment.speed)),
        flip=bool(rng.random() < augment.flip),
        crop=(float(rng.uniform(0, 1 - side)), float(rng.uniform(0, 1 - side)), side, side),
        angle=float(rng.uniform(-augment.rotation, augment.rotation)),
        gain=float(rng.uniform(*augment.gain)),
        bias=float(rng.uniform(-augment.bias, augment.bias)),
        quality=int(rng.integers(low, high, endpoint=low == high)) if rng.random() < augment.recompress else 0,
    )


def read_pictures(path: Path) -> list[Picture]:
    """All pictures of a file, still in its pixel format. Raises TrainingError."""
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            stream.thread_type = "NONE"
            pictures = [Picture(f.time, f) for f in container.decode(stream) if f.time is not None]
    except (OSError, IndexError, av.error.FFmpegError) as error:
        raise TrainingError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    first = pictures[0].time if pictures else 0.0
    return [Picture(p.time - first, p.frame) for p in pictures]


def sample_indices(times: Sequence[float], offset: float = 0.0, speed: float = 1.0) -> NDArray[np.int64]:
    """[clips, 8] indices of the newest picture at or before offset + (clip + k/8)·speed.

    A clip counts when its last sampling time has been reached (half a picture of tolerance).
    """
    stamps = np.asarray(times, np.float64)
    if not len(stamps):
        return np.zeros((0, FRAMES), np.int64)
    slack = float(np.median(np.diff(stamps))) / 2 if len(stamps) > 1 else 0.0
    reach = (stamps[-1] + slack - offset) / speed
    count = max(0, int(np.floor(reach + 1 / FRAMES + 1e-6)))
    wanted = offset + (np.arange(count)[:, None] + np.arange(FRAMES)[None, :] / FRAMES) * speed
    return np.clip(np.searchsorted(stamps, wanted + 1e-6, side="right") - 1, 0, None)


def _squash(frame: av.VideoFrame, size: int, variant: Variant) -> Images:
    left, top, width, height = variant.crop
    if (width, height) == (1.0, 1.0):
        return scale(frame, size)
    image = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
    rows, columns = image.shape[:2]
    y, x = int(top * rows), int(left * columns)
    return scale_array(image[y : y + int(height * rows), x : x + int(width * columns)], size)


def _disturb(image: Images, variant: Variant) -> Images:
    size = image.shape[0]
    if variant.angle:
        turn = cv2.getRotationMatrix2D((size / 2, size / 2), variant.angle, 1.0)
        image = np.asarray(cv2.warpAffine(image, turn, (size, size), borderMode=cv2.BORDER_REFLECT), np.uint8)
    if variant.gain != 1.0 or variant.bias:
        image = np.clip(image.astype(np.float32) * variant.gain + variant.bias, 0, 255).astype(np.uint8)
    if variant.flip:
        image = np.ascontiguousarray(image[:, ::-1])
    if variant.quality:
        _, packed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, variant.quality])
        image = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)
    return image


def clips_of(pictures: Sequence[Picture], size: int, variant: Variant = CLEAN) -> Iterator[tuple[float, float, Images]]:
    """Back-to-back clips of a file: (start, end) in its own seconds and frames uint8 [8, S, S, 3]."""
    ready: dict[int, Images] = {}
    indices = sample_indices([p.time for p in pictures], variant.offset, variant.speed)
    for number, row in enumerate(indices):
        ready = {i: image for i, image in ready.items() if i >= row[0]}
        for i in row:
            if int(i) not in ready:
                ready[int(i)] = _disturb(_squash(pictures[i].frame, size, variant), variant)
        start = variant.offset + number * variant.speed
        yield start, start + variant.speed, np.stack([ready[int(i)] for i in row])
