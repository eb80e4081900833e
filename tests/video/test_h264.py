"""Films made of scenes and of other people's videos, read back with PyAV."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from streamwatch.errors import ConfigError
from streamwatch.video.h264 import film_scene, film_video
from streamwatch.video.synthetic import Scene

SCENE = Scene("walk", 2, (160, 90), duration=5)


def facts(path: Path) -> tuple[str, int, list[int], list[float], bool]:
    """Codec, frames, numbers of the key frames, pts, whether decoding order differs from showing order."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        packets = [p for p in container.demux(stream) if p.size]
        times = [float((p.pts or 0) * p.time_base) for p in packets]
        keys = [n for n, p in enumerate(packets) if p.is_keyframe]
        return stream.codec_context.name, len(packets), keys, times, times != sorted(times)


def write(path: Path, codec: str, options: dict[str, str], frames: int = 30, size: tuple[int, int] = (160, 90)) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=15, options=options)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        rng = np.random.default_rng(0)
        for number in range(frames):
            image = rng.integers(0, 255, (size[1], size[0], 3), dtype=np.uint8) // 4
            image[:, (number * 4) % size[0]] = 255
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 15)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_a_scene_becomes_h264_with_a_key_frame_every_two_seconds_and_no_b_frames(tmp_path: Path) -> None:
    done: list[int] = []
    path = film_scene(SCENE, tmp_path / "films", done.append)
    codec, frames, keys, times, shuffled = facts(path)
    assert (codec, frames, keys, shuffled) == ("h264", 125, [0, 50, 100], False)
    assert times == pytest.approx([n / 25 for n in range(125)], abs=1e-3)
    assert done == list(range(125))


def test_the_film_shows_the_scene(tmp_path: Path) -> None:
    with av.open(str(film_scene(SCENE, tmp_path))) as container:
        shown = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
    for number in (0, 60, 124):
        assert np.abs(shown[number].astype(int) - SCENE.render(number / 25)).mean() < 8


def test_a_scene_is_filmed_once(tmp_path: Path) -> None:
    first = film_scene(SCENE, tmp_path)
    written = first.stat().st_mtime_ns
    assert film_scene(SCENE, tmp_path) == first
    assert first.stat().st_mtime_ns == written
    assert film_scene(Scene("walk", 3, (160, 90), duration=5), tmp_path) != first


def test_a_film_that_was_broken_off_leaves_nothing(tmp_path: Path) -> None:
    def stop(number: int) -> None:
        if number == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        film_scene(SCENE, tmp_path, stop)
    assert list(tmp_path.iterdir()) == []


def test_plain_h264_is_copied_packet_by_packet(tmp_path: Path) -> None:
    source = write(tmp_path / "in.mkv", "libx264", {"bf": "0"})
    target = film_video(source, tmp_path / "films")
    with av.open(str(source)) as before, av.open(str(target)) as after:
        sizes = [[p.size for p in c.demux(video=0) if p.size] for c in (before, after)]
    assert sizes[0] == sizes[1]
    assert film_video(source, tmp_path / "films") == target


@pytest.mark.parametrize(("codec", "options"), [("libx264", {"bf": "3", "g": "30"}), ("mpeg4", {})])
def test_what_rtsp_cannot_carry_is_encoded_again(tmp_path: Path, codec: str, options: dict[str, str]) -> None:
    target = film_video(write(tmp_path / "in.mp4", codec, options), tmp_path / "films")
    name, frames, keys, times, shuffled = facts(target)
    assert (name, frames, keys[0], shuffled) == ("h264", 30, 0, False)
    assert times == pytest.approx([n / 15 for n in range(30)], abs=1e-3)


def test_a_wide_picture_is_made_smaller(tmp_path: Path) -> None:
    target = film_video(write(tmp_path / "in.avi", "mpeg4", {}, 3, (1602, 200)), tmp_path)
    with av.open(str(target)) as container:
        context = container.streams.video[0].codec_context
        assert (context.width, context.height) == (1280, 158)


def test_what_is_no_video_is_refused_by_name(tmp_path: Path) -> None:
    text, sound = tmp_path / "notes.mp4", tmp_path / "sound.wav"
    text.write_text("not a video")
    with av.open(str(sound), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    for path, message in ((text, "notes.mp4"), (tmp_path / "absent.mp4", "absent.mp4"), (sound, "no video")):
        with pytest.raises(ConfigError, match=message):
            film_video(path, tmp_path / "films")
