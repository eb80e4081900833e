"""What goes wrong with cameras, one function a fault, and what streamwatch promises then.

``python -m tests.faults --cameras --minutes 5 --seed 1`` prints the table; a short seeded run is among the tests.
"""

import argparse
import logging
import math
import mmap
import os
import random
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from tests.faults.gallery import READ_TIMEOUT, Gallery

__all__ = ["FAULTS", "CameraCampaign", "CameraReport", "Trial", "preloaded", "quantile", "rows"]

ROOT = Path(__file__).parents[2]
SEEN_STALL = READ_TIMEOUT + 0.5  # seconds until a loss is seen, at most
SEEN_END = 0.1
BACK = 1.0  # seconds to the first picture of a camera that is back, in the median
NEIGHBOUR = 0.1  # seconds that one camera's fault may delay another's clip, p99
QUIET = 2.0  # seconds before the first fault, or a tenth of the campaign: the measure of the machine itself


@dataclass(frozen=True, slots=True)
class Trial:
    """One fault: seconds until the loss was ``seen``, from its end to the first picture (``back``) and to the first
    ``clip``; None where there is none by nature. ``wrong``: a broken promise."""

    seen: float | None = None
    back: float | None = None
    clip: float | None = None
    wrong: str = ""


@dataclass(slots=True)
class CameraReport:
    """What a campaign found. ``quiet`` and ``beside``: the witness's delays without and with a fault beside it."""

    trials: dict[str, list[Trial]] = field(default_factory=dict)
    quiet: list[float] = field(default_factory=list)
    beside: dict[str, list[float]] = field(default_factory=dict)  # by fault
    slack: float = 1.0
    ended: list[str] = field(default_factory=list)

    @property
    def all_beside(self) -> list[float]:
        """Beside any fault."""
        return [late for delays in self.beside.values() for late in delays]

    @property
    def wrong(self) -> list[str]:
        """Every promise that was not kept."""
        found = [f"{name}: {trial.wrong}" for name, trials in self.trials.items() for trial in trials if trial.wrong]
        found += [f"camera {name} did not end well" for name in self.ended]
        for name, trials in self.trials.items():
            back = [trial.back for trial in trials if trial.back is not None]
            if name not in SLOW and len(back) >= 3 and quantile(back, 0.5) > BACK * self.slack:
                found.append(f"{name}: back after {quantile(back, 0.5):.2f} s in the median")
        added = quantile(self.all_beside, 0.99) - quantile(self.quiet, 0.99)
        if added > NEIGHBOUR * self.slack:
            found.append(f"witness: delayed by {added:.3f} s more beside faults (p99)")
        return found


def quantile(values: Sequence[float], share: float) -> float:
    """The value that ``share`` of ``values`` does not exceed (nearest rank); NaN of none."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)] if values else math.nan


def _lost(gallery: Gallery, since: float, limit: float, slack: float) -> tuple[float | None, str]:
    at = gallery.dock.state_after(since, "offline")
    if at is None:
        return None, "the loss was never seen"
    seen = at - since
    return seen, f"the loss was seen after {seen:.2f} s" if seen > limit * slack else ""


def _back(gallery: Gallery, since: float, seen: float | None, wrong: str) -> Trial:
    online = gallery.dock.state_after(since, "online")
    clip = gallery.dock.clip_after(since) if online is not None else None
    if online is None or clip is None:
        return Trial(seen, wrong=wrong or "never came back")
    return Trial(seen, online - since, clip - since, wrong)


def stall(gallery: Gallery, chance: random.Random, slack: float) -> Trial:
    """It says nothing more and does not hang up."""
    began = time.monotonic()
    gallery.proxy.harm = "freeze"
    seen, wrong = _lost(gallery, began, SEEN_STALL, slack)
    time.sleep(chance.uniform(0.0, 2.0))
    gallery.proxy.harm = ""
    return _back(gallery, time.monotonic(), seen, wrong)


def reset(gallery: Gallery, chance: random.Random, slack: float) -> Trial:
    """The connection is torn down with RST; the camera is there at once."""
    began = gallery.proxy.reset()
    seen, wrong = _lost(gallery, began, SEEN_END, slack)
    return _back(gallery, began, seen, wrong)


def reboot(gallery: Gallery, chance: random.Random, slack: float) -> Trial:
    """Its server is killed and comes back some seconds later."""
    began = time.monotonic()
    gallery.server.kill()
    gallery.proxy.shut()
    seen, wrong = _lost(gallery, began, SEEN_END, slack)
    time.sleep(chance.uniform(0.0, 2.0))
    gallery.server.start()
    return _back(gallery, gallery.proxy.open(), seen, wrong)


def refused(gallery: Gallery, chance: random.Random, slack: float) -> Trial:
    """It hangs up, and refuses connections for longer."""
    seen, wrong = _lost(gallery, gallery.proxy.shut(), SEEN_END, slack)
    time.sleep(chance.uniform(3.0, 10.0))
    return _back(gallery, gallery.proxy.open(), seen, wrong)


def corrupt(gallery: Gallery, chance: random.Random, slack: float) -> Trial:
    """Bits flip, in pictures and in what frames them; the first sound clip afterwards counts."""
    gallery.proxy.rate = chance.choice((0.0001, 0.001, 0.01))
    gallery.proxy.harm = "flip"
    time.sleep(chance.uniform(1.0, 2.0))
    gallery.proxy.harm = ""
    healed = time.monotonic()
    clip = gallery.dock.clip_after(healed)
    return Trial(clip=clip and clip - healed, wrong="" if clip else "no sound clip any more")


def trickle(gallery: Gallery, chance: random.Random, slack: float) -> Trial:
    """The network is too slow for the stream; afterwards the newest counts, not what was held up."""
    gallery.proxy.harm = "trickle"
    time.sleep(chance.uniform(2.0, 4.0))
    gallery.proxy.harm = ""
    healed = time.monotonic()
    clip = gallery.dock.clip_after(healed, lambda arrival: arrival.late < 0.5 * slack)
    return Trial(clip=clip and clip - healed, wrong="" if clip else "what comes stays old")


def _jump(gallery: Gallery, seconds: float, slack: float) -> Trial:
    dock = gallery.dock
    reconnects, epoch = dock.count("camera_reconnects"), dock.arrivals[-1].epoch
    gallery.proxy.shift += seconds
    began = time.monotonic()
    clip = dock.clip_after(began, lambda arrival: arrival.epoch > epoch)
    if clip is None:
        return Trial(wrong="the window was not reset")
    if dock.count("camera_reconnects") != reconnects:
        return Trial(clip=clip - began, wrong="it reconnected")
    late = dock.arrivals[-1].late
    return Trial(clip=clip - began, wrong=f"{late:.2f} s off UTC" if abs(late) > 1.0 * slack else "")


def jump(gallery: Gallery, chance: random.Random, slack: float) -> Trial:
    """The stream's clock jumps ahead."""
    return _jump(gallery, chance.uniform(5.0, 7200.0), slack)


def backwards(gallery: Gallery, chance: random.Random, slack: float) -> Trial:
    """The stream's clock runs back."""
    return _jump(gallery, -chance.uniform(0.5, 7200.0), slack)


def resize(gallery: Gallery, chance: random.Random, slack: float) -> Trial:
    """The resolution changes in mid-stream, twice: from the last clip before to the first after."""
    with gallery.turning() as turning:
        began = time.monotonic()
        if turning.clip_after(began, lambda arrival: arrival.epoch >= 2) is None:
            return Trial(wrong=f"the window was not reset; {turning.count('camera_reconnects'):.0f} reconnects")
        arrivals = list(turning.arrivals)
        first = next(number for number, arrival in enumerate(arrivals) if arrival.epoch >= 2)
        wrong = "it reconnected" if turning.count("camera_reconnects") else ""
        return Trial(clip=arrivals[first].at - arrivals[first - 1].at, wrong=wrong)


def step_clock(gallery: Gallery, chance: random.Random, slack: float) -> Trial:
    """The wall clock is set, by an operator or by NTP: nothing happens."""
    dock = gallery.dock
    before = dock.count("camera_reconnects"), dock.count("camera_gaps")
    wall = time.time()
    with Path(os.environ["WALLCLOCK"]).open("r+b") as file, mmap.mmap(file.fileno(), 8) as shared:
        shared[:] = struct.pack("d", chance.choice((3600.0, -3600.0, 86400.0, -86400.0)) + chance.uniform(-50, 50))
        stepped = abs(time.time() - wall) > 3000
        began = time.monotonic()
        clip = dock.clip_after(began)
        later = dock.clip_after(began + 2.0)
        shared[:] = struct.pack("d", 0.0)
    after = dock.count("camera_reconnects"), dock.count("camera_gaps")
    wrong = "" if stepped else "the clock of this process did not step"
    wrong = wrong or ("" if before == after and later else f"reconnects and gaps: {before}, then {after}")
    return Trial(clip=clip and clip - began, wrong=wrong)


# How often each comes among a hundred.
FAULTS: Mapping[str, tuple[int, Callable[[Gallery, random.Random, float], Trial]]] = {
    "stall": (14, stall),
    "reset": (20, reset),
    "reboot": (12, reboot),
    "refused": (8, refused),
    "corrupt": (14, corrupt),
    "trickle": (6, trickle),
    "pts jump": (8, jump),
    "pts backwards": (8, backwards),
    "resize": (4, resize),
    "step clock": (6, step_clock),
}
SLOW: tuple[str, ...] = ()  # faults after which no second is promised


class CameraCampaign:
    """Faults drawn by ``seed`` for ``seconds``, or each once if ``seconds`` is 0. ``slack`` stretches the limits."""

    def __init__(self, folder: Path, seed: int, seconds: float, slack: float = 1.0, only: str = "") -> None:
        self._chance = random.Random(seed)
        self._seconds = seconds
        self._slack = slack
        self._gallery = Gallery(folder)
        self._weights = {name: weight for name, (weight, _) in FAULTS.items() if only in ("", name)}
        if "WALLCLOCK" not in os.environ:
            self._weights.pop("step clock", None)
        self._began = 0.0
        self._spans: list[tuple[float, float, str]] = []

    def run(self) -> Iterator[tuple[str, Trial]]:
        """Each fault as it is over."""
        gallery = self._gallery
        gallery.witness.settle()
        time.sleep(max(QUIET, self._seconds / 10))
        self._began = time.monotonic()
        for name in self._names():
            gallery.dock.settle()
            began = time.monotonic()
            trial = FAULTS[name][1](gallery, self._chance, self._slack)
            self._spans.append((began, time.monotonic(), name))
            yield name, trial

    def _names(self) -> Iterator[str]:
        if not self._seconds:
            yield from self._weights
        while time.monotonic() < self._began + self._seconds:
            yield self._chance.choices(list(self._weights), list(self._weights.values()))[0]

    def reckon(self, report: CameraReport) -> CameraReport:
        """What the witness saw; ends everything."""
        report.slack = self._slack
        arrivals = list(self._gallery.witness.arrivals)
        report.quiet = [arrival.late for arrival in arrivals[2:] if arrival.at < self._began]
        for began, ended, name in self._spans:
            found = [arrival.late for arrival in arrivals if began <= arrival.at <= ended]
            report.beside.setdefault(name, []).extend(found)
        report.ended = self._gallery.close()
        return report


def rows(report: CameraReport) -> Iterator[str]:
    """The table: fault, how often, broken promises; each time in the median and at the 99th percentile (seconds), and
    how late another camera's clips were meanwhile."""
    names = "".join(f"{name + ' p50':>11}{'p99':>7}" for name in ("seen", "back", "clip"))
    yield f"{'fault':16}{'count':>6}{'wrong':>6}{names}{'another p99':>13}"
    for name, trials in sorted(report.trials.items()):
        line = f"{name:16}{len(trials):6}{sum(bool(trial.wrong) for trial in trials):6}"
        for kind in ("seen", "back", "clip"):
            times = [at for trial in trials if (at := getattr(trial, kind)) is not None]
            line += f"{_text(times, 0.5):>11}{_text(times, 0.99):>7}"
        yield f"{line}{_text(report.beside.get(name, []), 0.99):>13}"
    yield ""
    for name, delays in (("quiet", report.quiet), ("beside faults", report.all_beside)):
        late = f"p50 {_text(delays, 0.5)} p99 {_text(delays, 0.99)} max {_text(delays, 1.0)}"
        yield f"delay of another camera, {name:14} {late} s ({len(delays)} clips)"


def _text(values: Sequence[float], share: float) -> str:
    return f"{quantile(values, share):.3f}" if values else "–"


def preloaded(arguments: Sequence[str], folder: Path) -> int:
    """Run this module in a process whose wall clock can be set, where there is a C compiler; its exit code."""
    environment = dict(os.environ)
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is not None:
        library, offset = folder / "wallclock.so", folder / "wallclock"
        source = Path(__file__).with_name("wallclock.c")
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"], check=True)
        offset.write_bytes(struct.pack("d", 0.0))
        environment |= {"LD_PRELOAD": str(library), "WALLCLOCK": str(offset)}
    command = [sys.executable, "-m", "tests.faults.cameras", str(folder), *arguments]
    return subprocess.run(command, env=environment, check=False, cwd=ROOT).returncode


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--slack", type=float, default=1.0)
    parser.add_argument("--only", default="")
    given = parser.parse_args()
    os.environ.pop("LD_PRELOAD", None)  # not for the servers
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    report = CameraReport()
    campaign = CameraCampaign(given.folder, given.seed, given.seconds, given.slack, given.only)
    for name, trial in campaign.run():
        report.trials.setdefault(name, []).append(trial)
        if sys.stderr.isatty():
            print(f"\r{sum(map(len, report.trials.values()))} faults  {name:16}", end="", file=sys.stderr)
    campaign.reckon(report)
    print("\n".join(rows(report)))
    for line in report.wrong:
        print(f"BROKEN  {line}")
    sys.exit(bool(report.wrong))


if __name__ == "__main__":
    main()
