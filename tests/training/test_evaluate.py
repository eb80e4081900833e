"""Alarms and baselines by hand-made scores; whole packs are measured in test_export.py."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamwatch.errors import TrainingError
from streamwatch.models.pack import load_pack
from streamwatch.training.data import Entry
from streamwatch.training.evaluate import ABLATIONS, Scored, _event_figures, alarms, evaluate
from streamwatch.training.manifest import read_manifest


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


def scored(label: str, score: float, source: str = "s", group: str = "g", known: bool = True) -> Scored:
    looked_for = None if known else frozenset({"fall"})
    return Scored(Entry("", source, label, group, "val", 1.0, "", annotates=looked_for), np.array([[0.1], [score]]))


def event_card() -> Any:
    return load_pack("bundled").card.events["fight"]


def test_only_clips_of_which_it_is_known_are_counted() -> None:
    given = [scored("fight", 0.95), scored("normal", 0.2), scored("normal", 0.99, known=False)]
    found = _event_figures(given, frozenset({"s"}), "fight", 0, event_card())
    assert (found["clips"], found["positives"], found["negatives"], found["auc"]) == (2, 1, 1, 1.0)
    assert found["false_alarms_2_of_3"] == 0


def test_paired_groups_hold_both_sides() -> None:
    """One place that is always quiet and one that never is say nothing of the event itself."""
    given = [
        scored("fight", 0.9, group="only fights"), scored("normal", 0.1, group="only quiet"),
        scored("fight", 0.3, group="both"), scored("normal", 0.6, group="both"),
    ]  # fmt: skip
    found = _event_figures(given, frozenset({"s"}), "fight", 0, event_card())
    assert found["auc"] == 0.75
    assert found["paired_groups"] == {"groups": 1, "clips": 2, "auc": 0.0}


def test_what_the_threshold_finds_is_reported() -> None:
    on = event_card().on
    given = [scored("fight", on + 0.1), scored("fight", 0.1), scored("normal", on), scored("normal", 0.0)]
    at = _event_figures(given, frozenset({"s"}), "fight", 0, event_card())["at_threshold"]
    assert (at["precision"], at["recall"], at["f1"]) == (0.5, 0.5, 0.5)


def test_a_split_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("path,label,group,split\na.mp4,normal,g,train\n")
    with pytest.raises(TrainingError, match="there are train"):
        evaluate(read_manifest(tmp_path / "m.csv"), split="test")


def test_ablations_keep_the_shape_and_take_the_motion_or_its_order() -> None:
    clip = np.arange(8, dtype=np.uint8)[:, None, None, None] * np.ones((8, 4, 4, 3), np.uint8)
    single, shuffled = ABLATIONS["single_frame"](clip), ABLATIONS["shuffled"](clip)
    assert single.shape == shuffled.shape == clip.shape
    assert (single == single[0]).all()
    assert sorted(shuffled[:, 0, 0, 0].tolist()) == list(range(8)) != shuffled[:, 0, 0, 0].tolist()
