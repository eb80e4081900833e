"""The first second of each of some clips."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from streamwatch.errors import TrainingError
from streamwatch.training.data import Entry, Images, clips_of, read_pictures
from streamwatch.training.skipped import SHORT, Skipped

__all__ = ["first_clips"]


def first_clips(root: Path, entries: Sequence[Entry], size: int) -> Iterator[Images]:
    """Frames uint8 [8, S, S, 3]; a clip that cannot be read or is shorter is named and counted."""
    skipped = Skipped(len(entries))
    for entry in entries:
        try:
            first = next(clips_of(read_pictures(root / entry.path), size), None)
        except TrainingError as error:
            skipped.failed(error)
            continue
        if first is None:
            skipped.left_out(entry.path, SHORT)
        else:
            yield first[2]
    skipped.sum_up()
