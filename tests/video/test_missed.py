"""Missed clips: pure, so every second of the stream is given."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamwatch.video.missed import Missed
from streamwatch.video.window import ClipTiming, ClipWindow

TIMING = ClipTiming(size=4)
PIXEL = np.zeros((4, 4, 3), np.uint8)
FIRST = 0.875  # seconds from the first picture of an epoch to its first clip


def pass_by(missed: Missed, seconds: float, step: float = 0.04) -> int:
    return sum(missed.passed(step) for _ in range(round(seconds / step)))


@pytest.mark.parametrize("seconds", [3, 60, 3600])
def test_it_is_told_as_the_stream_goes_by(seconds: int) -> None:
    missed = Missed(TIMING)
    missed.leave(0.5)
    assert [pass_by(missed, 1.0) for _ in range(seconds)] == [1] * seconds


def test_a_clip_is_missed_when_its_end_is() -> None:
    missed = Missed(TIMING)
    missed.leave(0.5)
    assert missed.passed(0.4) == 0
    assert missed.passed(0.1) == 1
    assert missed.passed(0.9) == 0
    assert missed.passed(0.1) == 1


def test_what_was_told_is_not_told_again_when_it_is_over() -> None:
    missed = Missed(TIMING)
    missed.leave(1.0)
    assert pass_by(missed, 10.0) == 10
    assert missed.leaving
    assert missed.resume(10.1) == 0  # the first clip is whole at 10.975, where the eleventh would have been at 11
    assert not missed.leaving
    assert missed.resume(0.04) == 0


def test_what_was_let_go_besides_the_packets_left_out_is_told_at_the_end() -> None:
    """Decoding on demand holds back some seconds, which only the next picture shows to be gone."""
    missed = Missed(TIMING)
    missed.leave(1.0)
    assert pass_by(missed, 2.0) == 2
    assert missed.resume(6.125) == 4


def test_a_clock_that_was_set_meanwhile_leaves_what_was_told() -> None:
    missed = Missed(TIMING)
    missed.leave(1.0)
    assert pass_by(missed, 5.0) == 5
    assert missed.resume(0.0) == 0
    missed.leave(1.0)
    assert missed.passed(-3600.0) == 0
    assert missed.passed(1.0) == 1
    assert missed.resume(3.25) == 2  # and what comes after counts as ever


def test_less_than_a_clip_adds_up() -> None:
    """Half a clip lost each time: a camera that is interrupted each second gives half the clips, and says so."""
    missed = Missed(TIMING)
    told = 0
    for _ in range(100):
        missed.leave(1.0)
        told += missed.resume(0.625)  # the next clip ends 1.5 s after the last, not 1.0
    assert told == 50


def test_a_connection_that_ends_meanwhile_leaves_what_was_told() -> None:
    missed = Missed(TIMING)
    missed.leave(1.0)
    assert pass_by(missed, 5.0) == 5
    missed.restart()
    assert not missed.leaving
    assert missed.resume(300.0) == 0


def test_where_no_picture_came_yet_the_first_clip_takes_its_time() -> None:
    missed = Missed(TIMING)
    missed.leave(0.0)
    assert missed.passed(FIRST - 0.01) == 0
    assert missed.passed(0.01) == 1


@pytest.mark.parametrize("timing", [TIMING, ClipTiming(size=4, stride_seconds=0.25), ClipTiming(4, 4, 0.5, 0.5)])
@given(st.lists(st.tuples(st.integers(1, 100), st.integers(1, 200)), min_size=1, max_size=12), st.booleans())
def test_clips_cut_and_clips_missed_are_those_of_a_stream_of_which_nothing_is_left_out(
    timing: ClipTiming, stretches: list[tuple[int, int]], told: bool
) -> None:
    """Pictures shown and left out in turn, 25 a second, through the window that cuts them."""
    window, missed = ClipWindow[int]("cam", timing, lambda picture: PIXEL), Missed(timing)
    number, last, clips, lost = 0, 0, 0, 0
    for shown, left_out in stretches:
        for _ in range(shown):
            clips += len(window.observe(number, number / 25, number / 25))
            lost += missed.resume((number - last) / 25)
            last, number = number, number + 1
        missed.leave(window.left())
        window.gap("overload")
        for _ in range(left_out):
            lost += missed.passed(0.04) if told else 0
            number += 1
    clips += len(window.observe(number, number / 25, number / 25))
    lost += missed.resume((number - last) / 25)
    assert lost >= 0
    # those that would have been whole before the clip that was just begun will be
    assert clips + lost == pytest.approx(number / 25 / timing.stride_seconds, abs=1.0 + 1e-6)
