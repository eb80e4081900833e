"""The whole pipeline at a number of cameras: does it keep up, what does it cost, and where does that go."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from streamwatch.bench.limits import Limits
from streamwatch.bench.process import spent
from streamwatch.bench.scrape import Scrape
from streamwatch.bench.site import Setup, run_site
from streamwatch.errors import StreamwatchError
from streamwatch.models.crew import cores

__all__ = ["KEPT_UP", "Load", "cameras_that_fit", "measure_load", "measure_loads"]

KEPT_UP = 0.97  # windows a second of the slowest camera, of one a second
SETTLE = 3.0  # seconds after the first window of all cameras
HEADROOM = 0.8  # of all cores: what is left is for scenes that are dearer than the film
_WAITED = {"publish"}  # stages that are elapsed time by definition


@dataclass(frozen=True, slots=True)
class Load:
    """``windows`` and ``worst`` (camera) a camera-second, ``age_p95`` s; ``cpu`` and ``stages`` ms a camera-second of
    one core; ``memory`` resident bytes; ``started``: seconds until every camera had its first window.
    """

    cameras: int
    seconds: float
    windows: float
    worst: float
    dropped: float
    reconnects: float
    age_p95: float
    cpu: float
    memory: int
    stages: dict[str, float]
    still: float
    started: float

    @property
    def kept_up(self) -> bool:
        """Whether every camera was watched all the time."""
        return self.worst >= KEPT_UP

    @property
    def counted(self) -> float:
        """What the stages add up to, ms a camera-second."""
        return sum(self.stages.values())

    def overhead(self, graphs: float) -> float:
        """What is neither decoding, scaling nor the two graphs (``graphs`` ms a window), ms a camera-second."""
        pictures = self.stages.get("decode", 0.0) + self.stages.get("scale", 0.0)
        return self.cpu - pictures - graphs * self.windows * (1 - self.still)


def measure_load(url: str, cameras: int, seconds: float, setup: Setup) -> Load:
    """``cameras`` cameras that all show ``url``, for ``seconds`` after they have settled. Raises StreamwatchError."""
    with run_site([url] * cameras, setup) as running:
        started = running.until(lambda found: _watched(found) == cameras)
        time.sleep(min(SETTLE, seconds))
        before, cost, began = running.read(), spent(running.pid), time.monotonic()
        time.sleep(seconds)
        after, end, took = running.read(), spent(running.pid), time.monotonic() - began
    change, share = after.since(before), 1e3 / took / cameras
    windows = change.by("windows_total", "camera")
    tokens = change.by("tokens_total", "source")
    stages = change.by("stage_seconds_sum", "stage")
    return Load(
        cameras=cameras,
        seconds=took,
        windows=sum(windows.values()) / took / cameras,
        worst=min(windows.values(), default=0.0) / took,
        dropped=change.sum("clips_dropped_total"),
        reconnects=change.sum("camera_reconnects_total"),
        age_p95=change.quantile("frame_age_seconds", 0.95),
        cpu=(end.cpu - cost.cpu) * share,
        memory=end.memory,
        stages={name: value * share for name, value in sorted(stages.items()) if name not in _WAITED},
        still=tokens.get("still", 0.0) / max(1.0, sum(tokens.values())),
        started=started,
    )


def measure_loads(
    url: str, counts: Sequence[int], seconds: float, setup: Setup, note: Callable[[int], None] = lambda count: None
) -> tuple[list[Load], dict[int, str]]:
    """A load for each of ``counts``, and why there is none, by count: what one failed at does not take the others with
    it. ``note`` hears of each before it begins.
    """
    loads: list[Load] = []
    failed: dict[int, str] = {}
    for count in counts:
        note(count)
        try:
            loads.append(measure_load(url, count, seconds, setup))
        except StreamwatchError as error:
            failed[count] = str(error)
    return loads, failed


def cameras_that_fit(loads: Sequence[Load], limits: Limits) -> int:
    """How many such cameras one process on this machine can watch if they are elsewhere, with room to spare: at the CPU
    of the fullest run that kept up, and no more than its graphs can score (``limits``). 0 if none kept up.
    """
    kept = [load for load in loads if load.kept_up and load.cpu > 0]
    if not kept:
        return 0
    by_cpu = cores() * 1e3 / max(kept, key=lambda load: load.cameras).cpu
    return int(HEADROOM * min(by_cpu, limits.rate / limits.clips))


def _watched(found: Scrape) -> int:
    return sum(count > 0 for count in found.by("windows_total", "camera").values())
