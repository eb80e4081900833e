"""Frozen is what shows nothing new; a still scene shows its noise."""

import io
from collections.abc import Callable, Iterator
from itertools import pairwise

import av
import numpy as np
import pytest

from streamwatch.video.frame import Image
from streamwatch.video.scale import scale
from streamwatch.video.standstill import FROZEN_AFTER, KEPT, Standstill
from tests.video.scenes import NEAR, grey, scene, view

FPS = 8


def frozen_at(seconds: Iterator[Image]) -> list[int]:
    """The seconds at which it is frozen."""
    subject = Standstill()
    return [k for k, frames in enumerate(seconds) if subject.observe(frames, grey(frames), k, 1.0)]


def encoded(picture: Callable[[int], Image], seconds: int, keyframes: int, crf: int) -> Iterator[Image]:
    """``picture(k)`` through x264 and back, uint8 [FPS, S, S, 3] a second."""
    file = io.BytesIO()
    with av.open(file, "w", "mp4") as out:
        options = {"preset": "veryfast", "tune": "zerolatency", "crf": str(crf), "sc_threshold": "0"}
        stream = out.add_stream("libx264", rate=FPS, options=options)
        stream.width = stream.height = 2 * NEAR
        stream.pix_fmt, stream.gop_size = "yuv420p", keyframes * FPS
        for k in range(seconds * FPS):
            large = np.ascontiguousarray(picture(k).repeat(2, 0).repeat(2, 1))
            out.mux(stream.encode(av.VideoFrame.from_ndarray(large, format="rgb24")))
        out.mux(stream.encode())
    file.seek(0)
    with av.open(file, "r") as back:
        pictures = [scale(frame, NEAR) for frame in back.decode(video=0)]
    for k in range(seconds):
        yield np.stack(pictures[k * FPS : (k + 1) * FPS])


def test_one_picture_over_and_over_is_frozen() -> None:
    picture = view(scene(1), np.random.default_rng(0))
    frozen = frozen_at(picture for _ in range(40))
    assert frozen == list(range(20, 40))
    assert FROZEN_AFTER == 20


def test_noise_is_not_frozen() -> None:
    rng, room = np.random.default_rng(0), scene(1)
    assert frozen_at(view(room, rng, noise=0.3) for _ in range(120)) == []


def test_a_new_picture_ends_it_at_once() -> None:
    rng, room = np.random.default_rng(0), scene(1)
    stuck = view(room, rng)
    assert frozen_at(iter([stuck] * 30 + [view(room, rng) for _ in range(10)])) == list(range(20, 30))


@pytest.mark.parametrize(("keyframes", "crf"), [(2, 23), (10, 40)])
def test_a_sensor_that_hangs_behind_an_encoder_is_frozen(keyframes: int, crf: int) -> None:
    stuck = view(scene(2), np.random.default_rng(0))[0]
    frozen = frozen_at(encoded(lambda k: stuck, 60, keyframes, crf))
    assert frozen
    assert frozen[0] <= 55  # 20 s after the encoder has come to rest: two or three keyframes
    assert frozen == list(range(frozen[0], 60))


@pytest.mark.parametrize(("keyframes", "crf"), [(2, 23), (10, 40)])
def test_a_still_scene_behind_an_encoder_that_skips_its_noise_is_not(keyframes: int, crf: int) -> None:
    rng, room = np.random.default_rng(0), scene(2)
    seconds = list(encoded(lambda k: view(room, rng, noise=1.0)[0], 50, keyframes, crf))
    assert frozen_at(iter(seconds)) == []


def test_encoders_do_leave_out_the_noise() -> None:
    rng, room = np.random.default_rng(0), scene(2)
    pictures = np.concatenate(list(encoded(lambda k: view(room, rng, noise=1.0)[0], 12, 10, 40)))
    alike = [np.array_equal(a, b) for a, b in pairwise(pictures)]
    assert max(len(run) for run in "".join("x" if same else " " for same in alike).split()) > FPS  # over a second


def test_a_lamp_that_blinks_each_second_is_something_new_only_once() -> None:
    room = scene(3)
    dark, lit = view(room, np.random.default_rng(0), noise=0)[0], view(room, np.random.default_rng(0), noise=0)[0]
    lit[:9, :9] = 255
    seconds = [np.stack([lit] * 4 + [dark] * 4), np.stack([dark] * 4 + [lit] * 4)]
    assert frozen_at(seconds[k % 2] for k in range(60)) == []  # it moves further than an encoder's error


def test_a_short_film_in_a_loop_is_not_frozen() -> None:
    rooms = [view(scene(5), np.random.default_rng(0), turn=(k, 0), noise=0) for k in range(10)]
    assert frozen_at(rooms[k % 10] for k in range(90)) == []


def test_memory_is_bounded() -> None:
    rng, subject, room = np.random.default_rng(0), Standstill(), scene(1)
    for k in range(KEPT + 50):
        frames = view(room, rng)
        subject.observe(frames, grey(frames), k, 1.0)
    assert len(subject._known) == KEPT
