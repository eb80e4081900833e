"""Turns: pure, so every time is given. A machine is simulated that has less time than its cameras need."""

from collections import deque
from dataclasses import dataclass, field

import pytest

from streamwatch.video.backlog import Backlog
from streamwatch.video.turns import Turn, Turns

STEP = 0.04  # seconds from packet to packet
CLIP = 25  # packets


@dataclass
class Cam:
    """One camera's socket, and what was cut from what was decoded of it."""

    name: str
    turn: Turn
    backlog: Backlog
    packets: deque[tuple[float, bool]] = field(default_factory=lambda: deque(maxlen=100_000))
    run: int = 0  # packets decoded one after the other
    clips: int = 0
    skipped: int = 0


def simulate(cameras: int, capacity: float, seconds: float, gop: int = 50) -> tuple[list[Cam], list[float], Turns]:
    """The cameras, the ages of their clips, the turns. ``capacity``: cameras that can be decoded all the time."""
    turns = Turns(cameras)
    own = [Turn(turns, f"c{i}") for i in range(cameras)]
    cams = [Cam(f"c{i}", turn, Backlog(turn)) for i, turn in enumerate(own)]
    ages: list[float] = []
    budget = 0.0
    for tick in range(round(seconds / STEP)):
        now = tick * STEP
        for i, cam in enumerate(cams):
            cam.packets.append((now, (tick + 7 * i) % gop == 0))
        budget = min(budget, 0.0) + capacity * STEP
        while budget > 0 and any(cam.packets for cam in cams):
            for cam in cams:
                if cam.packets:
                    budget -= take(cam, now, ages, turns)
    return cams, ages, turns


def take(cam: Cam, now: float, ages: list[float], turns: Turns) -> float:
    """What one packet costs."""
    pts, keyframe = cam.packets.popleft()
    if not cam.backlog.admits(pts, keyframe, now):
        cam.run, cam.skipped = 0, cam.skipped + 1
        return 0.0
    cam.run += 1
    if cam.run % CLIP == 0:
        cam.clips += 1
        cam.turn.show()
        if now > 30.0:  # once it has found how many fit
            ages.append(now - pts)
        if now - pts > 1.2:
            turns.strain(cam.name, now)
    return STEP


@pytest.mark.parametrize("overload", [1.2, 2.0, 4.0])
@pytest.mark.parametrize("cameras", [8, 48])
def test_a_machine_that_is_too_slow_shows_what_is_new_of_everybody(cameras: int, overload: float) -> None:
    seconds = 100.0
    cams, ages, _ = simulate(cameras, cameras / overload, seconds)
    clips = [cam.clips for cam in cams]
    mean = sum(clips) / cameras
    assert sorted(ages)[int(0.95 * len(ages))] <= 1.2
    assert min(clips) >= mean / 2
    assert mean >= 0.45 * seconds / overload  # a turn begins at a keyframe, and may be longer than its clip


@pytest.mark.parametrize("capacity", [1.05, 2.0])
def test_where_there_is_time_for_all_nobody_waits(capacity: float) -> None:
    cams, _, turns = simulate(16, 16 * capacity, 60.0)
    assert {cam.skipped for cam in cams} == {0}
    assert turns.limit == 16


def test_after_a_rush_all_are_decoded_again() -> None:
    turns = Turns(4)
    for name in "abcd":
        turns.enter(name)
    for name in "ab":
        turns.strain(name, 10.0)
    assert turns.limit == pytest.approx(2.8)
    assert turns.limit > 2  # fewer are not
    waiting = {"a", "b"}
    for name in waiting:
        turns.lose(name)
    for _ in range(10):
        for name in "abcd":
            if turns.take(name) if name in waiting else turns.over(name, on_time=True):
                waiting ^= {name}
    assert turns.limit == 4
    assert not waiting


def test_one_camera_alone_may_have_a_slow_network() -> None:
    turns = Turns(10)
    for at in range(20):
        turns.strain("c3", float(at))
    assert turns.limit == 10
    turns.lose("c3")
    assert turns.take("c3")  # at its next keyframe
    turns.strain("c4", 19.5)
    turns.strain("c5", 19.6)
    assert turns.limit == 2  # three within a second: the fewest


def test_it_shrinks_once_a_second_at_most() -> None:
    turns = Turns(10)
    for k in range(10):
        turns.enter(f"c{k}")
    for k in range(10):
        turns.strain(f"c{k}", 5.0 + k / 100)
    assert turns.limit == pytest.approx(7.0)
    for k in range(10):
        turns.strain(f"c{k}", 6.1 + k / 100)
    assert turns.limit == pytest.approx(4.9)


def test_those_that_wait_longest_come_first() -> None:
    turns = Turns(6)
    for name in "abcdef":
        turns.enter(name)
    for at in (0.0, 2.0, 4.0, 6.0):
        turns.strain("a", at)
        turns.strain("b", at)
    for name in "abcdef":
        turns.lose(name)
    assert not turns.take("f")
    assert turns.take("c")
    assert turns.take("a")
    assert not turns.take("b")  # two at a time
    assert turns.over("c", on_time=False)
    assert turns.take("b")


def test_who_leaves_is_not_waited_for() -> None:
    turns = Turns(2)
    turns.enter("a")
    turns.enter("b")
    turns.strain("a", 0.0)
    turns.strain("b", 0.0)
    turns.lose("a")
    turns.leave("a")
    turns.leave("a")
    assert turns.over("b", on_time=True) is False
    turns.leave("b")
    assert turns.take("a")


def test_a_turn_lasts_until_it_has_shown_something() -> None:
    turns = Turns(4)
    turn = Turn(turns, "a")
    for name in "abcd":
        turns.enter(name)
    turns.strain("a", 0.0)
    turns.strain("b", 0.0)
    turns.lose("a")
    turns.lose("b")
    turns.lose("c")
    assert turn.take()
    assert not turn.over(on_time=False)
    turn.show()
    assert turn.over(on_time=False)
    assert not turn.take()
    assert not turn.over(on_time=False)


def test_a_camera_without_others_is_never_held_back() -> None:
    turn = Turn()
    turn.enter()
    turn.lose(1.0)
    assert turn.take()
    assert turn.over(on_time=True) is False
    turn.leave()
