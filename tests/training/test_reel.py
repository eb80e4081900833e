"""Pictures sampled by time, kept in a file, found again."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from streamwatch.errors import TrainingError
from streamwatch.training.data import Entry, clips_of, read_pictures
from streamwatch.training.manifest import Manifest
from streamwatch.training.reel import PER_SECOND, wind
from tests.training.films import write_film


def manifest(root: Path, *names: str) -> Manifest:
    return Manifest(root / "m.csv", [Entry(n, "s", "normal", n, "train", 2.0, "") for n in names], {})


def test_pictures_are_those_that_clips_are_cut_from(tmp_path: Path) -> None:
    write_film(tmp_path / "a.mp4", seconds=2.0, fps=16)
    write_film(tmp_path / "b.mp4", seconds=2.0, fps=10)
    reel = wind(manifest(tmp_path, "a.mp4", "b.mp4"), 96, 0, tmp_path / "work")
    assert reel.count.tolist() == [2 * PER_SECOND] * 2
    assert reel.pictures.shape == (4 * PER_SECOND, 96, 96, 3)
    for number, name in enumerate(("a.mp4", "b.mp4")):
        for start, _, frames in clips_of(read_pictures(tmp_path / name), 96):
            found = reel.pictures[reel.at(number, start + np.arange(8) / 8)].numpy()
            np.testing.assert_array_equal(found, frames)


def test_times_beyond_the_file_give_its_last_picture(tmp_path: Path) -> None:
    write_film(tmp_path / "a.mp4", seconds=1.0)
    reel = wind(manifest(tmp_path, "a.mp4"), 96, 0, tmp_path / "work")
    assert reel.lasts(0) == pytest.approx(15 / 16)
    assert reel.at(0, np.array([0.0, 0.5, 9.0])).tolist() == [0, 8, 15]


def test_what_is_known_of_entries_tells_them_apart(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        write_film(tmp_path / name, seconds=1.0)
    given = manifest(tmp_path, "a.mp4", "b.mp4")
    reel = wind(given, 96, 0, tmp_path / "work")
    assert reel.known([0, 1]) == reel.known([1, 0]) != reel.known([0])
    timed = replace(given, segments={"a.mp4": [(0.0, 1.0, "fall", "")]})
    assert wind(timed, 96, 0, tmp_path / "work").known([0]) != reel.known([0])
    looked = replace(
        given, entries=[replace(given.entries[0], annotates=frozenset({"fall", "fight"})), given.entries[1]]
    )
    (first,) = wind(looked, 96, 0, tmp_path / "work").known([0])
    assert "['fall', 'fight']" in str(first)


def test_it_is_wound_once(tmp_path: Path) -> None:
    write_film(tmp_path / "a.mp4", seconds=1.0)
    given = manifest(tmp_path, "a.mp4")
    wind(given, 96, 0, tmp_path / "work")
    kept = sorted((path.name, path.stat().st_mtime_ns) for path in (tmp_path / "work").iterdir())
    wind(given, 96, 0, tmp_path / "work")
    assert sorted((path.name, path.stat().st_mtime_ns) for path in (tmp_path / "work").iterdir()) == kept


def test_one_that_was_stopped_half_way_is_wound_anew(tmp_path: Path) -> None:
    write_film(tmp_path / "a.mp4", seconds=1.0)
    given = manifest(tmp_path, "a.mp4")
    whole = wind(given, 96, 0, tmp_path / "work").pictures.clone()
    for path in (tmp_path / "work").iterdir():
        path.unlink() if path.suffix == ".npz" else path.write_bytes(b"half")
    np.testing.assert_array_equal(wind(given, 96, 0, tmp_path / "work").pictures, whole)


def test_what_cannot_be_read_is_named_and_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_film(tmp_path / "a.mp4", seconds=1.0)
    (tmp_path / "b.mp4").write_bytes(b"")
    reel = wind(manifest(tmp_path, "b.mp4", "a.mp4"), 96, 0, tmp_path / "work")
    assert [entry.path for entry in reel.entries] == ["a.mp4"]
    said = capsys.readouterr().err
    assert "b.mp4" in said and "1 clips of 2 skipped: 1 unreadable" in said
    wind(manifest(tmp_path, "b.mp4", "a.mp4"), 96, 0, tmp_path / "work")
    assert "1 clips of 2 are not on" in capsys.readouterr().err, "also when it is used again"
    with pytest.raises(TrainingError, match="not one of 1"):
        wind(manifest(tmp_path, "b.mp4"), 96, 0, tmp_path / "work")


def test_rendered_scenes_are_on_it_with_their_truth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamwatch.training.scenes.SECONDS", 2.0)
    monkeypatch.setattr("streamwatch.training.scenes.PLOTS", ["fight", "walk"])
    monkeypatch.setattr("streamwatch.training.scenes.EVENTFUL", {})
    write_film(tmp_path / "a.mp4", seconds=1.0)
    reel = wind(manifest(tmp_path, "a.mp4"), 96, 1, tmp_path / "work")
    assert [entry.source for entry in reel.entries] == ["s", "synthetic", "synthetic"]
    assert all(entry.path in reel.segments for entry in reel.entries[1:])
