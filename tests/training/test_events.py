"""The events, which the bundled pack scores in the same order."""

from streamwatch.models.pack import load_pack
from streamwatch.training.events import EVENTS


def test_the_bundled_pack_scores_them_in_this_order() -> None:
    assert tuple(load_pack("bundled").card.events) == EVENTS
