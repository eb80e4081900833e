"""RTSP cameras on the loopback interface that show films over and over, for the demonstration and for tests.

The server is a process of its own, so that it takes no time from the analyzer's interpreter; it ends with the block
that started it, and also when its parent dies, because it watches its standard input.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent import futures
from contextlib import contextmanager
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path

from streamwatch.errors import PortInUseError, StreamwatchError

__all__ = ["serve", "serve_folder"]

_HOST = "127.0.0.1"
_START_S = 20.0
_STOP_S = 5.0
_ATTEMPTS = 3
_CLIENTS = 512


@contextmanager
def serve(films: Mapping[str, Path]) -> Iterator[dict[str, str]]:
    """Serve each film (an mp4 as film_scene or film_video make it) as a camera; yields name → RTSP URL.

    Every client sees its film from the beginning, paced in real time and looped for ever with rising pts; transport
    is TCP only. Raises FileNotFoundError for a missing film and StreamwatchError if the server does not start.
    """
    with tempfile.TemporaryDirectory(prefix="streamwatch-rtsp-") as root:
        for name, film in films.items():
            _place(film, Path(root) / f"{name}.mp4")
        process, port = _start(root)
        try:
            yield {name: f"rtsp://{_HOST}:{port}/{name}.mp4?play_count=0" for name in films}
        finally:
            _stop(process)


def serve_folder() -> None:
    """The server process: run the toolkit's ``rtsp-server`` command until standard input ends."""
    from aio_rtsp_toolkit import server_streaming

    # With its 0.05 s a put that ends just then is repeated, and the frame is sent twice: about one in 500 on a busy
    # machine at 25 fps, where every put waits 0.04 s for room.
    server_streaming.QUEUE_PUT_POLL_INTERVAL = 2.0
    # Each client holds one of the event loop's threads for good; by itself it makes as many as there are cores, and 4.
    pool = partial(futures.ThreadPoolExecutor, max_workers=_CLIENTS)
    futures.ThreadPoolExecutor = pool  # type: ignore[misc, assignment]  # nobody else lives in this process
    threading.Thread(target=_end_with_parent, daemon=True).start()
    (command,) = entry_points(group="console_scripts", name="rtsp-server")
    command.load()()


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def _place(film: Path, target: Path) -> None:
    try:
        os.link(film.resolve(), target)  # not a symbolic link: the server refuses what points out of its folder
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(film, target)


def _start(root: str) -> tuple[subprocess.Popen[bytes], int]:
    for _ in range(_ATTEMPTS):
        port = _free_port()
        with tempfile.TemporaryFile() as complaints:
            process = subprocess.Popen(
                [sys.executable, "-c", "from streamwatch.rtsp_server import serve_folder; serve_folder()",
                 "-d", root, "-H", _HOST, "-p", str(port), "-cp", "0"],
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=complaints,
            )  # fmt: skip
            if _answers(process, port):
                return process, port
            _stop(process)
            complaints.seek(0)
            lines = complaints.read().decode(errors="replace").strip().splitlines() or ["no reason given"]
        if "in use" not in lines[-1]:
            raise StreamwatchError(f"RTSP server on {_HOST}:{port} did not start: {lines[-1]}")
    raise PortInUseError(f"RTSP server: no free port on {_HOST} in {_ATTEMPTS} attempts; try again")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    deadline = time.monotonic() + _START_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with socket.create_connection((_HOST, port), timeout=1):
                return True
        except OSError:
            time.sleep(0.05)
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(_STOP_S)
