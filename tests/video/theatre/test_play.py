"""The stage, and visits to it."""

import numpy as np
import pytest

from streamwatch.video.theatre.fall import fall
from streamwatch.video.theatre.motion import Script
from streamwatch.video.theatre.play import Stage, visit
from streamwatch.video.theatre.skeleton import BODY, joints


def stage(seed: int = 0) -> Stage:
    return Stage(np.random.default_rng(seed), 10.0, 3.0)


def test_who_enters_is_not_yet_in_the_picture() -> None:
    for seed in range(10):
        assert abs(stage(seed).enter().x) > 3.0


def test_who_is_here_is_in_the_picture() -> None:
    for seed in range(10):
        assert abs(stage(seed).here().x) < 3.0


def test_who_leaves_is_gone_at_the_end() -> None:
    place = stage(4)
    script = place.here().stand(1)
    place.leave(script)
    assert abs(script.x) > 3.0


def test_a_visitor_comes_from_outside_and_goes_back_there() -> None:
    place = stage(1)
    guest = visit(place, place.here(2.0).stand(3.0).actor())
    first, last = guest.pose(guest.span[0]), guest.pose(guest.span[1] - 1e-3)
    assert first is not None
    assert last is not None
    assert abs(first[0]) > 3.0
    assert abs(last[0]) > 3.0
    assert guest.span[0] < 2.0
    assert guest.span[1] > 5.0


def test_a_visitor_who_fell_gets_up_before_leaving() -> None:
    script = Script(np.random.default_rng(3), 0.2, 0.0, 0.0).stand(1.0)
    fall(script, "slip", 0.8, 3.0)
    guest = visit(stage(3), script.actor())
    end = guest.pose(guest.span[1] - 0.5)
    assert end is not None
    assert joints(end).points[BODY.index("head"), 2] > 1.4


def test_who_passes_through_needs_no_way_in_or_out() -> None:
    passer = Script(np.random.default_rng(0), -3.9, 0.0, 0.0).walk(3.9, 0.0, 1.2).actor()
    assert visit(stage(), passer).span == pytest.approx(passer.span)
