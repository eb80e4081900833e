"""The ways into a Ray that runs already, as an operator uses them: `ray start` on loopback, and the command line."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest

from tests.cli.command import STREAMWATCH
from tests.cluster.stage import configure, synthetic
from tests.sinks.stage import free_port

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(
        "STREAMWATCH_RAY_CLIENT" not in os.environ,
        reason="Ray's client server does not start each time beside other clusters; STREAMWATCH_RAY_CLIENT=1 tries it",
    ),
]
LIMIT = 120.0  # seconds for anything to happen on a loaded machine


@contextmanager
def started() -> Iterator[tuple[str, str, dict[str, str]]]:
    """A head with a server for clients, on loopback: its address, that of the server, and the environment."""
    address, clients = f"127.0.0.1:{free_port()}", f"ray://127.0.0.1:{free_port()}"
    made = tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True)
    with made as folder:  # a short path, for its sockets
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        environment |= {"RAY_TMPDIR": folder, "RAY_USAGE_STATS_ENABLED": "0", "PYTHONUNBUFFERED": "1"}
        command = [
            str(Path(sys.executable).with_name("ray")), "start", "--head", "--block", "--node-ip-address=127.0.0.1",
            f"--port={address.rpartition(':')[2]}", f"--ray-client-server-port={clients.rpartition(':')[2]}",
            "--include-dashboard=false", "--num-cpus=2", f"--object-store-memory={80 << 20}",
        ]  # fmt: skip
        loopback = environment | {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}  # else Ray takes a network card's address
        head = subprocess.Popen(command, env=loopback, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            assert head.stdout is not None
            said = ""
            while "Ray runtime started" not in said:
                line = head.stdout.readline()
                assert line, f"it ended before it had started: {said}"
                said += line
            yield address, clients, environment
        finally:
            for process in (
                *psutil.Process(head.pid).children(recursive=True),
                head,
            ):  # in order that takes half a minute
                process.kill()
            head.communicate(timeout=LIMIT)


def test_run_over_a_client_and_status_by_each_way(tmp_path: Path) -> None:
    if find_spec("ray") is None:
        pytest.skip("ray is not installed")
    config = configure(tmp_path, synthetic(2))
    file = str(tmp_path / "streamwatch.yml")
    with started() as (address, clients, environment):

        def status(where: str) -> "subprocess.CompletedProcess[str]":
            command = [STREAMWATCH, "cluster", "status", "-c", file, "--cluster", where]
            return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=LIMIT, check=False)

        with (tmp_path / "log").open("w") as log:
            command = [STREAMWATCH, "run", "-c", file, "--cluster", clients]
            running = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + LIMIT
            shown = status("auto")
            while not re.search(r"^127\.0\.0\.1 .* 2 +2 ", shown.stdout, re.MULTILINE):  # cameras, online
                assert running.poll() is None, (tmp_path / "log").read_text()
                assert time.monotonic() < deadline, shown.stdout + shown.stderr
                shown = status("auto")
            assert "2 cameras, 0 of them read by no host" in status(address).stdout
            running.send_signal(signal.SIGTERM)
            code = running.wait(LIMIT)
        finally:
            running.kill()
            running.wait(LIMIT)
        assert code == 0, (tmp_path / "log").read_text()
        gone = status(clients)
        assert (gone.returncode, "no streamwatch runs on this cluster" in gone.stderr) == (1, True), gone.stderr
    assert (config.data_dir / "hosts" / "127.0.0.1").is_dir()
