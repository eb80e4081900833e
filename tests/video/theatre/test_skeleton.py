"""Forward kinematics."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamwatch.video.theatre.skeleton import AT, BODY, FIELDS, blend, joints, mirrored, pose

BONES = [
    ("l_shoulder", "l_elbow", 0.29),
    ("l_elbow", "l_hand", 0.30),
    ("r_shoulder", "r_elbow", 0.29),
    ("l_hip", "l_knee", 0.43),
    ("l_knee", "l_ankle", 0.42),
    ("r_knee", "r_ankle", 0.42),
]
angles = st.lists(st.floats(-1.5, 1.5), min_size=len(FIELDS), max_size=len(FIELDS)).map(np.array)


def point(vector: np.ndarray, name: str, height: float = 1.75) -> np.ndarray:
    return np.asarray(joints(vector, height).points[BODY.index(name)])


def test_an_upright_body_has_human_proportions() -> None:
    body = pose()
    assert point(body, "head")[2] + 0.11 == pytest.approx(1.72, abs=0.06)
    assert point(body, "pelvis")[2] == pytest.approx(0.94, abs=0.06)
    assert point(body, "l_hand")[2] < point(body, "pelvis")[2]
    assert point(body, "l_shoulder")[1] > 0 > point(body, "r_shoulder")[1]


def test_stature_scales_everything() -> None:
    small, tall = (point(pose(), "head", height)[2] for height in (1.5, 1.9))
    assert tall / small == pytest.approx(1.9 / 1.5, abs=0.03)


def test_place_and_heading_move_the_body() -> None:
    ahead = point(pose({"x": 2, "y": 3, "heading": math.pi / 2, "l_arm": math.pi / 2, "r_arm": math.pi / 2}), "l_hand")
    assert ahead[0] == pytest.approx(2 - 0.185, abs=0.02)
    assert ahead[1] > 3.5


def test_limbs_bend_the_human_way() -> None:
    bent = pose({"l_elbow": 1.5, "l_knee": 1.5, "l_hip": 1.5})
    assert point(bent, "l_hand")[0] > point(bent, "l_elbow")[0] + 0.2  # the forearm comes forward
    sitting = pose({"l_knee": 1.5, "r_knee": 1.5, "l_hip": 1.5, "r_hip": 1.5})
    assert point(sitting, "l_ankle")[2] < point(sitting, "l_knee")[2] - 0.35  # the shin hangs
    assert 0.4 < point(sitting, "pelvis")[2] < 0.65  # at the height of a chair


@pytest.mark.parametrize("tilt", [{"pitch": 1.5}, {"pitch": -1.5}, {"roll": 1.5}])
def test_who_lies_is_flat_on_the_floor(tilt: dict[str, float]) -> None:
    points = joints(pose(tilt)).points
    assert 0 < points[:, 2].min() < 0.15
    assert points[:, 2].max() < 0.65


@given(angles)
@settings(max_examples=60, deadline=None)
def test_bones_keep_their_length_and_nothing_sinks_into_the_floor(vector: np.ndarray) -> None:
    vector[AT["lift"]] = 0
    points = joints(vector).points
    for a, b, length in BONES:
        found = np.linalg.norm(points[BODY.index(a)] - points[BODY.index(b)])
        assert found == pytest.approx(length)
    assert points[:, 2].min() > 0


@given(angles, angles)
@settings(max_examples=60, deadline=None)
def test_blending_goes_from_one_pose_to_the_other(a: np.ndarray, b: np.ndarray) -> None:
    assert np.allclose(blend(a, b, 0.0), a)
    assert np.allclose(blend(a, b, 1.0), b)


def test_a_blended_heading_takes_the_short_way() -> None:
    between = blend(pose({"heading": 3.0}), pose({"heading": -3.0}), 0.5)
    assert abs(between[AT["heading"]]) > 3.0


@given(angles)
@settings(max_examples=30, deadline=None)
def test_a_mirror_image_twice_is_the_original(vector: np.ndarray) -> None:
    assert np.array_equal(mirrored(mirrored(vector)), vector)


def test_a_mirror_image_exchanges_the_sides() -> None:
    a, b = pose({"l_arm": 1.0, "lean": 0.2}), mirrored(pose({"l_arm": 1.0, "lean": 0.2}))
    left, right = point(a, "l_hand"), point(b, "r_hand")
    assert np.allclose(left * (1, -1, 1), right)


def test_an_unknown_joint_is_an_error() -> None:
    with pytest.raises(KeyError):
        pose({"tail": 1.0})
