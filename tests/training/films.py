"""Small videos made on the spot: a bright square that moves over a grey ground."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

__all__ = ["write_empty_film", "write_film"]


def write_film(path: Path, seconds: float = 2.0, fps: int = 16, speed: float = 40.0) -> Path:
    """A lossless-ish H.264 file of 96×64 in which a square moves ``speed`` pixels a second to the right."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps))
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.options = {"crf": "5", "bf": "0", "threads": "1"}
        for number in range(round(seconds * fps)):
            picture = np.full((64, 96, 3), 90, np.uint8)
            left = int(number / fps * speed) % 80
            picture[20:40, left : left + 16] = 230
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


def write_empty_film(path: Path) -> Path:
    """An H.264 file whose track is described, and holds not one picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", options={"movflags": "empty_moov"}) as container:
        stream = container.add_stream("libx264", rate=Fraction(16))
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        container.start_encoding()
    return path
