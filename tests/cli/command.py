"""The command line as a user runs it: a process of its own, and its exit code."""

import socket
import subprocess
import sys
from pathlib import Path

CANARY = "S3CR3T-CANARY"
CAMERA = f"{{name: dock, url: 'rtsp://ca.na%40ry:{CANARY}@127.0.0.1:9/x'}}"
STREAMWATCH = str(Path(sys.executable).with_name("streamwatch"))


def streamwatch(*arguments: str, cwd: Path | None = None, limit: float = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [STREAMWATCH, *arguments], capture_output=True, text=True, timeout=limit, cwd=cwd, check=False
    )


def configuration(tmp_path: Path, text: str) -> str:
    path = tmp_path / "streamwatch.yml"
    path.write_text(text)
    return str(path)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
