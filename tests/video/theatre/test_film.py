"""The camera's own faults."""

from dataclasses import replace

import numpy as np
import pytest

from streamwatch.video.theatre.film import Film, load_film

SIZE = (160, 90)
GREY = np.full((90, 160, 3), 120, np.uint8)
FILM = Film(
    SIZE,
    seed=5,
    noise=3.0,
    softness=0.8,
    vignette=0.3,
    tint=(1.0, 1.0, 1.0),
    flicker=0.0,
    clock="%H:%M:%S",
    clock_at=(0.02, 0.06),
    label="CAM 01",
    began=1_700_000_000.0,
)
MIDDLE = (slice(35, 60), slice(50, 110))


def developed(t: float, film: Film = FILM, level: float = 1.0, infrared: bool = False) -> np.ndarray:
    return film.develop(GREY.copy(), t, level, infrared).astype(float)


def test_noise_has_about_the_asked_strength_and_changes_with_time() -> None:
    difference = developed(1.0)[MIDDLE] - developed(1.04)[MIDDLE]
    assert 1.5 < difference.std() / 2**0.5 < 6


def test_the_same_time_gives_the_same_grain() -> None:
    assert np.array_equal(developed(2.5), developed(2.5))


def test_corners_are_darker_than_the_middle() -> None:
    picture = developed(0.0)
    assert picture[40:50, 70:90].mean() - picture[20:30, :8].mean() > 5


@pytest.mark.parametrize(("level", "expected"), [(1.0, 120), (0.5, 60), (0.22, 26)])
def test_the_light_scales_the_picture(level: float, expected: float) -> None:
    assert developed(0.0, level=level)[MIDDLE].mean() == pytest.approx(expected, abs=6)


def test_infrared_is_grey() -> None:
    coloured = np.zeros((90, 160, 3), np.uint8)
    coloured[...] = (200, 80, 30)
    picture = FILM.develop(coloured, 1.0, 1.0, True)
    assert np.ptp(picture[MIDDLE].astype(int), axis=2).max() <= 1


def test_the_clock_is_burned_in_and_goes_on() -> None:
    bare = replace(FILM, noise=0.0)
    a, b, c = (developed(t, bare)[:12] for t in (0.0, 0.4, 1.2))
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)


def test_cameras_differ() -> None:
    films = [load_film(np.random.default_rng(seed), SIZE) for seed in range(12)]
    assert len({film.noise for film in films}) == 12
    assert len({film.clock for film in films}) > 2
