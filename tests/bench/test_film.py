"""The film of a measurement."""

import itertools
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from streamwatch.bench.film import WALKERS, Film, bench_film
from streamwatch.errors import ConfigError


def test_is_made_once_and_says_what_it_is(film: Film) -> None:
    made = film.path.stat().st_mtime_ns
    scene = WALKERS.__class__("walk", 0, (320, 180), 10.0, 4)
    assert bench_film(film.path.parent, scene=scene) == film
    assert film.path.stat().st_mtime_ns == made
    assert (film.width, film.height, film.fps) == (320, 180, 10)
    assert 50_000 < film.bits < 4_000_000
    assert "320x180" in str(film)


def test_is_encoded_as_a_camera_does_it(film: Film) -> None:
    with av.open(str(film.path)) as container:
        stream = container.streams.video[0]
        keys = [packet.is_keyframe for packet in container.demux(stream) if packet.size]
        assert stream.codec_context.profile in ("High", "Main")  # a draft would be Baseline: cheaper to decode
    assert keys[0]
    assert [i for i, key in enumerate(keys) if key] == [0, 20]  # 2 s


def test_somebody_moves_at_any_time() -> None:
    for t in range(1, int(WALKERS.duration), 2):
        a, b = (cv2.resize(WALKERS.render(t + dt), (160, 90), interpolation=cv2.INTER_AREA) for dt in (0.0, 0.25))
        assert np.mean(cv2.absdiff(a, b) > 12) > 0.005, f"nothing moves at {t} s"


def test_a_video_of_ones_own_is_taken(film: Film, tmp_path: Path) -> None:
    own = bench_film(tmp_path, film.path)
    assert own.path != film.path
    assert (own.width, own.height, own.fps) == (320, 180, 10)


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.mp4").write_bytes(bytes(itertools.repeat(7, 1000)))
    with pytest.raises(ConfigError, match=r"x\.mp4"):
        bench_film(tmp_path, tmp_path / "x.mp4")
