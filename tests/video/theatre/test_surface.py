"""Procedural textures."""

import numpy as np
import pytest

from streamwatch.video.theatre.surface import FLOORS, PIXELS_PER_METRE, WALLS, cloud, floor, front, muted, plain, wall


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("kind", FLOORS)
def test_a_floor_has_its_size_and_some_structure(kind: str) -> None:
    texture = floor(rng(), kind, (4.0, 3.0), 0.2)
    assert texture.shape == (3 * PIXELS_PER_METRE, 4 * PIXELS_PER_METRE, 3)
    assert texture.dtype == np.uint8
    assert texture.std() > 2


@pytest.mark.parametrize("kind", WALLS)
def test_a_wall_is_bare_or_busy(kind: str) -> None:
    bare, busy = (wall(rng(3), kind, (5.0, 2.6), share) for share in (0.0, 1.0))
    assert bare.shape == busy.shape
    assert (bare != busy).any(axis=2).mean() > 0.05


@pytest.mark.parametrize("kind", ["plain", "drawers", "goods", "cushions"])
def test_a_front_is_drawn_in_any_size(kind: str) -> None:
    for metres in ((0.05, 0.05), (1.5, 0.4), (0.4, 2.0)):
        texture = front(rng(), kind, metres, np.array([120.0, 90, 60]))
        assert texture.shape[2] == 3
        assert texture.shape[0] >= 4
        assert texture.shape[1] >= 4


def test_plain_has_its_colour() -> None:
    texture = plain(rng(), (2, 2), np.array([200.0, 100, 50]))
    assert texture.reshape(-1, 3).mean(axis=0) == pytest.approx([200, 100, 50], abs=4)


def test_muted_colours_are_in_range() -> None:
    colours = [muted(rng(seed), 60, 120) for seed in range(50)]
    assert all((colour >= 8).all() and (colour <= 245).all() for colour in colours)
    assert np.mean([np.ptp(colour) for colour in colours]) < 60


def test_a_cloud_is_smooth() -> None:
    noise = cloud(rng(), 100, 120, 20)
    assert noise.shape == (100, 120)
    assert np.abs(np.diff(noise, axis=0)).mean() < 0.25 * noise.std()


def test_the_same_chance_gives_the_same_texture() -> None:
    assert np.array_equal(wall(rng(7), "bricks", (3, 2), 0.5), wall(rng(7), "bricks", (3, 2), 0.5))
