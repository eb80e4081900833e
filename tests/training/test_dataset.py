"""Real and rendered clips together."""

import numpy as np

from streamwatch.training.data import Entry, Images
from streamwatch.training.dataset import Dataset, join, rendered
from streamwatch.training.features import Eyes, Features
from streamwatch.video.synthetic import Scene


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
    return Dataset(Features(np.zeros((files, 2), np.float32), number, number * 0, start, start + 1), entries, {})


def test_joined_data_keeps_entries_apart() -> None:
    both = join(made(4), made(8))
    assert len(both.entries) == 12
    assert both.features.entry.tolist() == list(range(12))


def test_a_split_can_be_left_out_and_entries_keep_their_numbers() -> None:
    assert made(4).only("train").features.entry.tolist() == [1, 3]
    assert len(made(4).only("test").features.x) == 0


def test_rendered_scenes_bring_their_truth() -> None:
    scenes = [Scene("fall", seed=1, size=(96, 64), duration=6.0), Scene("walk", seed=2, size=(96, 64), duration=3.0)]
    found = rendered(scenes, Blind(), 32, "train")
    assert [e.source for e in found.entries] == ["synthetic", "synthetic"]
    assert set(found.features.variant[found.features.entry == 0].tolist()) == {0, 1, 2}
    assert (found.features.entry == 1).sum() == 3
    assert set(found.segments) == {e.path for e in found.entries}
