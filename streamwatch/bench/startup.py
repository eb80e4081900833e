"""From the start of a process to what a user waits for."""

import subprocess
import sys
import time
from dataclasses import dataclass

from streamwatch.bench.site import Setup, run_site

__all__ = ["GOAL", "Startup", "measure_startup"]

GOAL = 3.0  # seconds to the first scored window
_LOOK = 0.1  # seconds between two looks: each costs the process about 10 ms


@dataclass(frozen=True, slots=True)
class Startup:
    """Seconds from the start of the process, the least of several: ``bare`` is Python alone; ``online`` and ``window``
    are `streamwatch run` with one camera that is up, until it is online and until its first window is scored.
    """

    bare: float
    imported: float
    help: float
    answering: float
    online: float
    window: float


def measure_startup(url: str, setup: Setup, rounds: int = 3) -> Startup:
    """``url`` is a camera that is up. Raises StreamwatchError."""
    python = sys.executable
    windows = [_first_window(url, setup) for _ in range(rounds)]
    answering, online, window = min(windows, key=lambda row: row[2])
    return Startup(
        _time([python, "-c", ""], rounds),
        _time([python, "-c", "import streamwatch"], rounds),
        _time([python, "-m", "streamwatch", "--help"], rounds),
        answering,
        online,
        window,
    )


def _first_window(url: str, setup: Setup) -> tuple[float, float, float]:
    with run_site([url], setup) as running:
        return (
            running.until(lambda found: True, _LOOK),
            running.until(lambda found: found.sum("camera_up") > 0, _LOOK),
            running.until(lambda found: found.sum("windows_total") > 0, _LOOK),
        )


def _time(command: list[str], rounds: int) -> float:
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        took.append(time.perf_counter() - began)
    return min(took)
