"""Alarms and baselines by hand-made scores; whole packs are measured in test_export.py."""

import numpy as np
import pytest

from streamwatch.training.data import Entry
from streamwatch.training.evaluate import ABLATIONS, Scored, alarms, pixel_baseline


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([0.9, 0.1, 0.1], []),
        ([0.9, 0.9, 0.1], [1]),
        ([0.9, 0.1, 0.9, 0.9], [2]),
        ([0.9, 0.9, 0.5, 0.9, 0.9], [1]),
        ([0.9, 0.9, 0.3, 0.9, 0.9], [1, 3]),
    ],
)
def test_alarms_need_two_of_three_seconds_and_end_below_off(scores: list[float], expected: list[int]) -> None:
    assert alarms(np.array(scores), on=0.8, off=0.4) == expected


def test_the_baseline_learns_from_the_training_files_alone() -> None:
    def scored(label: str, level: float) -> Scored:
        return Scored(Entry("", "", label, "", "", 1.0, ""), np.zeros((1, 1)), np.full(3, level))

    train = [scored("fight", 2.0), scored("fight", 2.1), scored("normal", 0.0), scored("normal", 0.1)]
    found = pixel_baseline(train, [scored("normal", 3.0), scored("fight", -1.0)], "fight")
    assert found[0] > found[1]


def test_ablations_keep_the_shape_and_take_the_motion_or_its_order() -> None:
    clip = np.arange(8, dtype=np.uint8)[:, None, None, None] * np.ones((8, 4, 4, 3), np.uint8)
    single, shuffled = ABLATIONS["single_frame"](clip), ABLATIONS["shuffled"](clip)
    assert single.shape == shuffled.shape == clip.shape
    assert (single == single[0]).all()
    assert sorted(shuffled[:, 0, 0, 0].tolist()) == list(range(8)) != shuffled[:, 0, 0, 0].tolist()
