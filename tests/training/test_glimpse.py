"""The first second of each clip."""

from pathlib import Path

import numpy as np
import pytest

from streamwatch.training.data import Entry, clips_of, read_pictures
from streamwatch.training.glimpse import first_clips
from tests.training.films import write_film


def test_each_gives_its_first_second_and_what_gives_none_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, seconds in (("a", 2.2), ("b", 0.4), ("c", 1.2)):
        write_film(tmp_path / f"{name}.mp4", seconds=seconds)
    entries = [Entry(f"{name}.mp4", "s", "normal", name, "train", 1.0, "") for name in "abcd"]
    found = list(first_clips(tmp_path, entries, 96))
    for frames, name in zip(found, "ac", strict=True):
        _, _, expected = next(clips_of(read_pictures(tmp_path / f"{name}.mp4"), 96))
        np.testing.assert_array_equal(frames, expected)
    said = capsys.readouterr().err
    assert "b.mp4: shorter than a second" in said and "d.mp4: cannot be read" in said
    assert "2 clips of 4 skipped: 1 shorter than a second, 1 unreadable" in said
