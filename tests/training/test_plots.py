"""Pictures: drawn, not empty, and of what can be measured only."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from streamwatch.training.metrics import reliability, report_at
from streamwatch.training.plots import draw_plots

pytest.importorskip("matplotlib", reason="matplotlib is not installed (extra plot)")


def test_four_pictures_are_drawn(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    truth = rng.random(60) < 0.4
    scores = np.clip(0.5 * truth + rng.random(60) * 0.6, 0, 1)
    nothing = np.zeros(60, bool)
    curves = {"fight": (truth, scores), "fall": (nothing, scores)}
    report: dict[str, Any] = {"events": {}}
    for event, (side, values) in curves.items():
        report["events"][event] = {
            "reliability": reliability(side, values), "at_threshold": report_at(side, values, 0.7),
        }  # fmt: skip
    files = draw_plots(report, curves, tmp_path / "plots")
    assert [path.name for path in files] == ["roc.png", "precision_recall.png", "reliability.png", "confusion.png"]
    for path in files:
        picture = cv2.imread(str(path))
        assert picture is not None and picture.std() > 5, path.name


def test_nothing_to_measure_is_no_error(tmp_path: Path) -> None:
    truth, scores = np.zeros(3, bool), np.zeros(3)
    known = {"reliability": reliability(truth, scores), "at_threshold": report_at(truth, scores, 0.5)}
    assert len(draw_plots({"events": {"fall": known}}, {"fall": (truth, scores)}, tmp_path)) == 4
