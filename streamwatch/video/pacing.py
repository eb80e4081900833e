"""Playing what has no pace of its own (a file, a made-up scene) as a camera would: in real time."""

import time
from collections.abc import Callable, Iterable, Iterator

from streamwatch.video.picture import Picture

__all__ = ["paced"]

SLIP = 1.0  # seconds: a longer step in pts, or a reader that falls further behind, moves the schedule


def paced(pictures: Iterable[Picture], wait: Callable[[float], object]) -> Iterator[Picture]:
    """Yield each picture when its pts is due, counted from the first one; ``wait`` gets seconds, and may end early."""
    start: float | None = None
    for picture in pictures:
        now = time.monotonic()
        pts = now if picture.pts is None else picture.pts
        ahead = SLIP + 1 if start is None else start + pts - now
        if abs(ahead) > SLIP:
            start, ahead = now - pts, 0.0
        if ahead > 0:
            wait(ahead)
        yield picture
