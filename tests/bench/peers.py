"""The same cameras and the same two graphs in what one would write instead of streamwatch.

    python -m tests.bench.peers --cameras 8 --seconds 30 [--only opencv,streamwatch] [--json FILE]

Each way runs alone, in a process of its own, on the film of `streamwatch bench` (or --video) over RTSP:

``opencv``        a thread with cv2.VideoCapture a camera, the newest clip of each, one inference thread, tokens kept
``opencv-whole``  the same, but each window is encoded whole, as demonstrations of clip models do
``inference``     Roboflow's InferencePipeline with custom logic, only where the package `inference` is installed
``streamwatch``   `streamwatch run`

Printed: windows a camera-second (1.0: kept up), the worst camera's, age of the newest frame when a window is scored
(median and 95th percentile; from when the frame was read), CPU ms a camera-second of the process, resident memory.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import threading
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from streamwatch.bench.film import bench_film
from streamwatch.bench.load import measure_load
from streamwatch.bench.process import spent
from streamwatch.bench.site import Setup
from streamwatch.bench.table import machine, table
from streamwatch.models.onnx import OnnxModel
from streamwatch.models.pack import load_pack
from streamwatch.rtsp_server import serve

WARM = 8.0  # seconds before it counts
WAYS = ("opencv", "opencv-whole", "inference", "streamwatch")

Images = NDArray[np.uint8]


@dataclass
class Figures:
    """What one way gave."""

    way: str
    cameras: int
    windows: float
    worst: float
    age_p50: float
    age_p95: float
    cpu: float
    memory: int


@dataclass
class Watcher:
    """Scores a window of 16 tokens whenever a camera has 8 new pictures of one second."""

    model: OnnxModel
    whole: bool
    counts: dict[str, int] = field(default_factory=dict)
    ages: deque[float] = field(default_factory=lambda: deque(maxlen=1_000_000))
    _tokens: dict[str, "deque[NDArray[np.float32]]"] = field(default_factory=dict)
    _clips: dict[str, "deque[Images]"] = field(default_factory=dict)

    def take(self, camera: str, clip: Images, read: float) -> None:
        """``clip`` uint8 [8, S, S, 3] whose last picture was read at ``read``."""
        card = self.model.card
        tokens = self._tokens.setdefault(camera, deque(maxlen=card.window))
        if self.whole:
            clips = self._clips.setdefault(camera, deque(maxlen=card.window))
            clips.append(clip)
            tokens.clear()
            tokens.extend(self.model.encode(np.stack(clips))[0])
        else:
            tokens.append(self.model.encode(clip[None])[0][0])
        visual = np.zeros((1, card.window, card.dim), np.float32)
        visual[0, card.window - len(tokens) :] = np.stack(tokens)
        mask = (np.arange(card.window) >= card.window - len(tokens)).astype(np.float32)[None]
        age = np.arange(card.window - 1, -1, -1, dtype=np.float32)[None]
        self.model.score(visual, age, mask)
        self.ages.append(time.monotonic() - read)
        self.counts[camera] = self.counts.get(camera, 0) + 1


class Sampler:
    """Pictures of one camera at ``fps`` → clips of 8 a second; a picture is shrunk only if it is sampled."""

    def __init__(self, model: OnnxModel, fps: float) -> None:
        self._size, self._frames = model.card.size, model.card.frames
        self._step, self._due = self._frames / model.card.clip_seconds / fps, 0.0
        self._pictures: list[Images] = []

    def add(self, picture: Images) -> Images | None:
        """``picture`` is BGR at full size; the clip that it completes."""
        self._due += self._step
        if self._due < 1:
            return None
        self._due -= 1
        small = cv2.resize(picture, (self._size, self._size), interpolation=cv2.INTER_AREA)
        self._pictures.append(np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2RGB), np.uint8))
        if len(self._pictures) < self._frames:
            return None
        clip, self._pictures = np.stack(self._pictures), []
        return clip


def watch_with_opencv(urls: list[str], watcher: Watcher) -> None:
    """Starts a thread a camera and one for the model; they end with the process."""
    newest: dict[str, tuple[Images, float]] = {}
    ready = threading.Condition()

    def capture(camera: str, url: str) -> None:
        source = cv2.VideoCapture(url, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        sampler = Sampler(watcher.model, source.get(cv2.CAP_PROP_FPS) or 25.0)
        while True:
            there, picture = source.read()
            if not there:
                return
            clip = sampler.add(np.asarray(picture, np.uint8))
            if clip is not None:
                with ready:
                    newest[camera] = clip, time.monotonic()
                    ready.notify()

    def infer() -> None:
        while True:
            with ready:
                while not newest:
                    ready.wait()
                camera = next(iter(newest))
                clip, read = newest.pop(camera)
            watcher.take(camera, clip, read)

    for number, url in enumerate(urls):
        threading.Thread(target=capture, args=(f"c{number}", url), daemon=True).start()
    threading.Thread(target=infer, daemon=True).start()


def watch_with_inference(urls: list[str], watcher: Watcher) -> None:
    """Roboflow's pipeline hands over a batch of frames, one a camera, and waits for the answer."""
    from inference import InferencePipeline  # type: ignore[import-not-found, unused-ignore]

    samplers = [Sampler(watcher.model, 25.0) for _ in urls]

    def infer(frames: list[object]) -> list[None]:
        for frame in frames:
            number = int(getattr(frame, "source_id", 0) or 0)
            clip = samplers[number].add(np.asarray(getattr(frame, "image"), np.uint8))  # noqa: B009
            if clip is not None:
                watcher.take(f"c{number}", clip, time.monotonic())
        return [None for _ in frames]

    pipeline = InferencePipeline.init_with_custom_logic(
        video_reference=urls, on_video_frame=infer, on_prediction=lambda *given: None
    )
    pipeline.start(use_main_thread=False)


def run_way(way: str, url: str, cameras: int, seconds: float) -> Figures:
    """In this process, which is this way's own."""
    cv2.setNumThreads(1)
    watcher = Watcher(OnnxModel(load_pack("bundled"), "cpu"), way == "opencv-whole")
    start = watch_with_inference if way == "inference" else watch_with_opencv
    start([url] * cameras, watcher)
    time.sleep(WARM)
    before, cost, began = dict(watcher.counts), spent(os.getpid()), time.monotonic()
    watcher.ages.clear()
    time.sleep(seconds)
    took, after, ages = time.monotonic() - began, dict(watcher.counts), list(watcher.ages)
    end = spent(os.getpid())
    rates = [(after.get(f"c{i}", 0) - before.get(f"c{i}", 0)) / took for i in range(cameras)]
    p50, p95 = np.quantile(ages, [0.5, 0.95]) if ages else (float("nan"), float("nan"))
    share = 1e3 / took / cameras
    cpu = (end.cpu - cost.cpu) * share
    return Figures(way, cameras, sum(rates) / cameras, min(rates), float(p50), float(p95), cpu, end.memory)


def measure(way: str, url: str, cameras: int, seconds: float) -> Figures:
    """``way`` in a process of its own."""
    if way == "streamwatch":
        load = measure_load(url, cameras, seconds, Setup(provider="cpu"))
        age = load.age_p95
        return Figures(way, cameras, load.windows, load.worst, float("nan"), age, load.cpu, load.memory)
    command = [sys.executable, "-m", "tests.bench.peers", "--way", way, "--url", url]
    command += ["--cameras", str(cameras), "--seconds", str(seconds)]
    found = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=seconds + WARM + 120, check=True)
    return Figures(**json.loads(found.stdout.splitlines()[-1]))


def lines(figures: list[Figures]) -> list[str]:
    """A table to read."""
    head = ["way", "cameras", "windows/s", "worst", "age p50", "p95", "CPU ms/camera-s", "memory"]
    rows = [
        [
            x.way, str(x.cameras), f"{x.windows:.2f}", f"{x.worst:.2f}", f"{x.age_p50:.2f}", f"{x.age_p95:.2f}",
            f"{x.cpu:.1f}", f"{x.memory / 1e6:.0f} MB",
        ]
        for x in figures
    ]  # fmt: skip
    return list(table([head, *rows]))


def main() -> int:
    """Measure every way in turn and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cameras", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--only", default=",".join(WAYS))
    parser.add_argument("--video", type=Path)
    parser.add_argument("--data-dir", type=Path, default=Path("streamwatch-data/bench"))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--way", help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    given = parser.parse_args()
    ways = given.only.split(",")
    for way in [*ways, *filter(None, [given.way])]:
        if way not in WAYS:
            parser.error(f"{way} is none of {', '.join(WAYS)}")
    if given.way:
        print(json.dumps(asdict(run_way(given.way, given.url, given.cameras, given.seconds))), flush=True)
        os._exit(0)  # captures are never told to end
    figures = []
    film = bench_film(given.data_dir, given.video)
    print(machine("cpu"), film, sep="\n", flush=True)
    with serve({"cam": film.path}) as urls:
        for way in ways:
            if way == "inference" and importlib.util.find_spec("inference") is None:
                print("inference: the package is not installed; left out")
                continue
            figures.append(measure(way, urls["cam"], given.cameras, given.seconds))
            print(lines(figures)[-1], flush=True)
    print(*lines(figures), sep="\n")
    if given.json:
        given.json.write_text(json.dumps([asdict(x) for x in figures], indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
