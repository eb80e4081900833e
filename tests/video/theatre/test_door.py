"""The door in the far wall."""

import math

import numpy as np
import pytest

from streamwatch.video.theatre.door import SWING_S, hang_door, openness, paint_door
from streamwatch.video.theatre.view import View

VIEW = View((160, 90), height=2.4, distance=4.5, hfov=math.radians(75))


@pytest.mark.parametrize(
    ("t", "share"), [(0.0, 0.0), (2.0, 0.0), (2.0 + SWING_S / 2, 0.5), (4.0, 1.0), (6.0, 1.0), (9.0, 0.0), (20.5, 1.0)]
)
def test_a_door_swings_open_and_shut(t: float, share: float) -> None:
    assert openness(((2.0, 6.0), (19.0, 22.0)), t) == pytest.approx(share)


def test_a_door_without_times_stays_shut() -> None:
    assert openness((), 5.0) == 0.0


def test_a_door_hangs_in_sight_and_changes_when_it_opens() -> None:
    door = hang_door(np.random.default_rng(1), VIEW, np.array([-5.0, 3.0, 0.0]), np.array([1.0, 0, 0]), 10.0)
    shut, ajar, wide = np.zeros((3, 90, 160, 3), np.uint8)
    for picture, share in ((shut, 0.0), (ajar, 0.3), (wide, 1.0)):
        paint_door(picture, VIEW, door, share)
    assert (shut > 0).any(axis=2).sum() > 100
    assert (ajar != shut).any(axis=2).sum() > 50
    assert (wide != ajar).any(axis=2).sum() > 50
