"""How much moves: people do, while noise, lamps, exposure and a clock do not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamwatch.activity import activity, level
from streamwatch.video.scale import scale_array
from streamwatch.video.synthetic import Scene

SIZE, GRID = 160, 10
CELL = SIZE // GRID


def grey(*levels: int, size: int = SIZE) -> NDArray[np.uint8]:
    """A clip of even pictures."""
    return np.stack([np.full((size, size, 3), value, np.uint8) for value in levels])


def crossing(step: int, brightness: int = 200) -> NDArray[np.uint8]:
    """A bright square that moves ``step`` pixels to the right with each of eight dark pictures."""
    frames = grey(*[40] * 8)
    for t, frame in enumerate(frames):
        frame[64:96, 16 + step * t : 48 + step * t] = brightness
    return frames


def filmed(plot: str, seed: int, at: float) -> float:
    """The level of the second of a synthetic scene that begins ``at`` seconds."""
    scene = Scene(plot, seed, duration=10)
    return level(activity(np.stack([scale_array(scene.render(at + i / 8), SIZE) for i in range(8)]), GRID))


def test_is_the_change_in_grey_levels_where_it_happens() -> None:
    frames = grey(*[100] * 8)
    frames[::2, CELL : 2 * CELL, 3 * CELL : 4 * CELL] = 130  # one cell flickers by 30
    found = activity(frames, GRID)
    assert found.shape == (GRID, GRID)
    assert found.dtype == np.float32
    assert found[1, 3] == pytest.approx(30, abs=0.5)
    found[1, 3] = 0
    assert not found.any()


def test_is_the_mean_over_the_cell() -> None:
    frames = grey(*[100] * 8)
    frames[::2, CELL : CELL + CELL // 2, CELL : CELL + CELL // 2] = 140  # a quarter of a cell
    assert activity(frames, GRID)[1, 1] == pytest.approx(10, abs=0.5)


def test_colours_count_as_grey() -> None:
    frames = grey(*[0] * 4)
    frames[::2, :CELL, :CELL] = (0, 100, 0)
    assert activity(frames, GRID)[0, 0] == pytest.approx(58.7, abs=1)


def test_the_faster_the_more() -> None:
    still, slow, fast = (level(activity(crossing(step), GRID)) for step in (0, 1, 6))
    assert still == 0
    assert 0 < 2 * slow < fast


def test_what_the_whole_picture_does_is_no_motion() -> None:
    assert not activity(grey(90, 95, 88, 91, 120, 119, 60, 64), GRID).any()


def test_what_happens_once_is_no_motion() -> None:
    """A light that falls on a part of the picture, the digit of a clock."""
    frames = grey(*[100] * 8)
    frames[5:, : SIZE // 4] = 180
    frames[3:, -8:, :8] = 255
    assert not activity(frames, GRID).any()


def test_noise_averages_out() -> None:
    noise = np.random.default_rng(3).normal(0, 6, (8, SIZE, SIZE, 3))
    noisy = np.clip(crossing(4) + noise, 0, 255).astype(np.uint8)
    nobody = np.clip(grey(*[100] * 8) + noise, 0, 255).astype(np.uint8)
    assert level(activity(nobody, GRID)) < 0.4
    assert level(activity(noisy, GRID)) == pytest.approx(level(activity(crossing(4), GRID)), rel=0.15)


@pytest.mark.parametrize("seed", [0, 5])
def test_people_who_walk_stand_out_from_an_empty_room(seed: int) -> None:
    assert filmed("empty", seed, 2) < 0.5
    assert max(filmed("walk", seed, at) for at in (2, 5)) > 2


def test_short_clips_have_what_they_show() -> None:
    assert not activity(grey(100), GRID).any()
    pair = grey(100, 100, size=32)
    pair[1, :8, :8] = 150
    assert activity(pair, 2)[0, 0] == pytest.approx(50 / 4, abs=0.5)


def test_the_level_is_that_of_the_three_most_active_cells_above_the_median() -> None:
    found = np.full((GRID, GRID), 2, np.float32)
    found[0, :4] = (10, 20, 30, 5)
    assert level(found) == pytest.approx(20 - 2)


def test_a_zone_has_its_own_cells_and_the_picture_s_noise() -> None:
    found = np.full((GRID, GRID), 2, np.float32)
    found[0, :3] = 20
    zone = np.zeros((GRID, GRID), np.float32)
    zone[0, 2:4] = (0.1, 1)
    assert level(found, zone) == pytest.approx(11 - 2)
    assert level(found, np.roll(zone, 5, axis=0)) == 0
    assert level(found, 0 * zone) == 0


@given(st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_is_never_negative_nor_above_the_scale(length: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    frames = rng.choice(np.array([0, 255], np.uint8), (length, 32, 32, 3))
    found = activity(frames, 2)
    assert ((found >= 0) & (found <= 255)).all()
    assert 0 <= level(found, rng.integers(0, 2, (2, 2)).astype(np.float32)) <= 255
