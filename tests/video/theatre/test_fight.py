"""The choreography of a brawl."""

import numpy as np
import pytest

from streamwatch.video.theatre.fight import STRIKES, brawl
from streamwatch.video.theatre.skeleton import BODY, joints

HANDS = [BODY.index("l_hand"), BODY.index("r_hand")]


@pytest.mark.parametrize("seed", range(4))
class TestBrawl:
    def test_keeps_two_people_close_and_face_to_face(self, seed: int) -> None:
        one, other = brawl(np.random.default_rng(seed), 8.0).motions
        for t in np.arange(0, 8, 0.25):
            a, b = one(t), other(t)
            assert 0.4 < np.hypot(*(a[:2] - b[:2])) < 1.3
            towards = b[:2] - a[:2]
            assert towards @ (np.cos(a[2]), np.sin(a[2])) > 0.9 * np.hypot(*towards)

    def test_moves_hands_fast_now_and_then(self, seed: int) -> None:
        motion = brawl(np.random.default_rng(seed), 8.0).motions[0]
        hands = np.array([joints(motion(t)).points[HANDS] for t in np.arange(0, 8, 0.04)])
        speeds = np.linalg.norm(np.diff(hands, axis=0), axis=2) / 0.04
        assert np.quantile(speeds, 0.95) > 2.0  # metres a second
        assert speeds.max() < 30

    def test_stays_where_it_was_put(self, seed: int) -> None:
        for motion in brawl(np.random.default_rng(seed), 8.0, room=0.5).motions:
            assert all(np.hypot(*motion(t)[:2]) < 1.5 for t in np.arange(0, 8, 0.5))

    def test_begins_where_it_says(self, seed: int) -> None:
        fray = brawl(np.random.default_rng(seed), 5.0, 3)
        assert len(fray.motions) == len(fray.starts) == 3
        for motion, start in zip(fray.motions, fray.starts, strict=True):
            assert motion(0.0)[:3] == pytest.approx(start)


def test_a_strike_is_quick() -> None:
    assert all(0.2 < seconds < 0.8 for seconds, _ in STRIKES.values())
