"""Windows and what is told of them."""

import numpy as np
import pytest

from streamwatch.training.captions import TEMPLATES
from streamwatch.training.codebook import Codebook, fit_codebook, motion
from streamwatch.training.data import Entry
from streamwatch.training.dataset import Dataset
from streamwatch.training.features import Features
from streamwatch.training.narrated import Narrated, draw_told, narrate
from streamwatch.training.videobert import CELL_FEATURES


def dataset(files: int = 12, seconds: int = 16) -> Dataset:
    """Files of two labels in three groups; each second's first token value is its file's number."""
    rng = np.random.default_rng(0)
    labels = ["fight" if i % 2 else "normal" for i in range(files)]
    entries = [Entry(f"{i}.mp4", f"s{i % 3}", x, f"g{i % 3}", "train", 9.0, "") for i, x in enumerate(labels)]
    number = np.repeat(np.arange(files), seconds)
    x = np.abs(rng.normal(size=(len(number), CELL_FEATURES))).astype(np.float32)
    start = np.tile(np.arange(seconds, dtype=np.float64), files)
    segments = {
        "0.mp4": [(0.0, 4.0, "normal:walking", "a man walks"), (4.0, 16.0, "", "a man sits down")],
        "1.mp4": [(0.0, 16.0, "fight", "two men push")],
    }
    own, variant = np.full((len(x), 3), np.nan, np.float32), np.zeros(len(x), np.int64)
    return Dataset(Features(x, own, number, variant, start, start + 1), entries, segments)


@pytest.fixture(scope="module")
def clips() -> list[Narrated]:
    given = dataset()
    tokens = np.repeat(given.features.entry[:, None].astype(np.float32) + 1, 8, 1)
    return narrate(given, tokens, fit_codebook(motion(given.features.x)))


def test_a_file_knows_its_words_times_and_captions(clips: list[Narrated]) -> None:
    assert len(clips) == 12
    first = clips[0]
    assert (first.tokens.shape, first.words.shape, first.target.shape) == ((16, 8), (16, 2), (16, 32))
    assert first.times[3].tolist() == [3.0, 4.0]
    assert [s[3] for s in first.told] == ["a man walks", "a man sits down"]


def test_windows_are_filled_with_the_same_place_and_the_newest_is_told(clips: list[Narrated]) -> None:
    told = draw_told(clips, 60, 12, np.random.default_rng(0))
    assert told.visual.shape == (60, 12, 8)
    assert (told.mask[:, -1] == 1).all()
    assert (told.visual[told.mask == 0] == 0).all()
    for row in range(60):
        numbers = {int(x) - 1 for x in told.visual[row, told.mask[row] > 0, 0]}
        assert {f"g{i % 3}" for i in numbers} == {told.groups[row]}
    assert 0 < (told.mask.min(1) == 0).mean() < 0.7, "some as after a reconnect"


def test_what_somebody_wrote_comes_before_templates(clips: list[Narrated]) -> None:
    rng = np.random.default_rng(0)
    walking = draw_told(clips[:1], 80, 4, rng)
    assert {"a man walks", "a man sits down"} <= set(walking.captions)
    assert "a man walks, a man sits down" in walking.captions, "neighbours are joined at random"
    fights = draw_told([clips[1]], 20, 4, rng, joined=0.0)
    assert set(fights.captions) == {"two men push"} and set(fights.keys) == {"fight"}
    others = draw_told([clips[3]], 20, 4, rng, joined=0.0)
    assert set(others.captions) <= set(TEMPLATES["fight"]) and set(others.keys) == {"fight"}


def test_seconds_are_left_out_at_an_even_step_counted_from_now(clips: list[Narrated]) -> None:
    told = draw_told(clips, 200, 12, np.random.default_rng(0), subsample=3)
    assert (told.visual[told.mask == 0] == 0).all() and (told.mask[:, -1] == 1).all()
    steps = set()
    for mask, age in zip(told.mask, told.age, strict=True):
        kept = np.sort(age[mask > 0])
        gaps = set(np.diff(kept).tolist())
        assert len(gaps) <= 1, "one step a window"
        steps |= gaps
    assert steps == {1.0, 2.0, 3.0}


def test_without_subsampling_windows_are_what_they_were(clips: list[Narrated]) -> None:
    one = draw_told(clips, 10, 8, np.random.default_rng(5))
    two = draw_told(clips, 10, 8, np.random.default_rng(5), 0.3, 1)
    assert np.array_equal(one.visual, two.visual) and np.array_equal(one.mask, two.mask)
    for mask in one.mask:
        assert (np.diff(np.flatnonzero(mask)) == 1).all(), "no holes"


def test_the_same_seed_draws_the_same(clips: list[Narrated]) -> None:
    one, two = (draw_told(clips, 10, 8, np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(one.visual, two.visual) and one.captions == two.captions


def test_codebooks_words_go_along(clips: list[Narrated]) -> None:
    told = draw_told(clips, 10, 8, np.random.default_rng(5))
    assert told.words.max() < 64 and told.words[:, :, 0].max() < 8
    assert isinstance(Codebook.__slots__, tuple)
