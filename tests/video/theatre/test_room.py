"""Places."""

import math

import numpy as np
import pytest

from streamwatch.video.theatre.furniture import Piece
from streamwatch.video.theatre.room import PLACES, build_room
from streamwatch.video.theatre.view import View

VIEW = View((160, 90), height=2.4, distance=4.5, hfov=math.radians(75))
TROD = np.array([[-2.0, 0.0], [0.0, 0.0], [2.0, 0.3]])


@pytest.mark.parametrize("place", PLACES)
def test_a_place_fills_the_picture(place: str) -> None:
    room = build_room(np.random.default_rng(2), VIEW, place, TROD, ())
    assert room.picture.shape == (90, 160, 3)
    assert room.picture.dtype == np.uint8
    assert room.picture.std() > 8
    assert (room.picture.max(axis=2) > 0).mean() > 0.98


def test_wanted_pieces_are_there_with_masks_of_the_pictures_size() -> None:
    sofa = Piece("sofa", 0.4, 1.0, 0.2)
    room = build_room(np.random.default_rng(3), VIEW, "home", TROD, (sofa,))
    masks = dict(room.pieces)
    assert sofa in masks
    assert masks[sofa].shape == (90, 160)
    assert 50 < (masks[sofa] > 127).sum() < 90 * 160 / 2


def test_the_farthest_piece_comes_first() -> None:
    room = build_room(np.random.default_rng(5), VIEW, "shop", TROD, (Piece("box", 1.0, 2.5), Piece("box", -1.0, -1.0)))
    distances = [math.hypot(p.x - VIEW.position[0], p.y - VIEW.position[1]) for p, _ in room.pieces]
    assert distances == sorted(distances, reverse=True)


def test_the_lamp_hangs_above_the_people() -> None:
    for seed in range(5):
        assert build_room(np.random.default_rng(seed), VIEW, "office", TROD, ()).lamp[2] > 2.2


def test_the_same_chance_builds_the_same_room() -> None:
    one, other = (build_room(np.random.default_rng(9), VIEW, "ward", TROD, ()) for _ in range(2))
    assert np.array_equal(one.picture, other.picture)
