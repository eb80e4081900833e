"""The health check as a container runs it."""

import json
import signal
import subprocess
import time
from pathlib import Path

from tests.cli.command import CAMERA, STREAMWATCH, configuration, free_port, streamwatch


def test_tells_a_running_process_from_none(tmp_path: Path) -> None:
    text = (
        f"data_dir: {tmp_path}/data\ncameras: [{CAMERA}]\nhttp: {{port: {free_port()}}}\nmqtt: {{port: {free_port()}}}"
    )
    path = configuration(tmp_path, text)
    found = streamwatch("healthcheck", "-c", path)
    assert found.returncode == 1
    assert "no answer of streamwatch" in found.stderr
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen([STREAMWATCH, "run", "-c", path], stdout=log, stderr=log, cwd=tmp_path)
    try:
        deadline = time.monotonic() + 60
        while (found := streamwatch("healthcheck", "-c", path)).returncode != 0:
            assert process.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < deadline, found.stderr
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert json.loads(found.stdout)["status"] == "ok"


def test_a_configuration_that_cannot_be_read_ends_with_78(tmp_path: Path) -> None:
    assert streamwatch("healthcheck", "-c", str(tmp_path / "none.yml")).returncode == 78
