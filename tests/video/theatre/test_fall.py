"""Every way to fall."""

import numpy as np
import pytest

from streamwatch.video.theatre.fall import FALLS, fall, get_up
from streamwatch.video.theatre.motion import Script
from streamwatch.video.theatre.skeleton import BODY, joints


def fallen(kind: str, seed: int) -> tuple[Script, float]:
    script = Script(np.random.default_rng(seed), 0, 0, 0.5).stand(1.0)
    start = fall(script, kind, 0.8, 6.0)
    return script, start


def head_height(script: Script, t: float) -> float:
    vector = script.actor().pose(t)
    assert vector is not None
    return float(joints(vector).points[BODY.index("head"), 2])


@pytest.mark.parametrize("kind", FALLS)
@pytest.mark.parametrize("seed", range(4))
class TestEachFall:
    def test_brings_the_head_down_and_keeps_it_there(self, kind: str, seed: int) -> None:
        script, start = fallen(kind, seed)
        assert start == 1.0
        assert head_height(script, start) > 1.4
        for t in np.arange(start + 0.85, script.now - 0.01, 0.2):
            assert head_height(script, t) < 0.8

    def test_is_faster_at_its_end_than_at_its_beginning(self, kind: str, seed: int) -> None:
        script, start = fallen(kind, seed)
        heights = [head_height(script, start + t) for t in (0.0, 0.25, 0.8)]
        assert heights[0] - heights[1] < heights[1] - heights[2]

    def test_can_be_got_up_from(self, kind: str, seed: int) -> None:
        script, _ = fallen(kind, seed)
        get_up(script)
        assert head_height(script, script.now - 0.01) > 1.4


def test_the_shares_of_each_fall_add_up() -> None:
    for phases in FALLS.values():
        assert sum(share for share, _, _ in phases) == pytest.approx(1.0)
