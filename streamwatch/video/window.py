"""Pictures → clips, sampled by time. Pure: no clock, no decoder; a picture is whatever ``scale`` can turn into one."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from streamwatch.video.frame import Clip, Frame, Image

__all__ = ["EXACT", "ClipTiming", "ClipWindow"]

P = TypeVar("P")

EXACT = 1e-6  # seconds: a picture this close to a sample time is at it


@dataclass(frozen=True, slots=True)
class ClipTiming:
    """How clips are cut: ``frames`` samples of ``size``×``size`` spread evenly over ``clip_seconds``, a new clip each
    ``stride_seconds``.

    ``silence_seconds`` is the longest step between two pictures that still is one stream: a camera at one frame a
    second, with 10 % of jitter.
    """

    size: int
    frames: int = 8
    clip_seconds: float = 1.0
    stride_seconds: float = 1.0
    silence_seconds: float = 1.1

    def __post_init__(self) -> None:
        if self.size < 1 or self.frames < 1 or self.clip_seconds <= 0:
            raise ValueError(f"{self}: size, frames and clip_seconds must be positive")
        if not 1 <= self.stride_samples <= self.frames:
            raise ValueError(f"{self}: stride_seconds must be between {self.interval} s and clip_seconds")
        if abs(self.stride_samples * self.interval - self.stride_seconds) > EXACT:
            raise ValueError(f"{self}: stride_seconds must be a multiple of {self.interval} s (clip_seconds / frames)")

    @property
    def interval(self) -> float:
        """Seconds between two samples."""
        return self.clip_seconds / self.frames

    @property
    def stride_samples(self) -> int:
        """Samples from one clip's beginning to the next."""
        return round(self.stride_seconds / self.interval)


@dataclass(slots=True)
class _Held(Generic[P]):
    """The newest picture, and what it looks like once it had to be scaled."""

    picture: P
    pts: float
    at: float
    damaged: bool
    still: bool
    image: Image | None = None


class ClipWindow(Generic[P]):
    """Cuts one camera's pictures into clips of ``timing.frames`` samples.

    Sample k of an epoch is the newest picture at or before t0 + k · interval, with t0 the epoch's first picture, as in
    training; so the frame rate does not matter and only pictures that are sampled are ever scaled. A step longer than
    ``timing.silence_seconds``, or ``gap``, ends the epoch: samples that are in no clip yet are thrown away and
    ``on_gap(reason, samples)`` is told. Clips are never spliced across a gap.
    """

    def __init__(
        self,
        camera: str,
        timing: ClipTiming,
        scale: Callable[[P], Image],
        on_gap: Callable[[str, int], None] = lambda reason, samples: None,
    ) -> None:
        self._camera = camera
        self._timing = timing
        self._scale = scale
        self._on_gap = on_gap
        self._samples: deque[Frame] = deque(maxlen=timing.frames)
        self._held: _Held[P] | None = None
        self._step = 0.0  # between the last two pictures
        self._origin = 0.0
        self._taken = 0  # samples of this epoch
        self._seq = 0  # samples since the camera began
        self._epoch = 0

    def observe(self, picture: P, pts: float, at: float, damaged: bool = False, still: bool = False) -> list[Clip]:
        """Take the next picture (``pts`` never runs back within an epoch); the clips that it completes."""
        held = self._held
        if held is not None and pts - held.pts > self._timing.silence_seconds:
            self.gap("silence")
            held = None
        newest = _Held(picture, pts, at, damaged, still)
        clips: list[Clip] = []
        if held is None:
            self._origin = pts
        else:
            self._step = pts - held.pts
            while self._due() < pts - EXACT:
                clips += self._sample(held)
        self._held = newest
        while self._due() <= pts + EXACT:
            clips += self._sample(newest)
        return clips

    def left(self) -> float:
        """Seconds from the newest picture to the sample that completes the next clip; 0.0 before the first picture."""
        if self._held is None:
            return 0.0
        beyond = self._taken - self._timing.frames
        missing = -beyond if beyond < 0 else self._timing.stride_samples - beyond % self._timing.stride_samples
        return max(0.0, self._due() + (missing - 1) * self._timing.interval - self._held.pts)

    def gap(self, reason: str) -> None:
        """End the epoch; does nothing where none has begun."""
        if self._held is None:
            return
        unused = self._unused()
        self._held = None
        self._samples.clear()
        self._taken = 0
        self._step = 0.0
        self._epoch += 1
        self._on_gap(reason, unused)

    def finish(self) -> list[Clip]:
        """The clip, if any, that the last picture completes because it lasts half a step: at the end of a file."""
        clips: list[Clip] = []
        while self._held is not None and self._due() <= self._held.pts + self._step / 2:
            clips += self._sample(self._held)
        return clips

    def _due(self) -> float:
        """pts of the next sample."""
        return self._origin + self._taken * self._timing.interval

    def _sample(self, held: _Held[P]) -> list[Clip]:
        if held.image is None:
            held.image = self._scale(held.picture)
        due = self._due()
        # the sample's time, not the picture's: clips of one epoch stand on one even grid
        at = held.at + due - held.pts
        self._samples.append(Frame(self._camera, self._seq, due, at, held.image, held.damaged, held.still))
        self._seq += 1
        self._taken += 1
        beyond = self._taken - self._timing.frames
        if beyond < 0 or beyond % self._timing.stride_samples:
            return []
        return [self._clip(beyond // self._timing.stride_samples)]

    def _clip(self, index: int) -> Clip:
        samples = self._samples
        still = sum(frame.still for frame in samples) / len(samples)
        # where nothing moves, what was decoded last stands for all, so that no clip jumps from one still to the next
        last, shape = samples[-1].image, (len(samples), *samples[-1].image.shape)
        return Clip(
            camera=self._camera,
            start=samples[0].at,
            end=samples[-1].at,
            frames=np.broadcast_to(last, shape) if still == 1.0 else np.stack([frame.image for frame in samples]),
            epoch=self._epoch,
            index=index,
            damaged=any(frame.damaged for frame in samples),
            still=still,
        )

    def _unused(self) -> int:
        """Samples that are in no clip yet."""
        beyond = self._taken - self._timing.frames
        return self._taken if beyond < 0 else beyond % self._timing.stride_samples
