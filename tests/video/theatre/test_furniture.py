"""Furniture: where it stands and what it hides."""

import math

import numpy as np
import pytest

from streamwatch.video.theatre.furniture import FURNITURE, Piece, Site, furnish, hides, paint_piece
from streamwatch.video.theatre.view import View

VIEW = View((320, 180), height=2.2, distance=5.0, hfov=math.radians(70))
TABLE = Piece("table", 0.0, -1.5)


@pytest.mark.parametrize(
    ("place", "hidden"),
    [
        ((0.0, 0.0), True),  # behind the table, seen from the camera
        ((0.0, -2.5), False),  # before it
        ((0.0, -1.5), False),  # on it
        ((-0.3, 1.0), True),
    ],
)
def test_a_piece_hides_who_is_behind_it(place: tuple[float, float], hidden: bool) -> None:
    assert hides(TABLE, VIEW, *place) is hidden


def test_hiding_follows_a_turned_piece() -> None:
    turned = Piece("counter", 0.0, 0.0, math.pi / 2)
    assert hides(turned, VIEW, 0.0, 2.0)
    assert not hides(turned, VIEW, 0.0, -2.0)


@pytest.mark.parametrize("kind", FURNITURE)
def test_each_kind_is_painted_and_masked(kind: str) -> None:
    picture, mask = np.zeros((180, 320, 3), np.uint8), np.zeros((180, 320), np.uint8)
    paint_piece(np.random.default_rng(1), picture, mask, VIEW, Piece(kind, 0.3, 0.5, 0.3))
    assert mask.sum() > 0
    assert not picture[mask == 0].any()
    assert picture[mask > 0].mean() > 5


def test_furniture_keeps_off_the_ground_that_people_tread() -> None:
    site = Site(np.array([-4.0, -5.5]), np.array([4.0, 4.0]), 0.2)
    trod = np.stack([np.linspace(-3, 3, 30), np.zeros(30)], axis=1)
    seen = 0
    for seed in range(20):
        for piece in furnish(np.random.default_rng(seed), VIEW, tuple(FURNITURE), site, trod):
            seen += 1
            reach = math.hypot(*piece.size[:2]) / 2
            assert np.hypot(trod[:, 0] - piece.x, trod[:, 1] - piece.y).min() > reach
    assert seen > 20


def test_a_site_measures_in_its_own_axes() -> None:
    site = Site(np.array([-1.0, -2.0]), np.array([3.0, 4.0]), math.pi / 2)
    assert site.size == (4.0, 6.0)
    assert site.at(1.0, 0.0) == pytest.approx([0.0, 1.0, 0.0])
