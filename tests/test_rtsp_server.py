"""Cameras on loopback, watched with PyAV over TCP."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path
from urllib.parse import urlsplit

import av
import psutil
import pytest

from streamwatch.rtsp_server import serve
from streamwatch.video.h264 import film_scene
from streamwatch.video.synthetic import Scene

OPTIONS = {"rtsp_transport": "tcp", "analyzeduration": "100000", "probesize": "200000"}


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film_scene(Scene("walk", 1, (160, 90), duration=3), tmp_path_factory.mktemp("films"))


@pytest.fixture(scope="module")
def urls(film: Path) -> Iterator[dict[str, str]]:
    with serve({"dock": film, "yard": film}) as served:
        yield served


def watch(url: str, seconds: float) -> tuple[list[float], float]:
    """The pts of all packets for some seconds, and how long the watching took from the first to the last."""
    times: list[float] = []
    with av.open(url, timeout=(10, 10), options=OPTIONS) as container:
        first = last = time.monotonic()
        for packet in container.demux(video=0):
            last = time.monotonic()
            if packet.pts is not None:  # the first may have none
                times.append(float(packet.pts * packet.time_base))
            if times and times[-1] - times[0] >= seconds:
                break
    return times, last - first


def listens(url: str) -> bool:
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex((urlsplit(url).hostname, urlsplit(url).port)) == 0


def test_each_film_has_its_url_on_loopback(urls: dict[str, str]) -> None:
    assert list(urls) == ["dock", "yard"]
    assert {urlsplit(url).hostname for url in urls.values()} == {"127.0.0.1"}


def test_a_film_of_three_seconds_goes_on_for_ever_in_real_time(urls: dict[str, str]) -> None:
    times, took = watch(urls["dock"], 5)
    steps = [b - a for a, b in pairwise(times)]
    assert max(steps) == pytest.approx(0.04, abs=0.002)
    assert min(steps) == pytest.approx(0.04, abs=0.002)  # no frame twice, no step back where the film begins anew
    assert took == pytest.approx(5, abs=1.5)


def test_pictures_can_be_decoded(urls: dict[str, str]) -> None:
    with av.open(urls["yard"], timeout=(10, 10), options=OPTIONS) as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame in islice(container.decode(video=0), 5)]
    assert {picture.shape for picture in pictures} == {(90, 160, 3)}
    assert pictures[0].std() > 4


def test_two_clients_watch_at_once(urls: dict[str, str]) -> None:
    seen: dict[str, list[float]] = {}
    clients = [threading.Thread(target=lambda n=n: seen.update({n: watch(urls[n], 2)[0]})) for n in urls]
    for client in clients:
        client.start()
    for client in clients:
        client.join(30)
    assert {name: len(times) >= 50 for name, times in seen.items()} == {"dock": True, "yard": True}


def test_more_clients_than_cores_watch_without_a_break(tmp_path: Path) -> None:
    count, silences = (os.cpu_count() or 1) + 12, []
    film = film_scene(Scene("walk", 1, (160, 90), duration=6), tmp_path)

    def client(url: str) -> None:
        with av.open(url, timeout=(30, 30), options=OPTIONS) as container:
            began = last = time.monotonic()
            longest = 0.0
            for _ in container.demux(video=0):
                now = time.monotonic()
                longest, last = max(longest, now - last), now
                if now - began > 9:  # beyond the film's end, where each asks for its thread once more
                    break
            silences.append(longest)

    with serve({"dock": film}) as served:
        clients = [threading.Thread(target=client, args=(served["dock"],), daemon=True) for _ in range(count)]
        for thread in clients:
            thread.start()
        for thread in clients:
            thread.join(60)
    assert len(silences) == count
    assert max(silences) < 2


def test_what_is_not_served_is_not_found(urls: dict[str, str]) -> None:
    for path in ("cellar.mp4", "../../etc/passwd"):
        with pytest.raises(av.FFmpegError):
            av.open(urls["dock"].replace("dock.mp4", path), timeout=(5, 5), options=OPTIONS)


def test_the_end_of_the_block_frees_the_port_and_ends_the_process(film: Path) -> None:
    before = set(psutil.Process().children())
    with serve({"gate": film}) as served:
        assert listens(served["gate"])
        (server,) = set(psutil.Process().children()) - before
        start = time.monotonic()
    assert time.monotonic() - start < 6
    assert not listens(served["gate"])
    assert not server.is_running()


def test_an_error_in_the_block_ends_the_server_too(film: Path) -> None:
    with pytest.raises(ZeroDivisionError), serve({"gate": film}) as served:
        raise ZeroDivisionError
    assert not listens(served["gate"])


def test_a_missing_film_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="absent"), serve({"gate": tmp_path / "absent.mp4"}):
        pass


def test_the_server_does_not_outlive_a_killed_parent(film: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from streamwatch.rtsp_server import serve\n"
        "with serve({'gate': Path(sys.argv[1])}) as urls:\n"
        "    sys.stdout.write(urls['gate'] + chr(10)); sys.stdout.flush(); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(film)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        url = parent.stdout.readline().strip()
        assert listens(url)
        os.kill(parent.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while listens(url) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not listens(url)
