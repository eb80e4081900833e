"""Debian's PostgreSQL on loopback; killed and started again at will."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from streamwatch.secret import SecretUrl
from tests.sinks.stage import LIMIT, accepts, free_port

__all__ = ["PASSWORD", "PostgresServer"]

PASSWORD = "S3CR3T-CANARY"


class PostgresServer:
    """A database cluster in a folder of its own, with a password; ``close`` removes it."""

    def __init__(self) -> None:
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
        if not found:
            pytest.skip("postgresql is not installed")
        self._programs = found[-1].parent
        self._user = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
        self.folder = Path(tempfile.mkdtemp(prefix="streamwatch-postgres-"))
        if self._user is not None:
            shutil.chown(self.folder, self._user, self._user)
        self.port = free_port()
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        self._run(
            ["initdb", "-D", f"{self.folder}/data", "-U", "watch", "-A", "scram-sha-256", f"--pwfile={secret}",
             "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8"]
        )  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> SecretUrl:
        return SecretUrl(f"postgresql://watch:{PASSWORD}@127.0.0.1:{self.port}/postgres")

    def start(self) -> None:
        command = [
            str(self._programs / "postgres"), "-D", f"{self.folder}/data", "-p", str(self.port),
            "-c", "listen_addresses=127.0.0.1",
            "-c", f"unix_socket_directories={self.folder}", "-c", "shared_buffers=16MB",
        ]  # fmt: skip
        self._process = subprocess.Popen(
            command, user=self._user, group=self._user, extra_groups=[], cwd=self.folder,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + LIMIT
        while not self._ready():
            assert time.monotonic() < deadline, "postgres does not accept"
            time.sleep(0.05)

    def kill(self) -> None:
        """All of it at once, as when the power goes; it recovers from its log."""
        if self._process is not None:
            children = subprocess.run(
                ["ps", "-o", "pid=", "--ppid", str(self._process.pid)], capture_output=True, text=True, check=False
            ).stdout.split()
            self._process.kill()
            for child in children:
                try:
                    os.kill(int(child), signal.SIGKILL)
                except ProcessLookupError:
                    continue
            self._process.wait(LIMIT)
            self._process = None

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _ready(self) -> bool:
        if not accepts(self.port):
            return False
        asked = [str(self._programs / "pg_isready"), "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(asked, capture_output=True, check=False).returncode == 0

    def _run(self, command: Sequence[str]) -> None:
        program, *rest = command
        subprocess.run(
            [str(self._programs / program), *rest], user=self._user, group=self._user, extra_groups=[],
            cwd=self.folder, check=True, capture_output=True, timeout=60,
        )  # fmt: skip
