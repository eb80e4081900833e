"""ClipWindow: a picture is its own number here, so that a clip shows which pictures it is made of."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamwatch.video.frame import Clip, Image
from streamwatch.video.window import ClipTiming, ClipWindow

T0 = 1_700_000_000.0
SECOND = ClipTiming(size=2)


class Reel:
    """Feeds numbered pictures and keeps what came of it."""

    def __init__(self, timing: ClipTiming = SECOND) -> None:
        self.clips: list[Clip] = []
        self.gaps: list[tuple[str, int]] = []
        self.scaled: list[int] = []
        self.shown = 0
        self.window = ClipWindow[int]("cam", timing, self._scale, lambda *gap: self.gaps.append(gap))

    def show(self, times: Sequence[float]) -> "Reel":
        for pts in times:
            self.clips += self.window.observe(self.shown, pts, T0 + pts)
            self.shown += 1
        return self

    def numbers(self) -> list[list[int]]:
        """The picture behind each sample of each clip."""
        return [[int(v) for v in clip.frames[:, 0, 0, :2] @ np.array([1, 256])] for clip in self.clips]

    def _scale(self, number: int) -> Image:
        self.scaled.append(number)
        image = np.zeros((2, 2, 3), np.uint8)
        image[..., 0], image[..., 1] = number % 256, number // 256
        return image


def film(fps: float, seconds: float, start: float = 0.0) -> list[float]:
    return [start + k / fps for k in range(round(fps * seconds))]


def expected(times: Sequence[float], timing: ClipTiming) -> list[list[int]]:
    """What training does: the newest picture at or before each sample time."""
    stamps = np.asarray(times)
    count = int(np.floor((stamps[-1] - stamps[0]) / timing.interval + 1e-6)) + 1
    newest = [int(np.searchsorted(stamps, stamps[0] + k * timing.interval + 1e-6, "right")) - 1 for k in range(count)]
    starts = range(0, count - timing.frames + 1, timing.stride_samples)
    return [newest[s : s + timing.frames] for s in starts]


def test_a_clip_holds_the_newest_picture_at_or_before_each_sample_time() -> None:
    reel = Reel().show(film(25, 1.0))
    assert reel.numbers() == [[0, 3, 6, 9, 12, 15, 18, 21]]  # 0.125 s is 3.125 pictures


def test_a_picture_exactly_at_a_sample_time_is_the_sample() -> None:
    assert Reel().show(film(8, 1.0)).numbers() == [list(range(8))]
    assert Reel().show(film(16, 1.0)).numbers() == [list(range(0, 16, 2))]


def test_what_is_left_of_a_clip_is_known_from_the_first_picture_on() -> None:
    reel = Reel(ClipTiming(size=2, stride_seconds=0.5))
    assert reel.window.left() == 0.0
    left = [reel.show([k / 16]).window.left() for k in range(32)]
    assert left[:14] == pytest.approx([0.875 - k / 16 for k in range(14)])
    assert left[14:22] == pytest.approx([0.5 - k / 16 for k in range(8)])
    assert [round(clip.end - T0, 3) for clip in reel.clips] == [0.875, 1.375, 1.875]
    reel.window.gap("test")
    assert reel.window.left() == 0.0


def test_a_slow_camera_repeats_its_pictures() -> None:
    reel = Reel().show(film(4, 1.25))
    assert reel.numbers() == [[0, 0, 1, 1, 2, 2, 3, 3]]
    assert reel.scaled == [0, 1, 2, 3, 4]  # each once


def test_only_sampled_pictures_are_scaled() -> None:
    reel = Reel().show(film(100, 10))
    assert len(reel.scaled) == 80


def test_a_clip_is_there_as_soon_as_its_last_sample_is_known() -> None:
    reel = Reel().show(film(25, 0.88))  # pictures 0 … 21, the last at 0.84
    assert reel.clips == []
    assert len(reel.show([0.88]).clips) == 1


def test_clips_are_back_to_back_on_one_grid() -> None:
    reel = Reel().show(film(30, 5.0, start=77.7))
    assert [clip.index for clip in reel.clips] == [0, 1, 2, 3, 4]
    assert [clip.start for clip in reel.clips] == pytest.approx([T0 + 77.7 + k for k in range(5)])
    assert [clip.end - clip.start for clip in reel.clips] == pytest.approx([0.875] * 5)
    assert reel.clips[0].frames.shape == (8, 2, 2, 3)
    assert reel.clips[0].frames.dtype == np.uint8


def test_overlapping_clips_share_samples() -> None:
    timing = ClipTiming(size=2, frames=4, clip_seconds=1.0, stride_seconds=0.5)
    reel = Reel(timing).show(film(4, 2.5))
    assert reel.numbers() == [[0, 1, 2, 3], [2, 3, 4, 5], [4, 5, 6, 7], [6, 7, 8, 9]]
    assert [clip.index for clip in reel.clips] == [0, 1, 2, 3]
    assert len(reel.scaled) == 10


def test_silence_ends_the_epoch_and_counts_what_it_cost() -> None:
    reel = Reel().show(film(25, 1.5)).show(film(25, 1.0, start=4.0))
    assert reel.gaps == [("silence", 4)]  # samples at 1.0, 1.125, 1.25, 1.375
    assert [(clip.epoch, clip.index) for clip in reel.clips] == [(0, 0), (1, 0)]
    assert reel.clips[1].start == pytest.approx(T0 + 4.0)
    assert reel.numbers()[1][0] == 38  # never the picture from before the silence


@pytest.mark.parametrize(("step", "gaps"), [(1.0, 0), (1.1, 0), (1.2, 1)])
def test_how_long_silence_is(step: float, gaps: int) -> None:
    assert len(Reel().show([0.0, step]).gaps) == gaps


def test_a_silence_after_complete_clips_costs_nothing() -> None:
    reel = Reel().show(film(8, 2.0)).show([9.0])
    assert reel.gaps == [("silence", 0)]


def test_an_overlapping_clip_costs_only_samples_of_no_clip() -> None:
    timing = ClipTiming(size=2, frames=4, clip_seconds=1.0, stride_seconds=0.5)
    reel = Reel(timing).show(film(4, 1.25))
    reel.window.gap("resolution")
    assert reel.gaps == [("resolution", 1)]


def test_a_gap_begins_a_new_epoch_on_a_new_clock() -> None:
    reel = Reel().show(film(25, 1.2))
    reel.window.gap("backwards")
    reel.show(film(25, 1.0, start=0.5))  # pts may begin anywhere, even in the past
    assert reel.gaps == [("backwards", 2)]
    assert [(clip.epoch, clip.index) for clip in reel.clips] == [(0, 0), (1, 0)]


def test_gaps_in_a_row_are_one() -> None:
    reel = Reel()
    reel.window.gap("timeout")
    reel.show([0.0])
    reel.window.gap("timeout")
    reel.window.gap("refused")
    assert reel.gaps == [("timeout", 1)]


def test_a_damaged_picture_marks_only_the_clips_it_is_in() -> None:
    reel = Reel()
    for k in range(32):
        reel.clips += reel.window.observe(k, k / 8, T0 + k / 8, damaged=k == 12)
    assert [clip.damaged for clip in reel.clips] == [False, True, False, False]


@pytest.mark.parametrize(("fps", "clips"), [(6, 2), (8, 2), (7, 2), (25, 2)])
def test_the_end_of_a_file_completes_a_clip_as_in_training(fps: int, clips: int) -> None:
    reel = Reel().show(film(fps, 2.0))  # at 6 a second the last picture is at 1.833, the last sample at 1.875
    reel.clips += reel.window.finish()
    assert len(reel.clips) == clips


def test_an_empty_stream_has_no_end() -> None:
    assert Reel().window.finish() == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"size": 0}, "positive"),
        ({"frames": 0}, "positive"),
        ({"clip_seconds": -1.0}, "positive"),
        ({"stride_seconds": 2.0}, "between"),
        ({"stride_seconds": 0.0}, "between"),
        ({"stride_seconds": 0.3}, "multiple"),
    ],
)
def test_impossible_timings_are_refused(change: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ClipTiming(**({"size": 2} | change))  # type: ignore[arg-type]


timings = st.sampled_from(
    [
        SECOND,
        ClipTiming(size=2, stride_seconds=0.5),
        ClipTiming(size=2, frames=16, clip_seconds=2.0, stride_seconds=0.5),
        ClipTiming(size=2, frames=1, clip_seconds=1.0),
    ]
)
frame_rates = st.floats(1, 120)


@given(frame_rates, st.floats(0, 1e5), timings)
def test_any_frame_rate_gives_what_training_gives(fps: float, start: float, timing: ClipTiming) -> None:
    times = film(fps, 5.0, start)
    reel = Reel(timing).show(times)
    assert reel.numbers() == expected(times, timing)
    assert reel.gaps == []


@given(st.lists(st.floats(0.0, 3.0), min_size=1, max_size=150), timings)
def test_clips_never_span_a_gap_and_time_runs_forward(steps: list[float], timing: ClipTiming) -> None:
    times = [float(t) for t in np.cumsum(steps)]
    reel = Reel(timing).show(times)
    broken = [i for i, step in enumerate(steps) if i and times[i] - times[i - 1] > timing.silence_seconds]
    assert [reason for reason, _ in reel.gaps] == ["silence"] * len(broken)
    for clip, numbers in zip(reel.clips, reel.numbers(), strict=True):
        assert len(clip.frames) == timing.frames
        assert numbers == sorted(numbers)
        assert (
            clip.epoch == sum(first <= numbers[0] for first in broken) == sum(first <= numbers[-1] for first in broken)
        )
    for before, after in pairwise(reel.clips):
        assert after.start > before.start
        assert after.index == (before.index + 1 if after.epoch == before.epoch else 0)
