"""Clips in, detections out: tokens once, windows per camera and zone, failures contained."""

import threading
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from streamwatch.errors import InferenceError
from streamwatch.mailbox import Mailbox
from streamwatch.metrics import Metrics
from streamwatch.models.detection import Detection, ModelInfo, Vector
from streamwatch.models.inference import MAX_BATCH, MAX_FAILURES, Inference, Zones
from streamwatch.models.pack import Card
from streamwatch.video.frame import Clip

CARD = Card.model_validate(
    {
        "schema": "streamwatch.pack/1", "name": "tiny", "version": "1", "precision": "fp32", "size": 32, "frames": 2,
        "clip_seconds": 1, "stride_seconds": 1, "window": 4, "dim": 3, "grid": 2, "text": False, "files": {},
        "events": {"fight": {"scale": 1, "bias": 0, "on": 0.7, "off": 0.5}},
    }
)  # fmt: skip


class Deterministic:
    """A model whose token is the clip's mean brightness, and whose score is the mean token of the window / 255.

    A clip whose first pixel is 13 fails.
    """

    def __init__(self) -> None:
        self.card = CARD
        self.info = ModelInfo("tiny", "1", "0" * 64)
        self.batches: list[int] = []
        self.windows = 0

    def encode(self, frames: NDArray[np.uint8]) -> tuple[Vector, Vector, Vector]:
        self.batches.append(len(frames))
        if (frames[:, 0, 0, 0, 0] == 13).any():
            raise InferenceError("thirteen")
        level = frames.mean(axis=(1, 2, 3, 4)).astype(np.float32)
        token = np.repeat(level[:, None], 3, axis=1)
        motion = np.ones((len(frames), 2, 2), np.float32)
        grid = np.repeat(np.repeat(token[:, :, None, None], 2, axis=2), 2, axis=3)
        grid[:, :, :, 1] = 0  # nothing on the right
        return token, grid, motion

    def score(self, visual: Vector, age: Vector, mask: Vector) -> NDArray[np.float64]:
        self.windows += len(visual)
        return np.asarray((visual[..., 0] * mask).sum(axis=1, keepdims=True) / mask.sum(axis=1, keepdims=True) / 255)


def clip(camera: str, index: int, level: int = 51, epoch: int = 0, damaged: bool = False) -> Clip:
    frames = np.full((2, 32, 32, 3), level, np.uint8)
    return Clip(camera, 100.0 + index, 101.0 + index, frames, epoch, index, damaged)


def inference(zones: Zones | None = None) -> tuple[Inference, Deterministic, Metrics]:
    model, metrics = Deterministic(), Metrics()
    return Inference(model, zones or {}, metrics), model, metrics


def scores(detections: Sequence[Detection]) -> list[tuple[str, str | None, float]]:
    return [(d.camera, d.zone, round(d.scores["fight"], 6)) for d in detections]


def test_scores_the_window_that_ends_with_each_clip() -> None:
    stage, _, metrics = inference()
    assert scores(stage.process([clip("a", 0, 51)])) == [("a", None, 0.2)]
    (detection,) = stage.process([clip("a", 1, 153)])
    assert detection.scores["fight"] == pytest.approx(0.4)
    assert (detection.start, detection.end, detection.filled) == (100.0, 102.0, 0.5)
    assert detection.model == ModelInfo("tiny", "1", "0" * 64)
    assert metrics.registry.get_sample_value("streamwatch_windows_total", {"camera": "a"}) == 2


def test_batches_over_cameras_and_keeps_them_apart() -> None:
    stage, model, _ = inference()
    stage.process([clip("a", 0, 51), clip("b", 0, 102)])
    assert scores(stage.process([clip("a", 1, 51), clip("b", 1, 102)])) == [("a", None, 0.2), ("b", None, 0.4)]
    assert model.batches == [2, 2]


def test_a_gap_starts_a_new_window() -> None:
    stage, _, _ = inference()
    stage.process([clip("a", 0, 0), clip("a", 1, 0)])
    assert scores(stage.process([clip("a", 0, 51, epoch=1)])) == [("a", None, 0.2)]


def test_a_zone_costs_no_second_pass_of_the_encoder() -> None:
    left = np.array([[1, 0], [1, 0]], np.float32)
    stage, model, metrics = inference({"a": [("left", left), ("right", 1 - left)]})
    assert scores(stage.process([clip("a", 0, 51)])) == [("a", None, 0.2), ("a", "left", 0.2), ("a", "right", 0.0)]
    assert model.batches == [1]
    assert metrics.registry.get_sample_value("streamwatch_windows_total", {"camera": "a"}) == 1


def test_motion_is_measured_in_the_pictures_whatever_the_encoder_weighs() -> None:
    """One cell of four moves; the picture's level is the mean of the three most active ones."""
    upper = np.array([[1, 0], [0, 0]], np.float32)
    stage, _, _ = inference({"a": [("upper", upper), ("rest", 1 - upper)]})
    still, busy = clip("a", 0), clip("a", 1)
    busy.frames[1, :16, :16] = 171  # by 120 grey levels
    assert [d.motion for d in stage.process([still])] == [0, 0, 0]
    assert [(d.zone, d.motion) for d in stage.process([busy])] == [(None, 40), ("upper", 120), ("rest", 0)]


def test_a_still_clip_is_encoded_once_and_a_window_that_repeats_is_scored_once() -> None:
    stage, model, metrics = inference()
    found = [stage.process([replace(clip("a", k, 51), still=1.0)]) for k in range(8)]
    assert model.batches == [1]
    assert model.windows == 4  # until the window of four is full of it
    assert [d.scores["fight"] for (d,) in found] == pytest.approx([0.2] * 8)
    assert [d.end for (d,) in found] == [101.0 + k for k in range(8)]
    counts = [
        metrics.registry.get_sample_value("streamwatch_tokens_total", {"camera": "a", "source": source})
        for source in ("encoded", "still")
    ]
    assert counts == [1, 7]
    (moved,) = stage.process([clip("a", 8, 255)])
    assert moved.scores["fight"] == pytest.approx(0.4)
    (again,) = stage.process([replace(clip("a", 9, 51), still=1.0)])
    assert again.scores["fight"] == pytest.approx(0.4)
    assert model.batches == [1, 1]


def test_still_and_moving_cameras_share_a_batch() -> None:
    stage, model, _ = inference()
    stage.process([replace(clip("a", 0, 51), still=1.0)])
    batch = [replace(clip("a", 1, 51), still=1.0), clip("b", 0, 102), replace(clip("c", 0, 153), still=1.0)]
    assert scores(stage.process(batch)) == [("a", None, 0.2), ("b", None, 0.4), ("c", None, 0.6)]
    assert model.batches == [1, 2]


def test_what_the_camera_measured_is_not_measured_again() -> None:
    stage, _, _ = inference()
    known = np.array([[9, 9], [0, 0]], np.float32)
    (detection,) = stage.process([replace(clip("a", 0), activity=known)])
    assert detection.motion == 1.5  # the mean of 9, 9 and 0 above a median of 4.5
    (other,) = stage.process([replace(clip("a", 1), activity=np.full((3, 3), 50, np.float32))])
    assert other.motion == 0  # of another grid: measured in the pictures


def test_a_single_damaged_clip_is_a_hole_and_lasting_damage_is_looked_at() -> None:
    stage, _, metrics = inference()
    stage.process([clip("a", 0, 51)])
    assert stage.process([clip("a", 1, 255, damaged=True)]) == []
    (detection,) = stage.process([clip("a", 2, 51)])
    assert detection.scores["fight"] == pytest.approx(0.2)
    assert detection.filled == 0.5
    assert stage.process([clip("a", 3, 51, damaged=True)]) == []
    assert len(stage.process([clip("a", 4, 51, damaged=True), clip("b", 4)])) == 2
    dropped = {"camera": "a", "reason": "damaged"}
    assert metrics.registry.get_sample_value("streamwatch_clips_dropped_total", dropped) == 2


def test_a_clip_that_fails_is_dropped_and_the_others_go_on() -> None:
    stage, model, metrics = inference()
    assert scores(stage.process([clip("a", 0), clip("b", 0, 13), clip("c", 0)])) == [("a", None, 0.2), ("c", None, 0.2)]
    assert model.batches == [3, 1, 1, 1]
    dropped = {"camera": "b", "reason": "inference"}
    assert metrics.registry.get_sample_value("streamwatch_clips_dropped_total", dropped) == 1


def test_a_session_that_only_fails_is_given_up() -> None:
    stage, _, _ = inference()
    for index in range(MAX_FAILURES - 1):
        assert stage.process([clip("a", index, 13)]) == []
    with pytest.raises(InferenceError, match="thirteen"):
        stage.process([clip("a", 9, 13)])


def test_a_success_forgives() -> None:
    stage, _, _ = inference()
    for index in range(3 * MAX_FAILURES):
        stage.process([clip("a", 2 * index, 13)])
        assert stage.process([clip("a", 2 * index + 1)])


def test_runs_until_the_mailbox_closes() -> None:
    stage, model, _ = inference()
    mailbox: Mailbox[str, Clip] = Mailbox(lambda camera, reason: None)
    for i in range(MAX_BATCH + 2):
        mailbox.put(f"c{i}", clip(f"c{i}", 0))
    mailbox.close()
    found: list[Detection] = []
    beats: list[int] = []
    stage.run(mailbox, found.append, threading.Event(), lambda: beats.append(1))
    assert [d.camera for d in found] == [f"c{i}" for i in range(MAX_BATCH + 2)]
    assert model.batches == [MAX_BATCH, 2]
    assert len(beats) >= 2


def test_takes_as_many_clips_at_once_as_it_is_told() -> None:
    stage, model, _ = inference()
    mailbox: Mailbox[str, Clip] = Mailbox(lambda camera, reason: None)
    for i in range(20):
        mailbox.put(f"c{i}", clip(f"c{i}", 0))
    mailbox.close()
    stage.run(mailbox, lambda detection: None, threading.Event(), most=16)
    assert model.batches == [16, 4]


def test_encode_and_score_add_up_to_the_time_spent() -> None:
    ticks = iter([1.0, 1.5, 1.75])
    metrics = Metrics()
    stage = Inference(Deterministic(), {}, metrics, spent=lambda: next(ticks))
    stage.process([clip("a", 0)])
    sums = [
        metrics.registry.get_sample_value("streamwatch_stage_seconds_sum", {"stage": name})
        for name in ("encode", "score")
    ]
    assert sums == [0.5, 0.25]
