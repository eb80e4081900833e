"""Stillness: pure, so a camera is a list of sizes and what its seconds would show if they were decoded."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamwatch.video.stillness import STATES, Stillness

FPS = 10
KEYFRAME = 20_000
Sizes = Callable[[random.Random, bool], float]


def quiet(rng: random.Random, moving: bool) -> float:
    """An encoder with quality as its aim: a still picture costs next to nothing."""
    return rng.uniform(1500, 4000) if moving else rng.uniform(100, 120)


def noisy(rng: random.Random, moving: bool) -> float:
    """Noise is most of what is encoded; motion adds half as much again."""
    return rng.uniform(9_000, 14_000) if moving else rng.uniform(6_000, 7_000)


def constant(rng: random.Random, moving: bool) -> float:
    """Constant bitrate: motion makes the picture worse, not larger."""
    return rng.uniform(3_900, 4_100)


class Camera:
    """Plays ``sizes`` second by second; a second that is not still is looked at, as the live path does. So is one that
    must be proved, as what the proof is worth is not the sizes' affair.
    """

    def __init__(self, sizes: Sizes = quiet, gop: int = 20) -> None:
        self.stillness = Stillness()
        self.states: list[str] = []
        self._sizes = sizes
        self._gop = gop
        self._rng = random.Random(7)
        self._packet = 0

    @property
    def pts(self) -> float:
        """Of the next packet."""
        return self._packet / FPS

    def play(self, seconds: float, moving: bool = False, scale: float = 1.0, motion: float | None = None) -> list[bool]:
        """For each packet whether its size alone tells of stillness; ``motion``: what pixels would show."""
        shown = (5.0 if moving else 0.1) if motion is None else motion
        found: list[bool] = []
        for _ in range(round(seconds * FPS)):
            key = self._packet % self._gop == 0
            if key:
                self.stillness.spaced(self.pts)
            size = KEYFRAME if key else round(scale * self._sizes(self._rng, moving))
            found.append(self.stillness.observe(self.pts, size, key) and self.stillness.sure)
            self.states.append(self.stillness.state)
            self._packet += 1
            if self._packet % FPS == 0 and not any(found[-FPS:]):
                self.stillness.looked(self.pts - 1 / FPS, 0.9, shown)
        return found


def test_a_camera_is_decoded_until_it_is_known() -> None:
    camera = Camera()
    assert not any(camera.play(5))
    assert set(camera.states) == {"learning"}
    still = camera.play(60)
    assert sum(still) > 0.9 * len(still)


def test_the_first_packets_of_motion_end_the_stillness() -> None:
    camera = Camera()
    camera.play(30)
    found = camera.play(3, moving=True)
    assert found.index(False) <= 0.2 * FPS
    assert not any(found[found.index(False) :])


def test_it_is_still_again_soon_after_the_motion_ends() -> None:
    camera = Camera()
    camera.play(30)
    camera.play(5, moving=True)
    found = camera.play(10)
    assert 1.0 * FPS <= found.index(True) <= 3.5 * FPS
    assert all(found[found.index(True) :])


def test_noise_is_told_from_motion_once_both_were_seen() -> None:
    camera = Camera(noisy)
    camera.play(20)
    assert not camera.stillness.sure  # large packets: motion might hide in them
    camera.play(15, moving=True)
    camera.play(10)
    still = camera.play(60)
    assert sum(still) > 0.8 * len(still)
    found = camera.play(3, moving=True)
    assert found.index(False) <= 0.5 * FPS


@pytest.mark.parametrize("moving", [0, 20])
def test_constant_bitrate_says_nothing_and_must_be_proved(moving: int) -> None:
    camera = Camera(constant)
    assert not any(camera.play(20) + camera.play(moving, moving=True) + camera.play(60))
    assert camera.states[-1] == "still"


@pytest.mark.parametrize("sizes", [noisy, constant])
def test_where_keyframes_are_far_apart_nothing_can_be_proved(sizes: Sizes) -> None:
    camera = Camera(sizes, gop=26)
    camera.play(60)
    assert set(camera.states) == {"learning"}
    camera.play(60, moving=True)
    camera.play(60)
    assert "still" not in camera.states or camera.stillness.sure
    assert camera.states[-1] == ("still" if sizes is noisy else "uninformative")


def test_motion_that_must_be_proved_shows_in_much_larger_packets_at_once() -> None:
    camera = Camera(noisy)
    camera.play(20)
    assert camera.states[-1] == "still"
    camera.play(1, moving=True, scale=1.5)
    assert camera.states[-1] == "active"


def test_a_picture_that_moves_all_the_time_is_never_still() -> None:
    camera = Camera()
    assert not any(camera.play(120, moving=True))


def test_motion_that_sizes_do_not_show_ends_the_trust_in_them() -> None:
    """What is decoded for another reason, and shows motion, is remembered."""
    camera = Camera()
    camera.play(60)
    assert all(camera.play(10, scale=0.95, motion=4.0))
    for _ in range(8):
        camera.stillness.wake(camera.pts)
        camera.play(3, scale=0.95, motion=4.0)
    assert not camera.stillness.sure
    assert not any(camera.play(20))


def test_a_keyframe_that_differs_is_looked_into_for_a_while() -> None:
    camera = Camera()
    camera.play(30)
    assert camera.stillness.compared(camera.pts, 0.4)
    assert all(camera.play(5))
    assert not camera.stillness.compared(camera.pts, 3.0)
    found = camera.play(10)
    assert not any(found[: 2 * FPS])
    assert all(found[4 * FPS :])


def test_the_limit_follows_noise_that_wanes() -> None:
    camera = Camera()
    camera.play(30)
    camera.play(60, scale=0.3)  # dawn
    assert not all(camera.play(2, scale=0.9, motion=5.0))  # what was noise at night is motion now


def test_the_limit_follows_noise_that_grows() -> None:
    camera = Camera()
    camera.play(30)
    for step in range(10):
        camera.play(20, scale=1.0 + step / 5)
    found = camera.play(60, scale=2.8)
    assert sum(found) > 0.8 * len(found)


def test_a_stream_of_keyframes_is_never_still() -> None:
    camera = Camera(gop=1)
    assert not any(camera.play(60))


def test_one_frame_a_second_is_enough() -> None:
    stillness = Stillness()
    for second in range(60):
        if not stillness.observe(second, 9_000 if second % 10 == 0 else 100, second % 10 == 0):
            stillness.looked(second, 0.9, 0.1)
    assert stillness.state == "still"
    assert not stillness.observe(60.5, 3_000, False)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(-1e6, 1e6), st.integers(0, 10**7), st.booleans(), st.one_of(st.none(), st.floats(0, 255))),
        max_size=60,
    )
)
def test_whatever_comes_there_is_an_answer(packets: list[tuple[float, int, bool, float | None]]) -> None:
    stillness = Stillness()
    for pts, size, keyframe, motion in packets:
        still = stillness.observe(pts, size, keyframe)
        assert stillness.state in STATES
        assert still == (stillness.state == "still")
        if motion is not None:
            stillness.looked(pts, 0.9, motion)


@pytest.mark.parametrize("sizes", [quiet, noisy, constant])
def test_no_motion_of_a_minute_goes_unseen(sizes: Sizes) -> None:
    camera = Camera(sizes)
    for _ in range(10):
        camera.play(45)
        found = camera.play(15, moving=True)
        assert sum(found) <= 0.5 * FPS
