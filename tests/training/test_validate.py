"""Quick figures on cached tokens."""

import math

import numpy as np
import torch

from streamwatch.training.data import Entry
from streamwatch.training.events import EVENTS
from streamwatch.training.labels import first_event, truth_of
from streamwatch.training.validate import clip_areas, clip_scores, mean_area
from streamwatch.training.videobert import Dims, Joint
from streamwatch.training.windows import Stream

DIMS = Dims(dim=8, layers=1, heads=2, inner=8, ages=8, words=8)


def stream(source: str, labels: str, fight: float, fall: float = 0.0, annotates: str | None = None) -> Stream:
    """Three seconds whose tokens' own logits are ``fight`` and ``fall``."""
    first, *also = labels.split()
    looked_for = None if annotates is None else frozenset(annotates.split())
    entry = Entry("a.mp4", source, first, "g", "val", 3.0, "", tuple(also), looked_for)
    tokens = np.zeros((3, 8), np.float32)
    tokens[:, :2] = fight, fall
    seconds = np.zeros((3, len(EVENTS)), np.float32)
    return Stream(tokens, seconds, source, "g", first_event(entry), truth_of(entry))


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


def test_a_clip_that_shows_two_events_is_a_positive_of_both() -> None:
    """The README's own example: a fight in which somebody falls."""
    streams = [
        stream("door", "fight fall", 3.0, fall=3.0, annotates="fight fall"),
        stream("door", "fall", 0.5, fall=2.0), stream("door", "normal", 1.0, fall=1.0),
    ]  # fmt: skip
    found = clip_areas(plain(), streams, 4)
    assert (found["fight"], found["fall"]) == (1.0, 1.0)


def test_the_order_of_labels_changes_nothing() -> None:
    rest = [stream("door", "fall", 0.0, fall=1.5), stream("door", "normal", 1.0, fall=1.0)]
    one, two = (clip_areas(plain(), [stream("door", x, 2.0, fall=0.5), *rest], 4) for x in ("fight fall", "fall fight"))
    assert one["fight"] == two["fight"] and one["fall"] == two["fall"] == 0.5


def test_clips_in_which_nobody_looked_for_an_event_are_no_negatives_of_it() -> None:
    streams = [stream("door", "fight", 3.0), stream("door", "normal", 1.0)]
    assert clip_areas(plain(), streams, 4)["fight"] == 1.0
    unknown = stream("door", "fall", 9.0, annotates="fall")
    assert clip_areas(plain(), [*streams, unknown], 4)["fight"] == 1.0
    known = stream("door", "fall", 9.0, annotates="fall fight")
    assert clip_areas(plain(), [*streams, known], 4)["fight"] == 0.5
