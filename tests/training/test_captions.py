"""Ways to say a label."""

import numpy as np

from streamwatch.training.captions import TEMPLATES, caption, join
from streamwatch.training.events import EVENTS


def test_every_event_and_normal_life_have_several_captions_and_none_is_shared() -> None:
    assert set(TEMPLATES) == {*EVENTS, "normal"}
    said = [text for texts in TEMPLATES.values() for text in texts]
    assert len(said) == len(set(said)) >= 20


def test_captions_vary_and_unknown_labels_are_said_as_they_are() -> None:
    rng = np.random.default_rng(0)
    assert len({caption("fight", rng) for _ in range(60)}) == len(TEMPLATES["fight"])
    assert caption("flood", rng) == "flood"


def test_neighbours_are_joined_and_nothing_is_said_twice() -> None:
    rng = np.random.default_rng(0)
    said = [caption("fall", rng, joined=1.0) for _ in range(40)]
    assert any(", " in text for text in said)
    assert all(len(set(text.split(", "))) == len(text.split(", ")) for text in said)
    assert join(["a man walks", "a man falls", "a man walks"]) == "a man walks, a man falls"
