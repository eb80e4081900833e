"""Findings about a real site, a broken one, and cameras of every kind."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from streamwatch.config import CameraConfig, Config
from streamwatch.doctor import Finding, Level, camera_findings, examine
from streamwatch.folder import FolderLock
from streamwatch.video.inspection import Inspection
from tests.sinks.stage import free_port

GOOD = Inspection(3.0, 0.4, "h264", (1280, 720), 15.0, 2.0, 0.03, 0, True, 0.0)
CAMERA = CameraConfig.model_validate({"name": "dock", "url": "rtsp://127.0.0.1/x"})


def config(tmp_path: Path, **changes: Any) -> Config:
    camera = {"name": "scene", "url": "synthetic:walk?seed=2&duration=6&size=160x90"}
    return Config.model_validate({"cameras": [camera], "data_dir": str(tmp_path / "data"), **changes})


def by_subject(findings: list[Finding], start: str) -> list[Finding]:
    return [finding for finding in findings if finding.subject.startswith(start)]


def test_a_good_site_has_nothing_to_mend(tmp_path: Path) -> None:
    findings = list(examine(config(tmp_path), 2.0))
    assert [finding for finding in findings if finding.level is Level.FAIL] == []
    assert "ms a clip" in by_subject(findings, "model")[0].what
    assert "GB free" in by_subject(findings, "data_dir")[-1].what
    assert by_subject(findings, "broker")[0].what.startswith("embedded")
    assert "160x90" in by_subject(findings, "camera scene")[0].what


def test_a_broken_site_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    cameras = [{"name": "gone", "url": f"rtsp://u:S3CR3T@127.0.0.1:{free_port()}/x"}]
    broken = config(tmp_path, cameras=cameras, mqtt={"host": "127.0.0.1", "port": free_port()}, model="./no-pack")
    findings = list(examine(broken, 2.0))
    failed = {finding.subject.split()[0] for finding in findings if finding.level is Level.FAIL}
    assert failed == {"model", "data_dir", "broker", "camera"}
    assert "is the camera on" in by_subject(findings, "camera gone")[0].advice
    assert "S3CR3T" not in str(findings)


def test_a_running_instance_is_no_fault(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path / "data")
    try:
        found = by_subject(list(examine(config(tmp_path), 1.0)), "data_dir")
    finally:
        lock.close()
    assert [finding.level for finding in found] == [Level.WARN, Level.OK]
    assert "in use by process" in found[0].what


def test_a_disabled_camera_is_left_alone(tmp_path: Path) -> None:
    cameras = [{"name": "off", "url": "rtsp://127.0.0.1:9/x", "enabled": False}]
    assert by_subject(list(examine(config(tmp_path, cameras=cameras), 1.0)), "camera") == []


def test_a_good_camera_is_only_described() -> None:
    (finding,) = camera_findings(CAMERA, GOOD)
    assert finding.level is Level.OK
    assert "h264 1280x720 at 15.0 fps, keyframes 2.0 s apart" in finding.what


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"fps": 2.0}, "raise the frame rate"),
        ({"decode": 0.4}, "sub-stream"),
        ({"keyframe_interval": 10.0}, "keyframe (I-frame) interval"),
        ({"keyframe_interval": None, "seconds": 12.0}, "keyframe (I-frame) interval"),
        ({"first": 5.0}, "shorter keyframe interval"),
        ({"dated": False}, "prefer RTSP"),
        ({"drift": -3.0}, "frame rate setting"),
        ({"errors": 7}, "transport: tcp"),
    ],
)
def test_what_is_wrong_with_a_camera_comes_with_advice(changes: dict[str, Any], said: str) -> None:
    values = {name: getattr(GOOD, name) for name in GOOD.__slots__} | changes
    first, *others = camera_findings(CAMERA, Inspection(**values))
    assert first.level is Level.OK
    assert [finding.level for finding in others] == [Level.WARN]
    assert said in others[0].advice


@pytest.mark.parametrize(("hwaccel", "hardware", "warned"), [("cuda", False, 1), ("cuda", True, 0), ("none", False, 0)])
def test_a_device_that_does_not_decode_is_said(hwaccel: str, hardware: bool, warned: int) -> None:
    camera = CAMERA.model_copy(update={"hwaccel": hwaccel})
    others = list(camera_findings(camera, replace(GOOD, hardware=hardware)))[1:]
    assert [(finding.level, "hwaccel cuda" in finding.what) for finding in others] == [(Level.WARN, True)] * warned


def test_a_disk_without_room_for_evidence_is_said(tmp_path: Path) -> None:
    (found,) = by_subject(list(examine(config(tmp_path, evidence={"min_free": 1 << 60}), 1.0)), "evidence")
    assert found.level is Level.WARN
    assert "less than evidence.min_free" in found.what


def test_more_evidence_than_fits_is_said_before_the_disk_is_full(tmp_path: Path) -> None:
    (found,) = by_subject(list(examine(config(tmp_path, evidence={"max_bytes": 1 << 60}), 1.0)), "evidence")
    assert found.level is Level.WARN
    assert "lower evidence.max_bytes" in found.advice
    settings = {"max_bytes": 1_000_000, "min_free": 0}
    assert by_subject(list(examine(config(tmp_path, evidence=settings), 1.0)), "evidence") == []
