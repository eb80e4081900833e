"""Alarms and baselines by hand-made scores; whole packs are measured in test_export.py."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamwatch.errors import TrainingError
from streamwatch.models.pack import load_pack
from streamwatch.training.data import Entry
from streamwatch.training.evaluate import ABLATIONS, Scored, _event_figures, alarms, evaluate, table
from streamwatch.training.manifest import read_manifest
from tests.training.films import write_film


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
    with pytest.raises(TrainingError, match=r"there are train \(1\)"):
        evaluate(read_manifest(tmp_path / "m.csv"), split="test")


def test_clips_that_cannot_be_scored_are_named_and_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, seconds in (("a", 1.2), ("b", 0.4), ("c", 1.2)):
        write_film(tmp_path / f"{name}.mp4", seconds=seconds)
    (tmp_path / "c.mp4").write_bytes(b"no film")
    rows = [f"{name}.mp4,normal,{name},val" for name in "abc"]
    (tmp_path / "m.csv").write_text("\n".join(["path,label,group,split", *rows]))
    report = evaluate(read_manifest(tmp_path / "m.csv"), baselines=False, ablations=False).report
    assert (report["clips"], report["skipped"]) == (1, 2)
    assert "2 clips of 3 skipped: 1 shorter than a second, 1 unreadable" in capsys.readouterr().err
    assert "1 clips, 2 skipped" in table(report).splitlines()[0]
    (tmp_path / "a.mp4").unlink()
    with pytest.raises(TrainingError, match="not one of 3 clips in split 'val' can be scored"):
        evaluate(read_manifest(tmp_path / "m.csv"), baselines=False, ablations=False)


def test_ablations_keep_the_shape_and_take_the_motion_or_its_order() -> None:
    clip = np.arange(8, dtype=np.uint8)[:, None, None, None] * np.ones((8, 4, 4, 3), np.uint8)
    single, shuffled = ABLATIONS["single_frame"](clip), ABLATIONS["shuffled"](clip)
    assert single.shape == shuffled.shape == clip.shape
    assert (single == single[0]).all()
    assert sorted(shuffled[:, 0, 0, 0].tolist()) == list(range(8)) != shuffled[:, 0, 0, 0].tolist()
