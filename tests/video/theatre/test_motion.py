"""Beats, gait and the script."""

import math

import numpy as np
import pytest

from streamwatch.video.theatre.motion import Actor, Beat, Key, Script, gait
from streamwatch.video.theatre.skeleton import AT, BODY, joints, pose


def script(seed: int = 0) -> Script:
    return Script(np.random.default_rng(seed), 0.0, 0.0, 0.0)


def test_an_actor_is_there_from_the_first_beat_to_the_last_only() -> None:
    actor = Actor((Beat(1.0, 2.0, lambda t: pose()), Beat(2.0, 3.0, lambda t: pose({"x": 1}))))
    assert actor.span == (1.0, 3.0)
    assert [actor.pose(t) is None for t in (0.99, 1.0, 2.99, 3.0)] == [True, False, False, True]


def test_a_part_can_be_moved_in_time() -> None:
    actor = script().walk(3, 0).actor()
    before, after = actor.pose(1.0), actor.shifted(5.0).pose(6.0)
    assert before is not None
    assert after is not None
    assert np.allclose(before, after)


def test_walking_arrives_where_and_when_it_should() -> None:
    writer = script().walk(3.0, 4.0, 1.25)
    assert (writer.x, writer.y, writer.now) == pytest.approx((3.0, 4.0, 4.0))
    end = writer.at_end()
    assert end[:3] == pytest.approx([3.0, 4.0, math.atan2(4, 3)], abs=1e-6)


@pytest.mark.parametrize("speed", [0.8, 1.25, 1.6])
def test_the_standing_foot_hardly_slides(speed: float) -> None:
    """Of both feet the slower one moves much less than the body does."""
    slides = []
    for travelled in np.arange(0, 3, 0.05):
        a, b = (joints(gait((d, 0, 0), d, speed)).points for d in (travelled, travelled + 0.05))
        feet = [abs(b[BODY.index(f)] - a[BODY.index(f)])[0] for f in ("l_ankle", "r_ankle")]
        slides.append(min(feet))
    assert np.mean(slides) < 0.45 * 0.05


def test_who_runs_swings_more_than_who_walks() -> None:
    def reach(speed: float) -> float:
        feet = [joints(gait((0, 0, 0), d, speed)).points[BODY.index("l_ankle"), 0] for d in np.arange(0, 4, 0.05)]
        return float(max(feet) - min(feet))

    assert reach(3.2) > reach(1.2) > reach(0.6)


def test_nothing_jumps_between_beats() -> None:
    writer = script(3).walk(2, 1).turn(-2.0).stand(2).gesture(2)
    writer.play(Key(0.5, pose({"bend": 1.0})), Key(0.5, pose())).stand(1)
    actor = writer.actor()
    for t in np.arange(0.04, writer.now - 0.05, 0.02):
        before, after = actor.pose(t - 0.02), actor.pose(t)
        assert before is not None
        assert after is not None
        step = np.abs(after - before)
        step[AT["heading"]] = min(step[AT["heading"]], math.tau - step[AT["heading"]])
        assert step.max() < 0.45, f"at {t:.2f} s {step.argmax()}"


def test_key_poses_are_reached_in_turn() -> None:
    writer = script().stand(1).play(Key(0.5, pose({"bend": 1.0})), Key(1.0, pose({"bend": 0.2})), amount=0)
    bends = [vector[AT["bend"]] for t in (1.5, 2.49) if (vector := writer.actor().pose(t)) is not None]
    assert bends == pytest.approx([1.0, 0.2], abs=0.02)


def test_after_settling_the_next_steps_start_where_the_body_is() -> None:
    writer = script().stand(0.5).play(Key(1.0, pose({"forward": 0.5}))).settle()
    assert (writer.x, writer.y) == pytest.approx((0.5, 0.0), abs=0.05)


def test_a_part_can_be_resumed() -> None:
    first = script().walk(2, 0).actor()
    longer = Script.resumed(np.random.default_rng(1), first).walk(2, 2).actor()
    assert longer.span[0] == first.span[0]
    end = longer.pose(longer.span[1] - 1e-6)
    assert end is not None
    assert end[:2] == pytest.approx([2, 2], abs=0.01)
