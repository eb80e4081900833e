"""The synthetic camera (``synthetic:…``) as a source: made-up pictures in real time."""

from collections.abc import Generator, Iterator

from streamwatch.errors import EndOfStreamError
from streamwatch.video.pacing import paced
from streamwatch.video.picture import ArrayPicture, Opening, Picture
from streamwatch.video.synthetic_source import frames, parse_synthetic

__all__ = ["SyntheticSource"]


class SyntheticSource:
    """Plays a made-up scene. Its pictures are drawn, not decoded."""

    def __init__(self, opening: Opening) -> None:
        self._opening = opening
        self._scene = parse_synthetic(opening.url.reveal())

    def __iter__(self) -> Generator[Picture, None, None]:
        wait = self._opening.wait
        yield from self._drawn() if wait is None else paced(self._drawn(), wait)
        if wait is not None:
            raise EndOfStreamError(f"{self._opening.url}: the scene ended")

    def close(self) -> None:
        """Nothing is held."""

    def _drawn(self) -> Iterator[Picture]:
        for pts, image in frames(self._scene):
            self._opening.tally.packets += 1
            self._opening.tally.frames += 1
            yield ArrayPicture(pts, image)
