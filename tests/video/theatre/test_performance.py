"""Whole performances."""

import numpy as np
import pytest

from streamwatch.video.theatre.performance import perform

SIZE = (160, 90)


def test_people_are_drawn_over_the_room() -> None:
    show = perform("stand", 3, SIZE, 10.0)
    nobody = perform("stand", 3, SIZE, 10.0)
    with_people = show.picture(5.0).astype(int)
    empty = nobody.film.develop(nobody.room.picture.copy(), 5.0, *nobody._light(5.0)).astype(int)
    changed = np.abs(with_people - empty).max(axis=2) > 25
    assert 40 < changed.sum() < 90 * 160 / 2


def test_the_picture_of_the_room_is_not_drawn_upon() -> None:
    show = perform("fight", 1, SIZE, 10.0)
    before = show.room.picture.copy()
    show.picture(5.0)
    assert np.array_equal(show.room.picture, before)


@pytest.mark.parametrize("seed", range(6))
def test_the_middle_of_an_event_is_seen_within_its_box(seed: int) -> None:
    show = perform("fall", seed, SIZE, 10.0)
    (happening,) = show.play.happenings
    x0, y0, x1, y1 = show.box(happening)
    vector = show.play.actors[0].pose((happening.start + happening.end) / 2)
    assert vector is not None
    from streamwatch.video.theatre.skeleton import joints

    x, y = (show.view.project(joints(vector).points)[:, :2].mean(axis=0) / SIZE).tolist()
    assert x0 - 0.02 <= x <= x1 + 0.02
    assert y0 - 0.02 <= y <= y1 + 0.02


def test_people_have_a_plausible_size_and_place() -> None:
    """Somebody at the origin takes a sixth to nine tenths of the picture's height, near its middle."""
    for seed in range(25):
        view = perform("empty", seed, (64, 48), 5.0).view
        foot, head = view.project(np.array([[0, 0, 0.0], [0, 0, 1.7]]))
        assert 0.12 < (foot[1] - head[1]) / 48 < 0.95
        assert 0.25 < foot[0] / 64 < 0.75


def test_the_lights_go_out() -> None:
    show = perform("lights", 2, SIZE, 20.0)
    off = next(when for when, what in show.play.lights if what == "off")
    assert show.picture(off + 0.1).mean() < 0.5 * show.picture(off - 0.1).mean()


def test_a_moving_door_is_seen() -> None:
    show = perform("door", 1, (320, 180), 20.0)
    opens = show.play.door[0][0]
    before, after = (show.picture(t).astype(int)[20:160] for t in (opens - 0.02, opens + 1.0))
    assert (np.abs(before - after).max(axis=2) > 30).sum() > 60
