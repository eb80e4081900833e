"""Watching and analyzing, as a user does."""

import json
import os
import signal
import subprocess
import time
import urllib.request
from pathlib import Path

from tests.cli.command import CAMERA, CANARY, STREAMWATCH, configuration, free_port, streamwatch


def test_check_prints_what_would_run(tmp_path: Path) -> None:
    found = streamwatch("check", "-c", configuration(tmp_path, f"cameras: [{CAMERA}]"), cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    assert "camera   dock: rtsp://***@127.0.0.1:9/x" in found.stdout
    assert "fight" in found.stdout
    assert CANARY not in found.stdout


def test_check_prints_the_schema() -> None:
    schema = json.loads(streamwatch("check", "--schema").stdout)
    assert "cameras" in schema["properties"]


def test_an_unreachable_camera_is_offline_and_sigterm_ends_with_0(tmp_path: Path) -> None:
    http, broker = free_port(), free_port()
    text = f"data_dir: {tmp_path}/data\ncameras: [{CAMERA}]\nhttp: {{port: {http}}}\nmqtt: {{port: {broker}}}"
    path = configuration(tmp_path, text)
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen([STREAMWATCH, "run", "-c", path], stdout=log, stderr=log, cwd=tmp_path)
    try:
        deadline = time.monotonic() + 60
        while "camera is offline" not in (tmp_path / "log").read_text():
            assert process.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        arguments = Path(f"/proc/{process.pid}/cmdline").read_text()
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(30)
    assert code == 0
    assert CANARY not in (tmp_path / "log").read_text() + arguments


def test_sighup_has_the_rules_read_again(tmp_path: Path) -> None:
    """A rule that comes new fires; a broken file is refused and says why; what ran goes on."""
    http, broker = free_port(), free_port()
    rule = "rules:\n- {alert: never, when: {event: fight, on: 1.0}}\n"
    (tmp_path / "rules.yml").write_text(rule)
    text = "cameras: [{name: dock, url: 'synthetic:walk?seed=2&duration=6&size=320x180'}]\nrules: [rules.yml]"
    path = configuration(tmp_path, f"{text}\ndata_dir: data\nhttp: {{port: {http}}}\nmqtt: {{port: {broker}}}")
    log = tmp_path / "log"
    with log.open("w") as stream:
        process = subprocess.Popen([STREAMWATCH, "run", "-c", path], stdout=stream, stderr=stream, cwd=tmp_path)

    def wait_for(line: str) -> None:
        deadline = time.monotonic() + 60
        while line not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)

    try:
        wait_for("camera is online")
        (tmp_path / "rules.yml").write_text(rule + "- {alert: fresh, when: {event: fight, on: 0.0001}}\n")
        process.send_signal(signal.SIGHUP)
        wait_for("rules reloaded: 2 in force, hash ")
        wait_for("alert new: fresh at dock")
        (tmp_path / "rules.yml").write_text(rule + "- {alert: fresh, when: {event: fihgt, on: 0.5}}\n")
        process.send_signal(signal.SIGHUP)
        wait_for("rules not reloaded, the 2 in force stay: ")
        (tmp_path / "rules.yml").write_text(rule)
        process.send_signal(signal.SIGHUP)
        wait_for("rules reloaded: 1 in force")
        with urllib.request.urlopen(f"http://127.0.0.1:{http}/metrics", timeout=20) as answer:
            metrics = answer.read().decode()
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(30)
    assert code == 0
    said = log.read_text()
    assert "did you mean 'fight'" in said
    assert "; added fresh" in said
    assert said.index("rules not reloaded") < said.index("alert end: fresh at dock")
    assert 'streamwatch_rules_reloads_total{result="applied"} 2.0' in metrics
    assert 'streamwatch_rules_reloads_total{result="refused"} 1.0' in metrics


def test_detect_says_what_it_cannot_read(tmp_path: Path) -> None:
    assert "no such file" in streamwatch("detect", "nothing.mp4", cwd=tmp_path).stderr
    (tmp_path / "text.mp4").write_text("no video")
    found = streamwatch("detect", "text.mp4", cwd=tmp_path)
    assert found.returncode == 1
    assert "text.mp4" in found.stderr
    assert "Traceback" not in found.stderr


def test_detect_prints_json_and_draws(tmp_path: Path) -> None:
    scene = "synthetic:walk?seed=2&duration=6&size=320x180"
    found = streamwatch("detect", scene, "--json", "--plot", "out.png", cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    document = json.loads(found.stdout)
    assert len(document["detections"]) == 6
    assert set(document["detections"][0]["scores"]) == {"fight", "fall", "shoplifting"}
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


def test_the_data_folder_has_one_owner(tmp_path: Path) -> None:
    from streamwatch.folder import FolderLock

    lock = FolderLock(tmp_path / "data")
    try:
        text = f"data_dir: {tmp_path}/data\ncameras: [{CAMERA}]\nhttp: {{port: {free_port()}}}"
        found = streamwatch("run", "-c", configuration(tmp_path, text))
    finally:
        lock.close()
    assert found.returncode == 78
    assert f"in use by process {os.getpid()}" in found.stderr
