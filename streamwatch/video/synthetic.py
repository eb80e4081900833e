"""Synthetic surveillance scenes: rendered people in rendered rooms, with the truth about what happens.

A scene is a pure function of its fields and the time: the same scene gives the same bytes on every run of the same
machine. Nothing is read from disk; everything is drawn with numpy and OpenCV.
"""

import difflib
from dataclasses import dataclass
from functools import cached_property

from streamwatch.errors import ConfigError
from streamwatch.video.frame import Image
from streamwatch.video.theatre.performance import Box, Performance, perform
from streamwatch.video.theatre.plots import PLOTS as BUILDERS

__all__ = ["PLOTS", "Scene", "SceneEvent"]

PLOTS = tuple(BUILDERS)
"""The names of all plots."""


@dataclass(frozen=True)
class SceneEvent:
    """What happens when (seconds) and where (x0, y0, x1, y1 in 0–1 of the picture).

    A ``fall`` begins with the drop and ends 4 s after the person has come to lie; a ``fight`` lasts from the first
    blow to the last. Both end with the scene at the latest.
    """

    event: str
    start: float
    end: float
    box: Box


@dataclass(frozen=True)
class Scene:
    """A scene of ``duration`` seconds; ``plot`` is one of PLOTS, ``size`` is (width, height) in pixels.

    Raises ConfigError for an unknown plot or impossible numbers.
    """

    plot: str
    seed: int = 0
    size: tuple[int, int] = (640, 360)
    fps: float = 25.0
    duration: float = 20.0

    def __post_init__(self) -> None:
        if self.plot not in PLOTS:
            near = difflib.get_close_matches(self.plot, PLOTS, 1, 0.4)
            hint = f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(PLOTS)}"
            raise ConfigError(f"synthetic: no plot {self.plot!r}; {hint}")
        width, height = self.size
        if not (64 <= width <= 3840 and 48 <= height <= 2160):
            raise ConfigError(f"synthetic: size {width}x{height} must lie within 64x48 and 3840x2160")
        if not (0 < self.fps <= 120 and 1 <= self.duration <= 86400 and self.seed >= 0):
            raise ConfigError("synthetic: needs 0 < fps <= 120, 1 <= duration <= 86400 s and seed >= 0")

    @property
    def caption(self) -> str:
        """What can be seen, in one English sentence."""
        return self._performance.play.caption

    @cached_property
    def truth(self) -> tuple[SceneEvent, ...]:
        """Every event of the scene, in order."""
        return tuple(
            SceneEvent(h.event, h.start, h.end, self._performance.box(h))
            for h in sorted(self._performance.play.happenings, key=lambda h: h.start)
        )

    def render(self, t: float) -> Image:
        """The picture at ``t`` seconds: uint8 [H, W, 3], RGB."""
        return self._performance.picture(t)

    @cached_property
    def _performance(self) -> Performance:
        return perform(self.plot, self.seed, self.size, self.duration)
