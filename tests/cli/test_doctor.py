"""The doctor as a user calls him."""

import json
from pathlib import Path

from tests.cli.command import CAMERA, CANARY, configuration, streamwatch


def test_says_what_fails_and_ends_with_1(tmp_path: Path) -> None:
    path = configuration(tmp_path, f"data_dir: {tmp_path}/data\ncameras: [{CAMERA}]")
    found = streamwatch("doctor", "-c", path, "--seconds", "1")
    assert found.returncode == 1, found.stderr
    assert "fail  camera dock: rtsp://***@127.0.0.1:9/x: Connection refused" in found.stdout
    assert "→ is the camera on" in found.stdout
    assert CANARY not in found.stdout + found.stderr


def test_tells_programs_too(tmp_path: Path) -> None:
    camera = "{name: scene, url: 'synthetic:walk?seed=2&duration=6&size=160x90'}"
    path = configuration(tmp_path, f"data_dir: {tmp_path}/data\ncameras: [{camera}]")
    found = streamwatch("doctor", "-c", path, "--json", "--seconds", "1")
    assert found.returncode == 0, found.stderr
    findings = [json.loads(line) for line in found.stdout.splitlines()]
    assert {finding["level"] for finding in findings} <= {"ok", "warn"}
    assert "camera scene" in {finding["subject"] for finding in findings}


def test_a_configuration_that_cannot_be_used_ends_with_78(tmp_path: Path) -> None:
    assert streamwatch("doctor", "-c", str(tmp_path / "none.yml")).returncode == 78
