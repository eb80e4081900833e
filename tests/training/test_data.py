"""Sampling by time, disturbances, and the table of clips."""

from pathlib import Path

import numpy as np
import pytest

from streamwatch.errors import TrainingError
from streamwatch.training.data import (
    CLEAN,
    Entry,
    Variant,
    clips_of,
    draw_variant,
    read_pictures,
    sample_indices,
)
from streamwatch.training.recipe import Augment
from tests.training.films import write_film


def test_a_sample_is_the_newest_picture_at_or_before_its_time() -> None:
    times = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    assert sample_indices(times).tolist() == [[0, 1, 2, 3, 5, 6, 7, 8]]


def test_a_picture_exactly_on_time_counts() -> None:
    times = (np.arange(16) / 8).tolist()
    assert sample_indices(times).tolist() == [list(range(8)), list(range(8, 16))]


@pytest.mark.parametrize(("fps", "seconds", "clips"), [(6, 3.0, 3), (25, 2.0, 2), (60, 1.5, 1), (15, 0.5, 0)])
def test_the_number_of_clips_does_not_depend_on_the_frame_rate(fps: int, seconds: float, clips: int) -> None:
    times = np.arange(round(seconds * fps)) / fps
    assert len(sample_indices(times.tolist())) == clips


def test_no_pictures_no_clips() -> None:
    assert sample_indices([]).shape == (0, 8)


def test_speed_and_offset_move_the_samples() -> None:
    times = (np.arange(64) / 8).tolist()
    assert sample_indices(times, offset=1.0, speed=2.0)[0].tolist() == [8, 10, 12, 14, 16, 18, 20, 22]


def test_clips_are_whole_pictures_squashed_to_squares(tmp_path: Path) -> None:
    pictures = read_pictures(write_film(tmp_path / "a.mp4", seconds=2.0))
    clips = list(clips_of(pictures, 32))
    assert [(start, end) for start, end, _ in clips] == [(0.0, 1.0), (1.0, 2.0)]
    frames = clips[0][2]
    assert frames.shape == (8, 32, 32, 3)
    assert frames.dtype == np.uint8
    columns = frames[:, 10:20, :, 0].mean(1).argmax(1)  # the square, moving right
    assert columns[-1] > columns[0]


def test_two_frame_rates_of_one_scene_give_the_same_clip(tmp_path: Path) -> None:
    slow = next(clips_of(read_pictures(write_film(tmp_path / "a.mp4", fps=16)), 32))[2]
    fast = next(clips_of(read_pictures(write_film(tmp_path / "b.mp4", fps=48)), 32))[2]
    assert np.abs(slow.astype(int) - fast.astype(int)).mean() < 3


def test_a_mirrored_clip_is_mirrored(tmp_path: Path) -> None:
    pictures = read_pictures(write_film(tmp_path / "a.mp4"))
    plain, mirrored = (next(clips_of(pictures, 32, v))[2] for v in (CLEAN, Variant(flip=True)))
    assert np.array_equal(plain[:, :, ::-1], mirrored)


def test_every_disturbance_changes_the_pictures_but_not_their_shape(tmp_path: Path) -> None:
    pictures = read_pictures(write_film(tmp_path / "a.mp4"))
    plain = next(clips_of(pictures, 32))[2]
    for variant in (Variant(crop=(0.1, 0.1, 0.8, 0.8)), Variant(angle=5), Variant(gain=1.2), Variant(quality=30)):
        other = next(clips_of(pictures, 32, variant))[2]
        assert other.shape == plain.shape
        assert not np.array_equal(other, plain)


def test_variants_are_drawn_reproducibly_and_stay_mild() -> None:
    assert draw_variant(np.random.default_rng(4)) == draw_variant(np.random.default_rng(4))
    for seed in range(50):
        v = draw_variant(np.random.default_rng(seed))
        left, top, width, height = v.crop
        assert 0 <= left <= 1 - width and 0 <= top <= 1 - height
        assert 0.75 <= v.speed <= 1.5


def test_a_recipe_says_how_far_disturbances_go() -> None:
    none = Augment(offset=0, speed=(1, 1), flip=0, crop=1, rotation=0, gain=(1, 1), bias=0, recompress=0)
    assert draw_variant(np.random.default_rng(0), none) == CLEAN
    always = [draw_variant(np.random.default_rng(i), Augment(flip=1, recompress=1, quality=(40, 40))) for i in range(9)]
    assert all(v.flip and v.quality == 40 for v in always)


def test_what_is_no_video_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no video at all")
    for name in ("a.mp4", "missing.mp4"):
        with pytest.raises(TrainingError, match=name):
            read_pictures(tmp_path / name)


def test_an_entry_says_what_it_shows_and_what_it_was_looked_at_for() -> None:
    entry = Entry("a", "s", "fight", "g", "train", 1.0, "", also=("fall",), annotates=frozenset({"fight", "fall"}))
    assert entry.shows("fight") and entry.shows("fall") and not entry.shows("shoplifting")
    assert entry.says("fall") and not entry.says("shoplifting")
    assert Entry("a", "s", "normal", "g", "train", 1.0, "").says("shoplifting")
