"""People as pictures."""

import math

import numpy as np
import pytest

from streamwatch.video.theatre.figure import cast_shadow, dress, extent, paint_figure
from streamwatch.video.theatre.motion import gait
from streamwatch.video.theatre.skeleton import joints, pose
from streamwatch.video.theatre.view import View

VIEW = View((320, 180), height=2.2, distance=5.0, hfov=math.radians(70))
CLOTHES = dress(np.random.default_rng(1))


def drawn(vector: np.ndarray, view: View = VIEW) -> np.ndarray:
    layer = np.zeros((view.size[1], view.size[0], 4), np.uint8)
    paint_figure(layer, view, joints(vector, CLOTHES.height), CLOTHES, (0, 0))
    return layer


def test_a_standing_person_is_a_tall_patch_around_the_middle() -> None:
    rows, columns = np.nonzero(drawn(pose())[..., 3])
    tall, wide = np.ptp(rows), np.ptp(columns)
    assert 2.2 < tall / wide < 4.5
    assert columns.mean() == pytest.approx(160, abs=5)


def test_a_lying_person_is_wider_than_tall() -> None:
    rows, columns = np.nonzero(drawn(pose({"pitch": 1.5}))[..., 3])
    assert np.ptp(columns) > np.ptp(rows)


def test_colours_are_premultiplied_and_cover_what_they_draw() -> None:
    layer = drawn(pose()).astype(int)
    assert (layer[..., :3].max(axis=2) <= layer[..., 3] + 1).all()
    assert (layer[..., 3] == 255).sum() > 0.7 * (layer[..., 3] > 0).sum()


def test_the_extent_holds_the_drawing() -> None:
    vector = gait((0.7, 0.3, 1.0), 0.4, 1.3)
    x0, y0, x1, y1 = extent(VIEW, joints(vector, CLOTHES.height))
    rows, columns = np.nonzero(drawn(vector)[..., 3])
    assert x0 <= columns.min()
    assert columns.max() < x1
    assert y0 <= rows.min()
    assert rows.max() < y1


def test_who_is_out_of_the_picture_has_no_extent() -> None:
    x0, y0, x1, y1 = extent(VIEW, joints(pose({"x": 30.0})))
    assert x1 <= x0 or y1 <= y0


def test_the_nearer_arm_hides_the_body() -> None:
    """Seen from its left side, the left sleeve is drawn over the shirt."""
    clothes = dress(np.random.default_rng(2))
    clothes.colours.update({"sleeve": (250, 0, 0), "cuff": (250, 0, 0), "shirt": (0, 250, 0)})
    layer = np.zeros((180, 320, 4), np.uint8)
    body = joints(pose({"heading": math.pi}))
    paint_figure(layer, VIEW, body, clothes, (0, 0))
    x, y = VIEW.project(body.points[[6]])[0, :2].astype(int)  # the left shoulder
    assert layer[y + 6, x, 0] > layer[y + 6, x, 1]


def test_a_burden_is_seen_between_the_hands() -> None:
    arms = {"l_arm": 0.55, "r_arm": 0.55, "l_elbow": 1.15, "r_elbow": 1.15, "heading": -math.pi / 2}
    empty, full = drawn(pose(arms)), drawn(pose({**arms, "burden": 0.2}))
    assert (empty != full).any(axis=2).sum() > 100


def test_a_shadow_lies_at_the_feet() -> None:
    body = joints(pose())
    (x0, y0, x1, y1), dark = cast_shadow(VIEW, body, np.array([0.5, 0.5, 3.0]), 2)
    assert dark.shape == ((y1 - y0) // 2, (x1 - x0) // 2)
    rows, columns = np.nonzero(dark > 40)
    foot = VIEW.project(np.array([[0, 0, 0.0]]))[0]
    assert abs(y0 + 2 * rows.mean() - foot[1]) < 12
    assert abs(x0 + 2 * columns.mean() - foot[0]) < 25


def test_no_shadow_falls_out_of_the_picture() -> None:
    _, dark = cast_shadow(VIEW, joints(pose({"x": 40.0})), np.array([0, 0, 3.0]), 2)
    assert dark.size == 0


def test_people_differ() -> None:
    people = [dress(np.random.default_rng(seed)) for seed in range(30)]
    assert len({person.colours["shirt"] for person in people}) > 25
    assert all(1.45 <= person.height <= 1.95 for person in people)
    assert any(person.coat for person in people)
    assert all(0 <= c <= 255 for person in people for colour in person.colours.values() for c in colour)
