"""Real and rendered clips together."""

from pathlib import Path

import numpy as np
import pytest

from streamwatch.errors import TrainingError
from streamwatch.training.data import Entry, Images
from streamwatch.training.dataset import Dataset, _dump_in_parts, gather, join, rendered
from streamwatch.training.features import Eyes, Features, Seeing, load
from streamwatch.training.manifest import Manifest
from streamwatch.training.recipe import FeatureRecipe, Recipe
from streamwatch.training.settings import Settings
from streamwatch.video.synthetic import Scene
from tests.training.films import write_film


class Blind(Eyes):
    """Sees nothing: makes the bookkeeping testable without a network."""

    def __init__(self) -> None:
        pass

    def __call__(self, frames: Images) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return np.zeros((len(frames), 2), np.float32)


def made(files: int) -> Dataset:
    entries = [Entry(f"{i}.mp4", "s", "normal", f"g{i}", "train" if i % 2 else "val", 1.0, "") for i in range(files)]
    number = np.arange(files)
    start = np.zeros(files)
    x, own = np.zeros((files, 2), np.float32), np.zeros((files, 3), np.float32)
    return Dataset(Features(x, own, number, number * 0, start, start + 1), entries, {})


def test_joined_data_keeps_entries_apart() -> None:
    both = join(made(4), made(8))
    assert len(both.entries) == 12
    assert both.features.entry.tolist() == list(range(12))


def test_a_split_can_be_left_out_and_entries_keep_their_numbers() -> None:
    assert made(4).only("train").features.entry.tolist() == [1, 3]
    assert len(made(4).only("test").features.x) == 0


def test_rendered_scenes_bring_their_truth() -> None:
    scenes = [Scene("fall", seed=1, size=(96, 64), duration=6.0), Scene("walk", seed=2, size=(96, 64), duration=3.0)]
    found = rendered(scenes, Seeing(Blind()), 32, "train")
    assert [e.source for e in found.entries] == ["synthetic", "synthetic"]
    assert set(found.features.variant[found.features.entry == 0].tolist()) == {0, 1, 2}
    assert (found.features.entry == 1).sum() == 3
    assert set(found.segments) == {e.path for e in found.entries}


def films(root: Path, **seconds: float) -> Manifest:
    """A normal clip of that length in each split."""
    entries = []
    for split, length in seconds.items():
        write_film(root / f"{split}.mp4", seconds=length)
        entries.append(Entry(f"{split}.mp4", "s", "normal", split, split, length, ""))
    return Manifest(root / "m.csv", entries, {})


def test_clips_under_a_second_are_named_and_counted_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("streamwatch.training.dataset._Lazily.__call__", lambda self: Seeing(Blind()))
    recipe = Recipe(train=Settings(size=96), features=FeatureRecipe(rendered=0, variants=1))
    given = films(tmp_path, train=2.2, val=0.4)
    found = gather(given, tmp_path / "work", recipe)
    assert set(found.features.entry.tolist()) == {0}
    assert "skipped: val.mp4: shorter than a second" in capsys.readouterr().err
    gather(given, tmp_path / "work", recipe)  # of the cache
    assert "1 clips of 2 gave no second to learn from: val.mp4" in capsys.readouterr().err


def test_without_a_second_of_real_clips_nothing_is_learnt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamwatch.training.dataset._Lazily.__call__", lambda self: Seeing(Blind()))
    recipe = Recipe(train=Settings(size=96), features=FeatureRecipe(rendered=1, variants=1))
    with pytest.raises(TrainingError, match="not one of 1 clips in split 'train' lasts a second"):
        gather(films(tmp_path, train=0.4, val=2.2), tmp_path / "work", recipe)


class Bright(Blind):
    """Sees how bright it is, and counts."""

    def __init__(self) -> None:
        self.looked = 0

    def __call__(self, frames: Images) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        self.looked += 1
        return np.full((len(frames), 2), float(frames.mean()), np.float32)


def test_who_is_stopped_while_looking_goes_on_with_the_part_at_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamwatch.training.dataset.PART", 2)
    entries = []
    for i in range(5):
        write_film(tmp_path / f"{i}.mp4", seconds=2.2, speed=10.0 * i)
        entries.append(Entry(f"{i}.mp4", "s", "normal", f"g{i}", "train", 2.2, ""))
    manifest, recipe = Manifest(tmp_path / "m.csv", entries, {}), Recipe(train=Settings(size=96))
    at_once, twice = Bright(), Bright()
    _dump_in_parts(manifest, Seeing(at_once), recipe, tmp_path / "a" / "whole.npz")

    class Tired(Bright):
        def __call__(self, frames: Images) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
            if self.looked == 26:  # behind the first part
                raise KeyboardInterrupt
            return super().__call__(frames)

    with pytest.raises(KeyboardInterrupt):
        _dump_in_parts(manifest, Seeing(Tired()), recipe, tmp_path / "b" / "whole.npz")
    _dump_in_parts(manifest, Seeing(twice), recipe, tmp_path / "b" / "whole.npz")
    assert 0 < twice.looked < at_once.looked
    one, two = load(tmp_path / "a" / "whole.npz"), load(tmp_path / "b" / "whole.npz")
    for name in Features.__slots__:
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["whole.npz"]
