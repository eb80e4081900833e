"""Plots with events."""

import numpy as np
import pytest

from streamwatch.video.theatre.everyday import EVERYDAY
from streamwatch.video.theatre.play import Play, Stage
from streamwatch.video.theatre.plots import PLOTS
from streamwatch.video.theatre.skeleton import BODY, joints


def play(plot: str, seed: int, duration: float = 20.0) -> Play:
    return PLOTS[plot](Stage(np.random.default_rng(seed), duration, 3.0))


def test_the_table_holds_everyday_life_and_the_events() -> None:
    assert set(PLOTS) == set(EVERYDAY) | {"fall", "fight", "mixed"}


@pytest.mark.parametrize("plot", ["fall", "fight"])
@pytest.mark.parametrize("duration", [4.0, 20.0])
@pytest.mark.parametrize("seed", range(5))
def test_an_event_happens_once_within_the_time_with_people_there(plot: str, duration: float, seed: int) -> None:
    part = play(plot, seed, duration)
    (happening,) = part.happenings
    assert happening.event == plot
    assert 0 < happening.start < happening.end <= duration
    assert len(happening.actors) == 1 if plot == "fall" else len(happening.actors) >= 2
    for number in happening.actors:
        assert part.actors[number].pose(happening.start) is not None
        assert part.actors[number].pose(happening.end - 1e-3) is not None


@pytest.mark.parametrize("seed", range(8))
def test_the_fallen_stay_down(seed: int) -> None:
    part = play("fall", seed)
    for t in np.arange(part.happenings[0].start + 1.2, 19.9, 0.5):
        vector = part.actors[0].pose(t)
        assert vector is not None
        assert joints(vector).points[BODY.index("head"), 2] < 0.9


@pytest.mark.parametrize("seed", range(8))
def test_fighters_stand_close(seed: int) -> None:
    part = play("fight", seed)
    happening = part.happenings[0]
    a, b = (part.actors[n].pose(happening.start + 0.5) for n in happening.actors[:2])
    assert a is not None
    assert b is not None
    assert np.hypot(*(a[:2] - b[:2])) < 1.4


@pytest.mark.parametrize("seed", range(12))
def test_a_programme_has_an_early_event_others_later_and_nobody_left_over(seed: int) -> None:
    part = play("mixed", seed, 180.0)
    starts = [happening.start for happening in part.happenings]
    assert starts[0] < 20
    assert len(starts) >= 3
    assert min(np.diff(starts)) > 15
    assert all(actor.span[1] <= 180.0 for actor in part.actors)


def test_a_short_programme_is_merely_quiet() -> None:
    assert play("mixed", 1, 5.0).happenings == ()
