"""A camera that hangs up after its first pictures, again and again: what does that leave behind?

``python -m tests.faults --reconnects 1000``. The pause between attempts is shortened; nothing else is.
"""

import logging
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import structlog

from streamwatch.video.backoff import Backoff
from tests.faults.gallery import LIMIT, Watch
from tests.video.proxy import FaultProxy
from tests.video.rtsp import RtspServer, make_film

__all__ = ["HOURLY", "Sample", "growth", "reconnect", "rows"]

HOURLY = 240  # attempts an hour of a camera that always fails: its pause is 15 s in the mean
WARM = 0.3  # share of the run after which memory has to stand still: pools and arenas fill at first
MEMORY = 1.0  # MB an hour
PAUSE = 0.05  # seconds, instead of 0.5 → 30


@dataclass(frozen=True, slots=True)
class Sample:
    """The process after so many ``reconnects``."""

    reconnects: int
    threads: int
    descriptors: int
    memory: int  # bytes, resident


def reconnect(folder: Path, times: int, every: int) -> Iterator[Sample]:
    """Reset a camera's connection ``times`` times, each after its first picture; a sample each ``every`` times."""
    server = RtspServer({"dock": make_film(folder / "film.mp4", seconds=20, fps=15, noise=12)}).start()
    proxy = FaultProxy(server.port)
    watch = Watch(server.url("dock", proxy.port), remember=100)
    watch.camera._backoff = Backoff(random.random, PAUSE, PAUSE)
    process = psutil.Process()
    try:
        for turn in range(1, times + 1):
            _online(watch, turn)
            if turn % every == 0:
                yield Sample(turn, process.num_threads(), process.num_fds(), process.memory_info().rss)
            proxy.reset()
        assert watch.count("camera_reconnects") >= times - 1
        assert watch.stop(), watch.worker.trace
    finally:
        watch.worker.stop()
        proxy.close()
        server.kill()


def _online(watch: Watch, turn: int) -> None:
    deadline = time.monotonic() + LIMIT
    while watch.found < turn:
        assert time.monotonic() < deadline, list(watch.states)[-3:]
        time.sleep(0.005)


def growth(samples: Sequence[Sample]) -> float:
    """Bytes a reconnect: the slope of a straight line through the samples after the warm part."""
    warm = [sample for sample in samples if sample.reconnects >= WARM * samples[-1].reconnects]
    return float(np.polyfit([s.reconnects for s in warm], [s.memory for s in warm], 1)[0])


def rows(samples: Sequence[Sample]) -> Iterator[str]:
    """What was sampled, the slope, and what that is in an hour."""
    yield f"{'reconnects':>10}{'threads':>9}{'descriptors':>13}{'RSS':>10}"
    for sample in samples:
        mega = sample.memory / 1e6
        yield f"{sample.reconnects:10}{sample.threads:9}{sample.descriptors:13}{mega:7.1f} MB"
    slope = growth(samples)
    yield f"slope {slope:.0f} bytes a reconnect; at {HOURLY} an hour {slope * HOURLY / 1e6:.3f} MB an hour"


def main(times: int) -> int:
    """Reconnect, print, and say whether a promise broke."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    samples = []
    with tempfile.TemporaryDirectory(prefix="streamwatch-reconnects-") as folder:
        for sample in reconnect(Path(folder), times, max(1, times // 20)):
            samples.append(sample)
            if sys.stderr.isatty():
                print(f"\r{sample.reconnects} reconnects", end="", file=sys.stderr)
    print("\n".join(rows(samples)))
    settled = samples[len(samples) // 4]
    leaks = growth(samples) * HOURLY / 1e6 > MEMORY
    leaks |= max(sample.threads for sample in samples) > settled.threads
    leaks |= max(sample.descriptors for sample in samples) > settled.descriptors
    return leaks
