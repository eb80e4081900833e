"""Everyday plots: people do what the caption says, and nothing of it is an event."""

from collections.abc import Callable

import numpy as np
import pytest

from streamwatch.video.theatre.everyday import EVERYDAY
from streamwatch.video.theatre.play import Play, Stage
from streamwatch.video.theatre.skeleton import AT, BODY, joints


def play(plot: str, seed: int) -> Play:
    return EVERYDAY[plot](Stage(np.random.default_rng(seed), 20.0, 3.0))


def heads(part: Play) -> np.ndarray:
    """The height of the first person's head, ten times a second while there."""
    poses = [part.actors[0].pose(t) for t in np.arange(0, 20, 0.1)]
    return np.array([joints(p).points[BODY.index("head"), 2] for p in poses if p is not None])


@pytest.mark.parametrize("plot", EVERYDAY)
@pytest.mark.parametrize("seed", range(3))
def test_everyday_life_has_no_happenings(plot: str, seed: int) -> None:
    part = play(plot, seed)
    assert part.happenings == ()
    assert part.caption
    if plot not in {"empty", "lights", "door"}:
        assert any(actor.pose(10.0) is not None or actor.pose(5.0) is not None for actor in part.actors)


LOWEST: dict[str, Callable[[float], bool]] = {
    "walk": lambda head: head > 1.4,
    "stand": lambda head: head > 1.4,
    "talk": lambda head: head > 1.4,
    "run": lambda head: head > 1.3,
    "sit": lambda head: 0.8 < head < 1.35,
    "crouch": lambda head: 0.5 < head < 1.25,
    "pickup": lambda head: 0.4 < head < 1.25,
    "lie_down": lambda head: 0.4 < head < 0.9,
}


@pytest.mark.parametrize("plot", LOWEST)
@pytest.mark.parametrize("seed", range(4))
def test_heads_come_as_low_as_the_plot_says(plot: str, seed: int) -> None:
    assert LOWEST[plot](float(heads(play(plot, seed)).min()))


@pytest.mark.parametrize("plot", ["sit", "crouch", "pickup", "lie_down"])
@pytest.mark.parametrize("seed", range(4))
def test_nobody_goes_down_as_fast_as_a_fall(plot: str, seed: int) -> None:
    drops = heads(play(plot, seed))
    assert (drops[:-5] - drops[5:]).max() < 0.8  # metres within half a second


@pytest.mark.parametrize("seed", range(4))
def test_who_picks_something_up_carries_it(seed: int) -> None:
    part = play("pickup", seed)
    burdens = [p[AT["burden"]] for t in np.arange(0, 20, 0.1) if (p := part.actors[0].pose(t)) is not None]
    assert burdens[0] == 0
    assert max(burdens) > 0.1


@pytest.mark.parametrize("seed", range(4))
def test_hands_meet_in_a_handshake(seed: int) -> None:
    part = play("handshake", seed)
    closest = 9.0
    for t in np.arange(0, 20, 0.1):
        pair = [actor.pose(t) for actor in part.actors]
        if pair[0] is not None and pair[1] is not None:
            hands = [joints(p).points[BODY.index("r_hand")] for p in pair if p is not None]
            closest = min(closest, float(np.linalg.norm(hands[0] - hands[1])))
    assert closest < 0.45


def test_lights_go_off_and_doors_open_in_order() -> None:
    lights = play("lights", 1).lights
    assert {what for _, what in lights} >= {"off"}
    assert [when for when, _ in lights] == sorted(when for when, _ in lights)
    doors = play("door", 1).door
    assert doors
    assert all(opens < closes for opens, closes in doors)
