"""Films with quiet and busy stretches, encoded as cameras do."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

__all__ = ["FPS", "stage_film"]

FPS = 10
SIZE = (320, 240)


def stage_film(
    path: Path,
    acts: Sequence[tuple[float, bool]],
    gop: float = 2.0,
    options: Mapping[str, str] | None = None,
    noise: float = 0.02,
) -> Path:
    """H.264 of ``acts`` (seconds, whether a square runs through a textured, hardly noisy room)."""
    rng = np.random.default_rng(3)
    room = rng.integers(60, 180, (SIZE[1] // 8, SIZE[0] // 8), np.uint8).repeat(8, 0).repeat(8, 1)
    moves = [moving for seconds, moving in acts for _ in range(round(seconds * FPS))]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        stream.time_base = Fraction(1, FPS)
        given = {"preset": "ultrafast", "g": str(round(gop * FPS)), "bf": "0", "crf": "23", "sc_threshold": "0"}
        stream.options = {**given, **(options or {})}
        step = 0
        for number, moving in enumerate(moves):
            step += moving
            luma = np.full((SIZE[1] * 3 // 2, SIZE[0]), 128, np.uint8)
            luma[: SIZE[1]] = room + (rng.random(room.shape) < noise)
            left = step * 9 % (SIZE[0] - 60)
            luma[60:160, left : left + 60] = 230
            frame = av.VideoFrame.from_ndarray(luma, format="yuv420p")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
