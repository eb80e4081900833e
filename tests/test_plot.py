"""The picture of a recording: bounded while it is collected, and a file that can be read."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from streamwatch.models.detection import Detection, ModelInfo
from streamwatch.models.pack import EventCard
from streamwatch.offline import Step
from streamwatch.plot import MAX_THUMBNAILS, Timeline
from streamwatch.rules.alert import Alert, AlertType
from streamwatch.video.frame import Clip

INFO = ModelInfo("tiny", "1", "0" * 64)
CARD = {"fight": EventCard(scale=1, bias=0, on=0.7, off=0.5)}


def step(at: int, score: float, *alerts: Alert) -> Step:
    frames = np.full((2, 16, 16, 3), at % 256, np.uint8)
    detection = Detection("dock", 0, at + 1, None, {"fight": score}, 0.0, 1.0, INFO)
    return Step(Clip("dock", at, at + 1, frames, 0, at), (detection,), alerts)


def end(start: float, at: float) -> Alert:
    return Alert(
        id="01", seq=1, type=AlertType.END, camera="dock", rule="fight", event="fight", zone=None, severity="critical",
        score=0.2, peak_score=0.9, threshold=0.7, start_time=start, time=at, end_time=at, summary="", labels={},
        annotations={}, model=INFO, rule_hash="0",
    )  # fmt: skip


def test_collects_scores_and_spans() -> None:
    timeline = Timeline()
    timeline.add(step(0, 0.1))
    timeline.add(step(1, 0.9, end(1, 2)))
    assert (timeline.times, timeline.scores) == ([1, 2], {"fight": [0.1, 0.9]})
    assert timeline.spans == [("fight", 1, 2)]


@pytest.mark.parametrize("seconds", [1, 5, 7, 40])
def test_draws_recordings_of_any_length(tmp_path: Path, seconds: int) -> None:
    timeline = Timeline()
    for at in range(seconds):
        timeline.add(step(at, at / seconds, *([end(at, at + 1)] if at == 3 else [])))
    timeline.draw(tmp_path / "out.png", "dock", CARD)
    picture = cv2.imread(str(tmp_path / "out.png"))
    assert picture is not None
    assert picture.shape[1] == 1400
    assert picture.std() > 5


def test_an_incident_is_shaded(tmp_path: Path) -> None:
    pictures = []
    for spans in ([], [end(2, 8)]):
        timeline = Timeline()
        for at in range(10):
            timeline.add(step(at, 0.5, *(spans if at == 9 else [])))
        timeline.draw(tmp_path / "out.png", "dock", CARD)
        pictures.append(cv2.imread(str(tmp_path / "out.png")))
    plain, shaded = pictures
    assert plain is not None
    assert shaded is not None
    assert (np.abs(plain.astype(int) - shaded).sum(axis=2) > 30).mean() > 0.02


def test_pictures_are_bounded_and_spread_over_all_of_it() -> None:
    timeline = Timeline()
    for at in range(5 * MAX_THUMBNAILS):
        timeline.add(step(at, 0.0))
    kept = [at for at, _ in timeline._pictures]
    assert len(kept) <= MAX_THUMBNAILS
    assert kept[0] < 20
    assert kept[-1] > 4.9 * MAX_THUMBNAILS
    assert len(timeline.times) == 5 * MAX_THUMBNAILS
