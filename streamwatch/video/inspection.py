"""A look at one camera: what it sends, how often one can join, what a second of it costs."""

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from streamwatch.errors import EndOfStreamError
from streamwatch.video.picture import Opening, Picture
from streamwatch.video.source import open_source

__all__ = ["Inspection", "inspect"]

KEYFRAMES = 3  # seen: enough to tell how far apart they are
FASTEST = 1e-3  # seconds between two pictures, at least


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was seen in ``seconds``.

    ``first`` is the time from the call to the first picture (s), ``fps`` by the stream's own clock (by arrival where
    it has none), ``keyframe_interval`` in seconds (None: fewer than two came), ``decode`` CPU seconds a second of
    stream, ``drift`` how much the stream's clock gained on ours (s), ``hardware``: whether a device decoded it.
    """

    seconds: float
    first: float
    codec: str | None
    size: tuple[int, int]
    fps: float
    keyframe_interval: float | None
    decode: float
    errors: int
    dated: bool
    drift: float
    hardware: bool = False


def inspect(opening: Opening, seconds: float, clock: Callable[[], float] = time.monotonic) -> Inspection:
    """Read the camera for up to ``seconds``, or until three keyframes and two seconds have been seen.

    Raises SourceError.
    """
    began = clock()
    seen: list[tuple[float, float | None, bool]] = []  # arrival, pts, keyframe
    size = (0, 0)
    with closing(open_source(opening)) as source:
        codec = getattr(source, "codec", None)
        try:
            for picture in source:
                now = clock()
                size = picture.shape
                seen.append((now, picture.pts, _is_key(picture)))
                if now - began >= seconds or (sum(key for *_, key in seen) >= KEYFRAMES and now - seen[0][0] >= 2.0):
                    break
        except EndOfStreamError:  # a short recording
            if len(seen) < 2:
                raise
    return _judge(began, seen, size, codec, opening)


def _is_key(picture: Picture) -> bool:
    return bool(getattr(getattr(picture, "frame", None), "key_frame", False))


def _judge(
    began: float,
    seen: list[tuple[float, float | None, bool]],
    size: tuple[int, int],
    codec: str | None,
    opening: Opening,
) -> Inspection:
    arrivals = [arrival for arrival, _, _ in seen]
    dates = [pts for _, pts, _ in seen if pts is not None]
    dated = len(dates) == len(seen)
    times = dates if dated else arrivals
    span = max(times[-1] - times[0], FASTEST)
    keys = [at for at, (_, _, key) in zip(times, seen, strict=True) if key]
    return Inspection(
        seconds=arrivals[-1] - began,
        first=arrivals[0] - began,
        codec=codec,
        size=size,
        fps=(len(seen) - 1) / span,
        keyframe_interval=median(b - a for a, b in pairwise(keys)) if len(keys) > 1 else None,
        decode=opening.tally.decode_seconds / span,
        errors=opening.tally.errors,
        dated=dated,
        drift=(dates[-1] - dates[0]) - (arrivals[-1] - arrivals[0]) if dated else 0.0,
        hardware=opening.tally.hardware,
    )
