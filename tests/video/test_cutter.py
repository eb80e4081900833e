"""Cutter: stamps, masks and windows together, with times given."""

from dataclasses import replace

import numpy as np
import pytest

from streamwatch.video.cutter import Cutter
from streamwatch.video.frame import Clip
from streamwatch.video.picture import ArrayPicture
from streamwatch.video.window import ClipTiming

WALL = 1_700_000_000.0
TIMING = ClipTiming(size=4, frames=4, clip_seconds=0.4, stride_seconds=0.4)
MASK = [[(0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)]]


class Table:
    """A cutting table, with what was cut and what was thrown away."""

    def __init__(self, masks: list[list[tuple[float, float]]] | None = None) -> None:
        self.clips: list[Clip] = []
        self.gaps: list[tuple[str, int]] = []
        self.cutter = Cutter("cam", TIMING, masks or [], lambda *gap: self.gaps.append(gap))

    def show(self, pts: float | None, arrival: float, size: tuple[int, int] = (8, 8)) -> None:
        image = np.full((size[1], size[0], 3), 200, np.uint8)
        self.clips += self.cutter.observe(ArrayPicture(pts, image), arrival, WALL + arrival)

    def roll(self, count: int, pts: float, arrival: float, size: tuple[int, int] = (8, 8)) -> None:
        for k in range(count):
            self.show(pts + k / 10, arrival + k / 10, size)


def test_clips_have_the_times_of_their_arrival() -> None:
    table = Table()
    table.roll(8, pts=33.0, arrival=5.0)
    assert [(c.camera, c.epoch, c.index) for c in table.clips] == [("cam", 0, 0), ("cam", 0, 1)]
    assert [c.start - WALL for c in table.clips] == pytest.approx([5.0, 5.4])
    assert [c.end - WALL for c in table.clips] == pytest.approx([5.3, 5.7])


def test_rests_end_where_the_next_clip_does_and_are_short() -> None:
    table = Table()
    assert table.cutter.rest() == 0.0  # nothing is known before the first picture
    table.show(33.0, 5.0)
    assert table.cutter.rest() == pytest.approx(0.3)
    table.show(33.29, 5.29)
    assert table.cutter.rest() == 0.0
    table.show(33.3, 5.3)
    assert table.cutter.rest() == pytest.approx(0.4)
    slow = Cutter("cam", ClipTiming(size=4, frames=4, clip_seconds=4.0, stride_seconds=4.0))
    slow.observe(ArrayPicture(1.0, np.zeros((8, 8, 3), np.uint8)), 1.0, WALL)
    assert slow.rest() == pytest.approx(0.5)  # six of them


@pytest.mark.parametrize(
    ("reason", "pts", "arrival", "size"),
    [
        ("silence", 36.0, 8.0, (8, 8)),
        ("backwards", 1.0, 5.6, (8, 8)),
        ("jump", 99.0, 5.6, (8, 8)),
        ("resolution", 33.6, 5.6, (16, 8)),
        ("resolution", 1.0, 5.6, (16, 8)),
    ],
)
def test_a_break_is_one_gap_with_its_reason(reason: str, pts: float, arrival: float, size: tuple[int, int]) -> None:
    table = Table()
    table.roll(6, pts=33.0, arrival=5.0)
    table.roll(4, pts=pts, arrival=arrival, size=size)
    assert table.gaps == [(reason, 2)]
    assert [(c.epoch, c.index) for c in table.clips] == [(0, 0), (1, 0)]
    assert table.clips[1].start - WALL == pytest.approx(arrival)


def test_another_connection_is_another_clock() -> None:
    table = Table()
    table.roll(5, pts=33.0, arrival=5.0)
    table.cutter.restart("timeout")
    table.roll(4, pts=0.0, arrival=9.0, size=(16, 16))  # neither "backwards" nor "resolution": it is new
    assert table.gaps == [("timeout", 1)]
    assert table.clips[-1].start - WALL == pytest.approx(9.0)


def test_masks_are_applied_before_anything_is_seen() -> None:
    table = Table(MASK)
    table.roll(4, pts=0.0, arrival=0.0)
    frames = table.clips[0].frames
    assert not frames[:, :, :2].any()
    assert (frames[:, :, 3:] == 200).all()


def test_a_stream_without_pts_is_cut_by_arrival() -> None:
    table = Table()
    for k in range(8):
        table.show(None, 5.0 + k / 10)
    assert [c.index for c in table.clips] == [0, 1]


def test_the_end_of_a_file_may_complete_a_clip() -> None:
    table = Table()
    for k in range(6):  # pictures at 0, 0.07 … 0.35: the last sample, at 0.3, is known; at 0.28 it would not be
        table.show(k * 0.07, k * 0.07)
    assert len(table.clips) == 1
    table = Table()
    for k in range(5):
        table.show(k * 0.07, k * 0.07)
    assert table.clips == []
    assert len(table.cutter.finish()) == 1


def test_pictures_that_repeat_one_are_scaled_and_masked_once() -> None:
    table = Table(MASK)
    real = ArrayPicture(0.0, np.full((8, 8, 3), 200, np.uint8))
    for k in range(12):
        picture = replace(real, pts=k / 10, still=None if k < 2 else real)
        table.clips += table.cutter.observe(picture, 5.0 + k / 10, WALL + k / 10)
    assert [clip.still for clip in table.clips] == [0.5, 1.0, 1.0]
    assert all((clip.frames[:, :, 3:] == 200).all() and not clip.frames[:, :, :2].any() for clip in table.clips)
    assert table.clips[1].frames.strides[0] == 0  # one picture, seen four times


def test_a_clip_that_repeats_two_pictures_shows_the_newer_one() -> None:
    table = Table()
    reals = [ArrayPicture(0.0, np.full((8, 8, 3), level, np.uint8)) for level in (100, 120)]
    for k in range(8):
        picture = ArrayPicture(k / 10, reals[0].image, still=reals[k >= 6])
        table.clips += table.cutter.observe(picture, 5.0 + k / 10, WALL + k / 10)
    assert [clip.still for clip in table.clips] == [1.0, 1.0]
    assert [int(frame[0, 0, 0]) for frame in table.clips[1].frames] == [120] * 4


def test_it_says_how_much_of_the_stream_passed_since_the_picture_before() -> None:
    table = Table()
    table.show(33.0, 5.0)
    assert table.cutter.step == 0.0
    table.show(33.1, 5.1)
    assert table.cutter.step == pytest.approx(0.1)
    table.cutter.gap("overload")
    table.show(93.1, 65.1)
    assert table.cutter.step == pytest.approx(60.0)  # left out, and the stream went on
    table.cutter.restart("timeout")
    table.show(7.0, 90.0)
    assert table.cutter.step == 0.0  # of another connection


@pytest.mark.parametrize("pts", [1.0, 33.0 + 3600.0])
def test_a_clock_that_was_set_says_nothing_of_that(pts: float) -> None:
    table = Table()
    table.roll(6, pts=33.0, arrival=5.0)
    table.show(pts, 25.0)
    assert table.cutter.step == 0.0


def test_it_says_when_the_next_clip_would_be_whole() -> None:
    table = Table()
    assert table.cutter.left() == 0.0
    table.roll(2, pts=33.0, arrival=5.0)
    assert table.cutter.left() == pytest.approx(0.2)
