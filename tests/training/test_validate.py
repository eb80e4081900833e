"""Quick figures on cached tokens."""

import math

import numpy as np
import torch

from streamwatch.training.events import EVENTS
from streamwatch.training.validate import clip_areas, clip_scores, mean_area
from streamwatch.training.videobert import Dims, Joint
from streamwatch.training.windows import Stream

DIMS = Dims(dim=8, layers=1, heads=2, inner=8, ages=8, words=8)


def stream(source: str, label: str, fight: float, seconds: int = 3) -> Stream:
    """Tokens whose own fight logit is ``fight``."""
    tokens = np.zeros((seconds, 8), np.float32)
    tokens[:, 0] = fight
    return Stream(tokens, np.zeros((seconds, len(EVENTS)), np.float32), source, "g", label)


def plain() -> Joint:
    torch.manual_seed(0)
    joint = Joint(DIMS)
    with torch.no_grad():
        for head in (joint.event_head, joint.now_head):
            head.weight.zero_()
            head.bias.zero_()
    return joint


def test_a_clip_scores_its_highest_window() -> None:
    rising = stream("a", "fight", 0.0)
    rising.tokens[1, 0] = 9.0
    scores = clip_scores(plain(), [rising, stream("a", "fight", 0.0)], 4)
    assert scores.shape == (2, 3)
    assert scores[0, 0] > scores[1, 0]


def test_areas_are_measured_among_sources_that_show_the_event() -> None:
    streams = [
        stream("a", "fight", 3.0), stream("a", "normal", 1.0), stream("a", "fight", 2.0), stream("a", "normal", 2.5),
        stream("elsewhere", "normal", 9.0),
    ]  # fmt: skip
    found = clip_areas(plain(), streams, 4)
    assert found["fight"] == 0.75
    assert math.isnan(found["fall"])
    assert mean_area(found) == 0.75
    assert mean_area({"fall": math.nan}) is None
