"""States of a camera's eyesight: what brings them, what does not, how long they take."""

import os
from collections.abc import Callable
from itertools import groupby
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from streamwatch.secret import SecretUrl
from streamwatch.video.camera import read_clips
from streamwatch.video.frame import Image
from streamwatch.video.sight import ADOPT, CHECKS, LEARN, Sight
from streamwatch.video.stillness import Stillness
from streamwatch.video.window import ClipTiming
from tests.video.scenes import FAR, NEAR, noisy, scene, view

Change = Callable[[Image], Image]
"""What becomes of one picture, uint8 [160, 160, 3]."""

GLITTER = np.random.default_rng(3)
DATA = Path(os.environ.get("STREAMWATCH_DATA", Path(__file__).parents[2] / "../shared/data"))


class Watch:
    """A camera over a made-up room, one look a second."""

    def __init__(self, seed: int = 1, **options: object) -> None:
        self.rng = np.random.default_rng(seed)
        self.room = scene(seed)
        self.sight = Sight(**options)  # type: ignore[arg-type]
        self.second = 0
        self.states: list[str] = []
        self.see(LEARN + 10)

    def see(self, seconds: int, change: Change = lambda picture: picture, turn: tuple[int, int] = (0, 0)) -> list[str]:
        """The states of the next ``seconds``."""
        for _ in range(seconds):
            self.states.append(self.sight.observe(change(view(self.room, self.rng, turn)[0])[None], self.second))
            self.second += 1
        return self.states[-seconds:]


def runs(states: list[str]) -> list[tuple[str, int]]:
    return [(state, len(list(run))) for state, run in groupby(states)]


def black(picture: Image) -> Image:
    return (picture * 0.05).astype(np.uint8)


def blurred(picture: Image) -> Image:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 2.5), np.uint8)


def taped(picture: Image) -> Image:
    tape = np.linspace(90, 130, NEAR)[None, :, None].repeat(NEAR, 0).repeat(3, 2)
    return noisy(tape.astype(np.uint8), GLITTER, 1.0)


def truck(picture: Image) -> Image:
    passing = picture.copy()
    passing[30:, 20:110] = (60, 70, 140)
    return passing


def dim(picture: Image) -> Image:
    return (picture * 0.35).astype(np.uint8)


def infrared(picture: Image) -> Image:
    lamp = np.exp(-((np.linspace(-1, 1, NEAR)[:, None] ** 2 + np.linspace(-1, 1, NEAR)[None] ** 2) / 1.2))
    seen = np.clip(picture.mean(-1, keepdims=True) * (0.4 + 0.9 * lamp[..., None]), 0, 255)
    return np.asarray(seen.repeat(3, 2), np.uint8)


@pytest.mark.parametrize(
    ("state", "change", "after"), [("dark", black, 10), ("covered", taped, 10), ("blurred", blurred, 15)]
)
def test_a_sign_that_lasts_is_a_state_and_its_end_another(state: str, change: Change, after: int) -> None:
    watch = Watch()
    assert runs(watch.see(30, change)) == [("online", after - 1), (state, 30 - after + 1)]
    back = runs(watch.see(30))
    assert back == [(state, CHECKS[state][1] - 1), ("online", 30 - CHECKS[state][1] + 1)]


@pytest.mark.parametrize("turn", [(16, 0), (-16, 0), (0, 16), (35, -30)])
def test_a_turned_camera_is_moved_until_it_is_turned_back(turn: tuple[int, int]) -> None:
    watch = Watch()
    ((before, waited), (state, _)) = runs(watch.see(40, turn=turn))
    assert (before, state) == ("online", "moved")
    assert 15 <= waited <= 25
    assert watch.see(20)[-1] == "online"


def test_the_new_view_becomes_the_reference() -> None:
    watch = Watch()
    states = runs(watch.see(int(ADOPT) + 120, turn=(30, 10)))
    assert [state for state, _ in states] == ["online", "moved", "online"]
    assert states[1][1] == pytest.approx(ADOPT, abs=2)
    assert watch.see(40)[-1] == "moved"


def test_one_picture_for_ever_is_frozen_and_ends_with_the_next() -> None:
    watch = Watch()
    stuck = view(watch.room, watch.rng)[0]
    assert runs(watch.see(30, lambda _: stuck)) == [("online", 20), ("frozen", 10)]
    assert watch.see(1) == ["online"]


def test_a_change_that_is_not_among_the_pictures_keeps_them_from_being_frozen() -> None:
    watch = Watch()
    stuck = view(watch.room, watch.rng)
    states = [watch.sight.observe(stuck, watch.second + k / 2, changed=k % 8 == 3) for k in range(120)]
    assert set(states) == {"online"}
    assert watch.sight.observe(stuck, watch.second + 60) == "online"
    assert [watch.sight.observe(stuck, watch.second + 61 + k) for k in range(20)][-1] == "frozen"


@pytest.mark.parametrize("change", [truck, dim, infrared])
def test_a_truck_or_another_light_is_none(change: Change) -> None:
    watch = Watch()
    assert set(watch.see(120, change)) == {"online"}
    assert set(watch.see(120)) == {"online"}


def test_night_infrared_and_morning_are_no_new_view() -> None:
    watch = Watch()
    watch.see(200, lambda picture: noisy(infrared(picture), watch.rng, 6.0))
    watch.see(60)
    assert set(watch.states) == {"online"}


@pytest.mark.parametrize(("change", "seconds"), [(black, 9), (taped, 9), (blurred, 14)])
def test_a_short_sign_is_none(change: Change, seconds: int) -> None:
    watch = Watch()
    for _ in range(3):
        watch.see(seconds, change)
        watch.see(3)
    assert set(watch.states) == {"online"}


def test_somebody_near_the_lens_for_a_while_is_none() -> None:
    watch = Watch()
    for _ in range(4):
        watch.see(8, lambda _: view(scene(5), watch.rng)[0])
        watch.see(4)
    assert set(watch.states) == {"online"}


def test_the_first_of_the_table_is_told() -> None:
    watch = Watch()
    assert list(CHECKS) == ["frozen", "covered", "dark", "moved", "blurred"]
    stuck = black(view(watch.room, watch.rng)[0])
    assert [state for state, _ in runs(watch.see(40, lambda _: stuck))] == ["online", "dark", "frozen"]


def test_time_that_was_not_seen_does_not_count() -> None:
    watch = Watch()
    watch.see(5, black)
    watch.second += 3600
    assert watch.see(3, black) == ["online"] * 3
    assert watch.see(3, black)[-1] == "dark"


def test_a_camera_that_was_turned_while_it_was_away_is_moved() -> None:
    watch = Watch()
    watch.second += 3600
    assert watch.see(40, turn=(40, 0))[-1] == "moved"


def test_many_clips_a_second_are_one_look() -> None:
    watch = Watch()
    for k in range(72):
        state = watch.sight.observe(black(view(watch.room, watch.rng)[0])[None], watch.second + k / 8)
    assert state == "online"  # 8 looks of a second or a little more
    for k in range(72, 104):
        state = watch.sight.observe(black(view(watch.room, watch.rng)[0])[None], watch.second + k / 8)
    assert state == "dark"


@pytest.mark.parametrize(("check", "change"), [("dark", black), ("covered", taped), ("blurred", blurred)])
def test_a_check_can_be_switched_off(check: str, change: Change) -> None:
    watch = Watch(checks=[name for name in CHECKS if name != check])
    assert check not in watch.see(60, change)


def test_a_camera_that_turns_by_itself_is_not_moved() -> None:
    watch = Watch(checks=[name for name in CHECKS if name != "moved"])
    for k in range(6):
        watch.see(40, turn=((k % 3 - 1) * 30, 0))
    assert set(watch.states) == {"online"}


def test_masked_parts_count_for_nothing() -> None:
    hidden = np.zeros((NEAR, NEAR), bool)
    hidden[:, 40:] = True

    def masked(picture: Image) -> Image:
        return np.where(hidden[..., None], 0, picture).astype(np.uint8)

    watch = Watch(hidden=hidden)
    assert set(watch.see(60, masked)) == {"online"}  # three quarters are black
    assert watch.see(20, lambda picture: masked(taped(picture)))[-1] == "covered"
    everything = Sight(np.ones((NEAR, NEAR), bool))
    blank = np.zeros((1, NEAR, NEAR, 3), np.uint8)
    states = [everything.observe(blank, k) for k in range(30)]
    assert set(states[:15]) == {"online"}


def test_a_uniform_picture_is_covered_though_nothing_was_known() -> None:
    rng, sight = np.random.default_rng(0), Sight()
    grey = np.full((NEAR, NEAR, 3), 128, np.uint8)
    assert [sight.observe(noisy(grey, rng, 1.0)[None], k) for k in range(15)] == ["online"] * 10 + ["covered"] * 5


@pytest.mark.parametrize("size", [8, 96, 224])
def test_pictures_of_any_size_are_looked_at(size: int) -> None:
    rng, sight = np.random.default_rng(0), Sight(np.zeros((size, size), bool))
    room = cv2.resize(scene(1), (size, size), interpolation=cv2.INTER_AREA)
    assert {sight.observe(noisy(room, rng, 2.0)[None], k) for k in range(60)} == {"online"}


def test_hours_of_a_still_room_in_slow_daylight_are_online() -> None:
    """A day in a quarter of an hour, so a hundred times as fast as one: light and its side drift."""
    rng, sight, room = np.random.default_rng(0), Sight(), scene(1)[40 : 40 + NEAR, 40 : 40 + NEAR]
    side = np.linspace(-1, 1, NEAR)[None, :, None]
    for k in range(900):
        day = k / 900 * 2 * np.pi
        light = 0.65 + 0.35 * np.cos(day) + 0.2 * np.sin(day) * side
        assert sight.observe(noisy((room * light).clip(0, 255), rng, 1.5)[None], k) == "online", k


def feed_clips(path: Path, limit: int) -> list[Image]:
    clips = read_clips(SecretUrl(path.resolve().as_uri()), ClipTiming(NEAR))
    return [clip.frames for clip, _ in zip(clips, range(limit), strict=False)]


@pytest.mark.data
@pytest.mark.parametrize(
    "path",
    [
        "feeds/pedestrians.mp4",
        "clips/frigate_motion/normal/frigate_motion_1.mp4",
        "clips/lab4cam/normal/lab_cam0.mp4",
        "clips/web_traffic/normal/highway_24s.mp4",
    ],
)
def test_a_real_feed_is_online_and_what_is_done_to_it_is_seen(path: str) -> None:
    if not (DATA / path).exists():
        pytest.skip(f"no {DATA / path}")
    seconds = feed_clips(DATA / path, 60)
    sight = Sight()
    states = [sight.observe(seconds[k % len(seconds)], k) for k in range(150)]
    assert set(states) == {"online"}
    k = 150
    for state, change in (("dark", black), ("covered", taped), ("moved", turned)):
        for _ in range(40):
            said = sight.observe(change(seconds[k % len(seconds)][-1])[None], k)
            k += 1
        assert said == state
        for _ in range(20):
            said = sight.observe(seconds[k % len(seconds)], k)
            k += 1
        assert said == "online"
    stuck = seconds[0]
    assert [sight.observe(stuck, k + i) for i in range(30)][-1] == "frozen"


def turned(picture: Image) -> Image:
    """By a quarter of the picture."""
    return np.asarray(np.roll(picture, FAR // 6, (0, 1)), np.uint8)


@pytest.mark.parametrize(("noise", "expected"), [(1.0, {"online"}), (0.0, {"online", "frozen"})])
def test_decoding_on_demand_repeats_pictures_and_freezes_none(tmp_path: Path, noise: float, expected: set[str]) -> None:
    rng, room, path = np.random.default_rng(0), scene(2), tmp_path / "film.mp4"
    with av.open(str(path), "w") as film:
        options = {"preset": "veryfast", "tune": "zerolatency", "crf": "28", "g": "20", "sc_threshold": "0"}
        stream = film.add_stream("libx264", rate=10, options=options)
        stream.width = stream.height = 2 * NEAR
        stream.pix_fmt = "yuv420p"
        for _ in range(600):
            large = np.ascontiguousarray(view(room, rng, noise=noise)[0].repeat(2, 0).repeat(2, 1))
            film.mux(stream.encode(av.VideoFrame.from_ndarray(large, format="rgb24")))
        film.mux(stream.encode())
    sight, stillness, differed, states, repeated = Sight(), Stillness(), 0, [], 0
    for clip in read_clips(SecretUrl(path.as_uri()), ClipTiming(NEAR), stillness=stillness):
        states.append(sight.observe(clip.frames, clip.end, stillness.differed != differed))
        differed = stillness.differed
        repeated += clip.still > 0
    assert repeated > 20
    assert set(states) == expected
