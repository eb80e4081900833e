"""Backlog: pure, so every arrival is given. 25 packets a second, a keyframe each second."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamwatch.video.backlog import TURN, Backlog
from streamwatch.video.turns import Turn, Turns


def packets(seconds: float, start: float = 0.0) -> Iterator[tuple[float, bool]]:
    """(pts, keyframe)."""
    return ((start + k / 25, k % 25 == 0) for k in range(round(seconds * 25)))


def play(backlog: Backlog, seconds: float, late: float, start: float = 0.0) -> list[bool]:
    """What is admitted of packets that all come ``late``, where a clip is cut each second."""
    return [backlog.admits(pts, key, 100 + pts + late, int(pts)) for pts, key in packets(seconds, start)]


@pytest.mark.parametrize("late", [0.0, 0.5, 0.95])
def test_a_stream_that_is_about_on_time_is_admitted(late: float) -> None:
    backlog = Backlog()
    play(backlog, 1, 0.0)
    assert all(play(backlog, 60, late, start=1.0))


def test_a_stream_that_stays_late_is_left_out_until_it_is_on_time_at_a_keyframe() -> None:
    backlog = Backlog()
    play(backlog, 1, 0.0)
    late = play(backlog, 3, 2.0, start=1.0)
    assert late[:12] == [True] * 12  # patience
    assert backlog.skips
    assert not any(late[14:])
    waiting = [backlog.admits(4 + k / 25, False, 104.1 + k / 25, 4) for k in range(25)]
    assert not any(waiting)  # on time again, but what follows builds on pictures that were left out
    assert all(play(backlog, 2, 0.1, start=5.0))
    assert not backlog.skips


def test_it_is_told_how_late_the_last_packet_was() -> None:
    backlog = Backlog()
    play(backlog, 1, 0.0)
    assert backlog.late == pytest.approx(0.0, abs=1e-3)
    play(backlog, 1, 0.4, start=1.0)
    assert backlog.late == pytest.approx(0.4, abs=1e-3)


def test_a_network_that_stalled_is_caught_up_and_nothing_is_left_out() -> None:
    backlog = Backlog()
    play(backlog, 1, 0.0)
    # five seconds of packets come at once, and take 5 ms each to decode
    admitted = [
        backlog.admits(pts, key, 106 + k * 0.005, int(pts)) for k, (pts, key) in enumerate(packets(5, start=1.0))
    ]
    assert all(admitted)


def test_what_falls_ever_further_behind_is_left_out_soon() -> None:
    backlog = Backlog()
    play(backlog, 1, 0.0)
    admitted = [
        backlog.admits(1 + k / 25, k % 25 == 0, 101 + k * 0.12, 1 + k // 25) for k in range(100)
    ]  # three times too slow
    assert 1 + admitted.index(False) / 25 < 2.0  # when it is 1.5 s behind


@pytest.mark.parametrize("cost", [0.1, 0.2, 0.4])
@pytest.mark.parametrize("held", [0, 3])
def test_however_slow_the_machine_whole_clips_are_cut_now_and_then(cost: float, held: int) -> None:
    """Less than a clip shows nothing, and a camera that is never seen is never known to be still. A decoder that puts
    B-frames in order gives its pictures ``held`` packets later.
    """
    backlog = Backlog()
    now, run, clips, lengths = 100.0, 0, 0, []
    for pts, key in packets(300):
        now = max(now, 100 + pts)
        if backlog.admits(pts, key, now, clips):
            now += cost
            run += 1
            clips += run > held and (run - held) % 23 == 0
        elif run:
            lengths.append(run)
            run = 0
    assert len(lengths) >= 10
    assert clips >= len(lengths)
    assert set(lengths[1:]) == {23 + held}


def test_a_stream_that_gives_no_clip_is_left_out_all_the_same() -> None:
    backlog = Backlog()
    admitted = [backlog.admits(k / 25, k % 25 == 0, 100 + k * 0.12, 0) for k in range(100)]
    assert 2.9 < admitted.index(False) / 25 < 3.2


def test_a_machine_too_slow_by_half_still_sees_what_is_new() -> None:
    backlog = Backlog()
    now, worst, seen = 100.0, 0.0, 0
    for pts, key in packets(120):
        now = max(now, 100 + pts)
        if backlog.admits(pts, key, now, int(pts)):
            now += 0.08  # twice what there is time for
            seen += 1
            worst = max(worst, now - pts - 100)
    assert worst < 3
    assert seen > 0.25 * 120 * 25


@pytest.mark.parametrize("jump", [-3600.0, -30.0, -5.0, 5.0, 3600.0])
def test_a_camera_that_sets_its_clock_is_not_late(jump: float) -> None:
    backlog = Backlog()
    play(backlog, 2, 0.0)
    assert all(backlog.admits(2 + jump + pts, key, 102 + pts, 2) for pts, key in packets(30))


def test_b_frames_are_no_jump() -> None:
    backlog = Backlog()
    order = [0, 3, 1, 2, 6, 4, 5]
    assert all(backlog.admits((k // 7 * 7 + order[k % 7]) / 25, k % 25 == 0, 100 + k / 25, 0) for k in range(500))


def test_a_stream_that_never_catches_up_is_taken_as_it_is() -> None:
    backlog = Backlog()
    play(backlog, 1, 0.0)
    admitted = play(backlog, 40, 3.0, start=1.0)
    assert not any(admitted[30:250])
    assert all(admitted[-400:])


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.booleans(), st.floats(0, 30)), max_size=80))
def test_no_stream_is_left_out_for_ever(steps: list[tuple[float, bool, float]]) -> None:
    backlog = Backlog()
    now = 0.0
    for pts, key, wait in steps:
        now += wait
        backlog.admits(pts, key, now, 0)
    later = [backlog.admits(k / 25, k % 25 == 0, now + 1 + k / 25, 0) for k in range(25 * 30)]
    assert all(later[-25 * 10 :])


class Crowd(Turn):
    """A turn of which the test says whether others wait."""

    def __init__(self) -> None:
        super().__init__(Turns())
        self.others = True
        self.states: list[bool] = []

    def decodes(self, yes: bool) -> None:
        self.states.append(yes)

    def begin(self, now: float) -> bool:
        return not self.others

    def swap(self, now: float) -> bool:
        return self.others


def test_who_has_been_seen_makes_room_at_a_keyframe_and_waits_for_its_turn() -> None:
    turn = Crowd()
    backlog = Backlog(turn)
    # a keyframe each second; the first clip is whole a little after the second one
    admitted = [backlog.admits(pts, key, 100 + pts, int(pts > 1.1)) for pts, key in packets(6)]
    assert admitted == [True] * 50 + [False] * 100
    assert turn.states == admitted
    turn.others = False
    assert all(play(backlog, 2, 0.0, start=6.0)), "from the next keyframe on"


def test_without_a_keyframe_a_turn_is_some_clips_long() -> None:
    backlog = Backlog(Crowd())
    admitted = [backlog.admits(k / 25, k == 0, 100 + k / 25, k // 25) for k in range(250)]
    assert admitted.index(False) == 25 * TURN


def test_a_still_camera_makes_no_room() -> None:
    turn = Crowd()
    backlog = Backlog(turn)
    assert all(backlog.admits(pts, key, 100 + pts, int(pts), idle=True) for pts, key in packets(20))
    assert not any(turn.states), "nor does it take any"


def test_it_is_not_let_in_late_though_there_is_room() -> None:
    turn = Crowd()
    backlog = Backlog(turn)
    play(backlog, 3, 0.0)
    assert backlog.skips
    turn.others = False
    assert not any(play(backlog, 2, 0.8, start=3.0))


def test_it_leaves_when_told_to_and_comes_back_at_a_keyframe() -> None:
    turn = Crowd()
    turn.others = False
    backlog = Backlog(turn)
    assert all(play(backlog, 1.4, 0.0))
    backlog.leave(101.4)
    assert turn.states[-1] is False
    admitted = [backlog.admits(1.4 + k / 25, k == 15, 101.4 + k / 25, 1) for k in range(30)]
    assert admitted == [False] * 15 + [True] * 15


@pytest.mark.parametrize(("late", "more"), [(0.0, False), (0.05, False), (0.07, True), (0.2, True)])
def test_the_next_packet_has_come_if_this_one_is_later_than_a_step(late: float, more: bool) -> None:
    backlog = Backlog()
    play(backlog, 1, 0.0)
    play(backlog, 1, late, start=1.0)
    assert backlog.more == more


@pytest.mark.parametrize(("late", "more"), [(0.1, False), (0.2, True)])
def test_where_b_frames_come_out_of_order_it_must_be_later(late: float, more: bool) -> None:
    backlog = Backlog()
    for k in (0, 3, 1, 2, 6, 4, 5):
        backlog.admits(k / 25, k == 0, 100 + k / 25, 0)
    play(backlog, 1, late, start=7 / 25)
    assert backlog.more == more


def test_a_clock_that_jumps_back_is_not_taken_for_b_frames() -> None:
    backlog = Backlog()
    play(backlog, 5, 0.0)
    for k in range(25):
        backlog.admits(k / 25, k == 0, 105 + k / 25, 5)
    play(backlog, 1, 5.0 + 0.1, start=1.0)
    assert backlog.more


def steps(backlog: Backlog, times: list[float], begin: float = 100.0) -> list[float]:
    """How much each packet is newer than all before it; it comes when it was sent."""
    found = []
    for pts in times:
        backlog.admits(pts, False, begin + pts, 0)
        found.append(backlog.step)
    return found


def test_each_packet_takes_the_streams_time_since_the_newest() -> None:
    backlog = Backlog()
    assert steps(backlog, [5.0, 5.04, 5.08, 5.08]) == pytest.approx([0.0, 0.04, 0.04, 0.0])
    # left out or not
    backlog.leave(106.0)
    assert backlog.skips
    assert steps(backlog, [5.12, 5.2]) == pytest.approx([0.04, 0.08])


def test_b_frames_take_no_time_twice() -> None:
    order = [0, 3, 1, 2, 6, 4, 5]
    backlog = Backlog()
    times = [(k // 7 * 7 + order[k % 7]) / 25 for k in range(700)]
    assert sum(steps(backlog, times)) == pytest.approx(max(times))


@pytest.mark.parametrize("jump", [-3600.0, -30.0, -2.0, 2.0, 30.0, 3600.0])
def test_a_clock_that_is_set_and_a_silence_take_none(jump: float) -> None:
    backlog = Backlog()
    steps(backlog, [k / 25 for k in range(25)])
    after = []
    for k in range(1, 26):
        backlog.admits(1.0 + jump + k / 25, False, 101.0 + k / 25, 0)
        after.append(backlog.step)
    assert after == pytest.approx([0.0, *[0.04] * 24])
