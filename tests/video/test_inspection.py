"""A look at real streams."""

import time
from pathlib import Path

import pytest

from streamwatch.errors import SourceError
from streamwatch.secret import SecretUrl
from streamwatch.video.h264 import film_scene
from streamwatch.video.inspection import inspect
from streamwatch.video.picture import Opening
from streamwatch.video.synthetic import Scene
from tests.video.rtsp import RtspServer, free_port, gstreamer_missing, make_film


def opening(url: str) -> Opening:
    return Opening(SecretUrl(url), wait=time.sleep)


@pytest.mark.skipif(bool(gstreamer_missing()), reason="GStreamer's RTSP server is not installed")
def test_a_live_camera(tmp_path: Path) -> None:
    film = film_scene(Scene("walk", seed=1, size=(320, 180), duration=12), tmp_path)
    server = RtspServer({"cam": film}).start()
    try:
        found = inspect(opening(server.url("cam")), 8.0)
    finally:
        server.kill()
    assert (found.codec, found.size, found.dated, found.errors) == ("h264", (320, 180), True, 0)
    assert 8 < found.fps < 60
    assert found.keyframe_interval is not None
    assert 0 < found.keyframe_interval < 6
    assert 0 < found.first < 8
    assert 0 < found.decode < 0.5


def test_a_short_recording_is_judged_by_what_it_has(tmp_path: Path) -> None:
    path = tmp_path / "short.mp4"
    make_film(path)
    found = inspect(opening(f"file:{path}"), 30.0)
    assert found.codec == "h264"
    assert found.fps > 1


def test_a_scene_has_no_codec() -> None:
    found = inspect(opening("synthetic:walk?seed=2&duration=6&size=160x90"), 2.0)
    assert (found.codec, found.size, found.keyframe_interval) == (None, (160, 90), None)
    assert found.fps > 5


def test_a_camera_that_is_not_there() -> None:
    with pytest.raises(SourceError) as caught:
        inspect(opening(f"rtsp://user:S3CR3T@127.0.0.1:{free_port()}/x"), 3.0)
    assert caught.value.reason == "refused"
    assert "S3CR3T" not in str(caught.value)
