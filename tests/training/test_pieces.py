"""Seconds out of files: the same ones each time, none of the long files read to the end, none left out."""

from pathlib import Path

import numpy as np
import pytest

from streamwatch.errors import TrainingError
from streamwatch.training import pieces
from streamwatch.training.data import Entry, clips_of, read_pictures
from streamwatch.training.manifest import Manifest
from streamwatch.training.pieces import LONG, calibration_clips, piece
from tests.training.films import write_film

SIZE = 96


def manifest(root: Path, *seconds: float) -> Manifest:
    """Files in which the square stands elsewhere at each second: it is told by the picture which second it is."""
    entries = []
    for number, length in enumerate(seconds):
        write_film(root / f"{number}.mp4", seconds=length, fps=8, speed=2.0 + number)
        split = "val" if number == 0 else "train"
        entries.append(Entry(f"{number}.mp4", "street", "normal", f"g{number}", split, length, ""))
    return Manifest(root / "m.csv", entries, {})


def seconds_of(given: Manifest, number: int) -> list[bytes]:
    found = clips_of(read_pictures(given.root / given.entries[number].path), SIZE)
    return [clip.tobytes() for _, _, clip in found]


def test_of_short_files_the_middle_second_is_taken(tmp_path: Path) -> None:
    given = manifest(tmp_path, 3.0, 1.0, 5.0, 0.5)
    found = calibration_clips(given, SIZE)
    assert {clip.tobytes() for clip in found} == {seconds_of(given, 1)[0], seconds_of(given, 2)[2]}
    assert found[0].shape == (8, SIZE, SIZE, 3)
    (held,) = calibration_clips(given, SIZE, split="val")
    assert held.tobytes() == seconds_of(given, 0)[1]
    assert len(calibration_clips(given, SIZE, count=1)) == 1
    assert not calibration_clips(given, SIZE, split="test")


def test_the_order_depends_on_the_seed_alone(tmp_path: Path) -> None:
    given = manifest(tmp_path, *[1.0] * 7)
    first, again, other = (calibration_clips(given, SIZE, seed=seed) for seed in (0, 0, 1))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert [c.tobytes() for c in first] != [c.tobytes() for c in other]


def test_long_files_come_after_short_ones_and_only_where_these_are_too_few(tmp_path: Path) -> None:
    given = manifest(tmp_path, 1.0, 3.0, LONG + 8.0, 3.0)
    short = {seconds_of(given, 1)[1], seconds_of(given, 3)[1]}
    assert {clip.tobytes() for clip in calibration_clips(given, SIZE, count=2)} == short
    three = [clip.tobytes() for clip in calibration_clips(given, SIZE, count=3)]
    assert set(three[:2]) == short
    assert three[2] not in short


def test_of_long_files_alone_as_many_seconds_are_taken_as_are_wanted(tmp_path: Path) -> None:
    given = manifest(tmp_path, 1.0, LONG + 1.0, LONG + 11.0)
    found = calibration_clips(given, SIZE, count=5)
    assert len({clip.tobytes() for clip in found}) == 5


def test_a_piece_is_that_second_and_is_found_without_the_whole_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = manifest(tmp_path, 1.0, 64.0)
    monkeypatch.setattr(pieces, "read_pictures", None)  # all of it
    pictures = read_pictures(tmp_path / "1.mp4")
    at = next(i for i, p in enumerate(pictures) if p.time >= 31.5)  # half of 64 s, without half a second
    found = piece(given, given.entries[1], 0.5, SIZE)
    begun = [type(p)(p.time - pictures[at].time, p.frame) for p in pictures[at : at + 9]]
    expected = next(clip for _, _, clip in clips_of(begun, SIZE))
    assert found is not None
    np.testing.assert_array_equal(found, expected)
    assert piece(given, given.entries[1], 1.0, SIZE) is None, "half a second is left"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "0.mp4").write_bytes(b"no film")
    entry = Entry("0.mp4", "street", "normal", "g", "train", 90.0, "")
    with pytest.raises(TrainingError, match=r"0\.mp4: cannot be read"):
        calibration_clips(Manifest(tmp_path / "m.csv", [entry], {}), SIZE)
