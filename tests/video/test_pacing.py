"""Pacing: what has no pace of its own plays in real time."""

import time

import numpy as np
import pytest

from streamwatch.video.pacing import paced
from streamwatch.video.picture import ArrayPicture

IMAGE = np.zeros((2, 2, 3), np.uint8)


def play(times: list[float | None], late: float = 0.0) -> list[float]:
    """What ``paced`` waits for; nothing really waits, so pictures are asked for ``late`` seconds apart."""
    waits: list[float] = []
    for _ in paced([ArrayPicture(pts, IMAGE) for pts in times], waits.append):
        time.sleep(late)
    return waits


def test_pictures_come_when_their_pts_is_due() -> None:
    began = time.monotonic()
    seen = [p.pts for p in paced([ArrayPicture(k * 0.05, IMAGE) for k in range(5)], time.sleep)]
    assert seen == pytest.approx([0.0, 0.05, 0.1, 0.15, 0.2])
    assert 0.19 <= time.monotonic() - began < 2


def test_the_first_picture_comes_at_once_whatever_its_pts() -> None:
    assert play([1000.0]) == []


@pytest.mark.parametrize("jump", [50.0, -50.0])
def test_a_jump_in_pts_is_not_waited_for(jump: float) -> None:
    assert max(play([0.0, jump, jump + 0.1])) <= 0.1


def test_a_reader_that_is_slow_is_not_held_back_further() -> None:
    assert play([k * 0.001 for k in range(10)], late=0.005) == []


def test_pictures_without_pts_are_not_held_back() -> None:
    assert play([None, None, None]) == []
