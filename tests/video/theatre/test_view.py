"""The pinhole camera and textured planes."""

import math

import numpy as np
import pytest

from streamwatch.video.theatre.view import Plane, View, paint_plane

VIEW = View((320, 180), height=2.5, distance=5.0, hfov=math.radians(70))


def test_a_person_at_the_origin_stands_in_the_middle() -> None:
    (foot, head) = VIEW.project(np.array([[0, 0, 0.0], [0, 0, 1.75]]))
    assert foot[0] == pytest.approx(160)
    assert head[0] == pytest.approx(160)
    assert 0 < head[1] < 90 < foot[1] < 180


def test_what_is_to_the_right_or_farther_looks_so() -> None:
    near, right, far = VIEW.project(np.array([[0, 0, 0.0], [1, 0, 0], [0, 3, 0]]))
    assert right[0] > near[0]
    assert far[1] < near[1]
    assert far[2] > near[2]


def test_a_larger_picture_shows_the_same() -> None:
    points = np.array([[0.5, 1.0, 0.3], [-2.0, 2.0, 1.0]])
    assert np.allclose(VIEW.scaled(2).project(points)[:, :2], VIEW.project(points)[:, :2] * 2)


def test_the_edge_of_the_picture_is_half_a_width_away() -> None:
    x = VIEW.project(np.array([[VIEW.half_width(), 0.0, 0.9]]))[0, 0]
    assert x == pytest.approx(320, abs=1)


def square(at: float, size: float = 1.0, colour: int = 200) -> Plane:
    return Plane(
        np.array([-size / 2, at, size]),
        np.array([size, 0, 0]),
        np.array([0, 0, -size]),
        np.full((8, 8, 3), colour, np.uint8),
    )


def test_a_plane_is_painted_where_its_corners_are_seen() -> None:
    picture, mask = np.zeros((180, 320, 3), np.uint8), np.zeros((180, 320), np.uint8)
    plane = square(0.0)
    paint_plane(picture, VIEW, plane, mask)
    rows, columns = np.nonzero(mask)
    corners = VIEW.project(plane.corners())
    assert rows.min() == pytest.approx(corners[:, 1].min(), abs=2)
    assert columns.max() == pytest.approx(corners[:, 0].max(), abs=2)
    assert (picture[mask > 0] == 200).all()
    assert not picture[mask == 0].any()


@pytest.mark.parametrize("at", [-5.5, -20.0])
def test_what_is_behind_the_camera_is_not_painted(at: float) -> None:
    picture = np.zeros((180, 320, 3), np.uint8)
    paint_plane(picture, VIEW, square(at, 6.0))
    assert not picture.any()


def test_a_floor_that_reaches_behind_the_camera_ends_at_the_horizon() -> None:
    picture = np.zeros((180, 320, 3), np.uint8)
    flat = View((320, 180), 2.0, 5.0, 1.2, tilt=-math.atan2(1.1, 5.0))  # looks straight ahead
    ground = Plane(
        np.array([-50.0, -50, 0]), np.array([100.0, 0, 0]), np.array([0, 100.0, 0]), np.full((4, 4, 3), 90, np.uint8)
    )
    paint_plane(picture, flat, ground)
    assert not picture[:88].any()
    assert (picture[110:] == 90).all()
