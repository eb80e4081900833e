"""Recordings through the live stages."""

from pathlib import Path

import av
import numpy as np
import pytest

from streamwatch import detect
from streamwatch.config import ZoneConfig
from streamwatch.errors import ConfigError, SourceError
from streamwatch.metrics import Metrics
from streamwatch.models.inference import Inference
from streamwatch.models.onnx import OnnxModel
from streamwatch.models.pack import load_pack
from streamwatch.models.zone import zone_cells
from streamwatch.offline import Recording, camera_name, open_recording, score_log, source_url
from streamwatch.plan import shipped_rules
from streamwatch.rules.book import RuleBook
from streamwatch.rules.loading import load_rules
from streamwatch.rules.vocabulary import Vocabulary
from streamwatch.secret import SecretUrl
from streamwatch.sinks.score_files import read_rows
from streamwatch.video.camera import read_clips
from streamwatch.video.window import ClipTiming

SCENE = "synthetic:fight?seed=6&duration=8&size=320x180"


def recording(*zones: ZoneConfig) -> Recording:
    pack = load_pack("bundled")
    rules = load_rules([shipped_rules()], Vocabulary(frozenset(pack.card.events), ("fight",), {}))
    return Recording(SecretUrl(SCENE), "fight", OnnxModel(pack, "cpu"), RuleBook(rules, salt=""), zones)


def test_one_detection_a_second_in_media_time() -> None:
    detections = list(detect(SCENE))
    assert (detections[0].start, len(detections)) == (0.0, 8)
    assert np.diff([d.end for d in detections]) == pytest.approx(np.ones(7), abs=0.05)
    assert detections[0].camera == "synthetic_fight"
    assert all(0 <= p <= 1 for d in detections for p in d.scores.values())


def test_the_same_recording_gives_the_same_alerts() -> None:
    first, second = ([step.alerts for step in recording().steps()] for _ in range(2))
    assert first == second


def test_live_cameras_are_scored_as_each_recording_alone() -> None:
    """Whatever other cameras are encoded and scored in the same batch."""
    zone = ZoneConfig(name="left", polygon=[(0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)])
    alone = [step.detections for step in recording(zone).steps()][:-1]
    pack = load_pack("bundled")
    model, card = OnnxModel(pack, "cpu"), pack.card
    zones = {"fight": [(zone.name, zone_cells(zone.polygon, card.grid))]}
    live = Inference(model, zones, Metrics())
    timing = ClipTiming(card.size, card.frames, card.clip_seconds, card.stride_seconds)
    clips = [
        list(read_clips(SecretUrl(url), timing, name))
        for name, url in (("walk", SCENE.replace("fight", "walk")), ("fight", SCENE), ("again", SCENE))
    ]
    found = [live.process(batch) for batch in zip(*clips, strict=True)]
    assert [len(batch) for batch in found] == [4] * len(alone)
    for batch, expected in zip(found, alone, strict=True):
        mine = [detection for detection in batch if detection.camera == "fight"]
        assert [(d.zone, d.end, d.filled) for d in mine] == [(d.zone, d.end, d.filled) for d in expected]
        assert [list(d.scores.values()) for d in mine] == [
            pytest.approx(list(d.scores.values()), abs=1e-5) for d in expected
        ]


def test_zones_are_scored_beside_the_picture() -> None:
    zone = ZoneConfig(name="left", polygon=[(0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)])
    step = next(iter(recording(zone).steps()))
    assert [d.zone for d in step.detections] == [None, "left"]


def test_progress_follows_media_time() -> None:
    seen: list[float] = []
    for _ in recording().steps(seen.append):
        pass
    assert len(seen) == 8
    assert seen == sorted(seen)


def test_names_and_urls(tmp_path: Path) -> None:
    assert camera_name("/a/Front Door (1).MP4") == "front_door_1"
    assert camera_name("rtsp://h/x/Stream2?u=1") == "stream2"
    assert camera_name("...") == "video"
    (tmp_path / "a b.mp4").write_bytes(b"")
    assert source_url(str(tmp_path / "a b.mp4")).reveal().startswith("file:///")
    assert source_url("rtsp://u:p@h/x").reveal() == "rtsp://u:p@h/x"
    with pytest.raises(SourceError, match="no such file"):
        source_url(str(tmp_path / "none.mp4"))


def test_a_recording_shorter_than_a_clip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "short.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(5):
            container.mux(stream.encode(av.VideoFrame(64, 48, "yuv420p")))
        container.mux(stream.encode())
    short = Recording(source_url(str(path)), "x", OnnxModel(load_pack("bundled"), "cpu"), RuleBook((), salt=""))
    with pytest.raises(SourceError, match="shorter than one clip"):
        list(short.steps())


def test_a_recording_s_scores_are_logged_and_never_mixed(tmp_path: Path) -> None:
    log = score_log(tmp_path / "scores", "fight")
    detections = [detection for step in recording().steps() for detection in step.detections]
    log.take(detections)
    log.close()
    assert list(read_rows(tmp_path / "scores")) == detections
    with pytest.raises(ConfigError, match="already there"):
        score_log(tmp_path / "scores", "fight")
    score_log(tmp_path / "scores", "fall")


def test_a_recording_opens_with_the_shipped_rules() -> None:
    opened = open_recording(SCENE, "bundled", None)
    assert opened.camera == "synthetic_fight"
    assert {"fight", "fall", "shoplifting"} <= {rule.name for rule in opened.book.rules}
