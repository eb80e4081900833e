"""The film that every camera of a measurement shows."""

from dataclasses import dataclass
from pathlib import Path

import av

from streamwatch.video.h264 import LIKE_A_CAMERA, film_scene, film_video
from streamwatch.video.synthetic import Scene

__all__ = ["WALKERS", "Film", "bench_film"]

WALKERS = Scene("walk", seed=0, size=(1280, 720), fps=25.0, duration=20)
"""720p25 with somebody walking at any time."""


@dataclass(frozen=True, slots=True)
class Film:
    """``path`` is an mp4 that RTSP can carry; ``bits`` a second of it."""

    path: Path
    width: int
    height: int
    fps: float
    bits: float

    def __str__(self) -> str:
        return f"{self.path.name}: {self.width}x{self.height}, {self.fps:g} fps, {self.bits / 1e6:.1f} Mbit/s"


def bench_film(folder: Path, video: Path | None = None, scene: Scene = WALKERS) -> Film:
    """``video``, or ``scene`` rendered and encoded as a camera does it; kept in ``folder``. Raises ConfigError."""
    path = film_scene(scene, folder, options=LIKE_A_CAMERA) if video is None else film_video(video, folder)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        length = (container.duration or 0) / av.time_base
        bits = path.stat().st_size * 8 / length if length else 0.0
        return Film(path, context.width, context.height, float(stream.average_rate or 25), bits)
