"""The faults, one line each, and the reckoning after them."""

import random
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.stage import LIMIT, Publisher, Stage, build_powercut

__all__ = ["FAULTS", "Campaign", "Outcome", "Report", "rows"]

STOP_LIMIT = 8.0  # seconds that an ordered stop may take
STEPS = (3600.0, -3600.0, 86400.0, -86400.0, 0.0)  # of the wall clock, seconds
DISK = 96  # megabytes of the disk that is filled


@dataclass(frozen=True, slots=True)
class Outcome:
    """``recovery``: seconds from the fault's end to the next alert at the subscriber; ``wrong``: a broken promise."""

    recovery: float | None
    wrong: str = ""


@dataclass(slots=True)
class Report:
    """What a campaign found."""

    outcomes: dict[str, list[Outcome]] = field(default_factory=dict)
    committed: int = 0
    missing_before: int = 0
    missing: int = 0
    duplicates: int = 0
    disorder: int = 0
    refused: str = ""

    @property
    def wrong(self) -> list[str]:
        """Every promise that was not kept."""
        found = [f"{name}: {o.wrong}" for name, outcomes in self.outcomes.items() for o in outcomes if o.wrong]
        never = [
            f"{name}: never recovered"
            for name, outcomes in self.outcomes.items()
            for o in outcomes
            if o.recovery is None and not o.wrong
        ]
        lost = [f"{self.missing} of {self.committed} committed alerts are missing"] if self.missing else []
        return found + never + lost


def kill_process(stage: Stage, chance: random.Random) -> Outcome:
    """kill -9 at any moment: while it starts, connects, publishes, commits."""
    time.sleep(chance.uniform(0.0, 1.5))
    stage.publisher.kill()
    healed = time.monotonic()
    stage.publisher.start()
    return Outcome(stage.recovery(healed))


def stop_process(stage: Stage, chance: random.Random) -> Outcome:
    """SIGTERM under load: exit code 0, in time."""
    stage.publisher.wait_for(5)
    code, seconds = stage.publisher.terminate()
    healed = time.monotonic()
    stage.publisher.start()
    wrong = f"exit code {code}" if code else f"took {seconds:.1f} s" if seconds > STOP_LIMIT else ""
    return Outcome(stage.recovery(healed), wrong)


def second_process(stage: Stage, chance: random.Random) -> Outcome:
    """Another one on the same folder: it refuses, and the first goes on."""
    stage.publisher.wait_for(1)
    other = Publisher(stage.publisher.folder, stage.broker.port)
    found = subprocess.run(other.command(), capture_output=True, text=True, timeout=LIMIT, check=False)
    wrong = "" if found.returncode == 78 and "in use by process" in found.stderr else f"exit code {found.returncode}"
    return Outcome(stage.recovery(time.monotonic()), wrong)


def kill_broker(stage: Stage, chance: random.Random) -> Outcome:
    """The broker forgets what it acknowledged and did not yet write."""
    time.sleep(chance.uniform(0.2, 1.0))
    stage.broker.kill()
    time.sleep(chance.uniform(0.0, 1.0))
    stage.broker.start()
    return Outcome(stage.recovery(time.monotonic()))


def freeze_broker(stage: Stage, chance: random.Random) -> Outcome:
    """It neither answers nor hangs up, for less or more than the keepalive."""
    stage.broker.freeze()
    time.sleep(chance.choice((1.0, 4.0, 12.0)))
    stage.broker.thaw()
    return Outcome(stage.recovery(time.monotonic()))


def step_clock(stage: Stage, chance: random.Random) -> Outcome:
    """The wall clock of the process jumps by hours or days."""
    (stage.publisher.folder / "offset").write_text(str(chance.choice(STEPS)))
    return Outcome(stage.recovery(time.monotonic()))


def fill_disk(stage: Stage, chance: random.Random) -> Outcome:
    """Not one byte is left, for some seconds; then there is room again."""
    filler = stage.publisher.folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue
    time.sleep(chance.uniform(1.0, 4.0))
    if chance.random() < 0.5:  # and, as it goes, somebody restarts it
        stage.publisher.kill()
        filler.unlink()
        stage.publisher.start()
    else:
        filler.unlink()
    return Outcome(stage.recovery(time.monotonic()))


def cut_power(stage: Stage, chance: random.Random) -> Outcome:
    """What was not synced is gone."""
    time.sleep(chance.uniform(0.0, 1.5))
    stage.publisher.cut_power()
    healed = time.monotonic()
    stage.publisher.start()
    return Outcome(stage.recovery(healed))


# How often each comes among a hundred.
FAULTS: Mapping[str, tuple[int, Callable[[Stage, random.Random], Outcome]]] = {
    "kill process": (44, kill_process),
    "stop process": (4, stop_process),
    "second process": (2, second_process),
    "kill broker": (24, kill_broker),
    "freeze broker": (5, freeze_broker),
    "step clock": (6, step_clock),
    "fill disk": (5, fill_disk),
    "cut power": (10, cut_power),
}


class Campaign:
    """Faults drawn by ``seed`` for ``seconds``, then a replay, then the reckoning. ``only`` names a fault.

    A ``control`` is given up sooner: what it lost does not come.
    """

    def __init__(self, folder: Path, seed: int, seconds: float, control: str = "", only: str = "") -> None:
        self._patience = 2.0 if control else 10.0  # seconds
        self._chance = random.Random(seed)
        self._seconds = seconds
        self._stage = Stage(folder, control, 400.0 if control else 50.0)  # so that some are always on their way
        self._weights = {name: weight for name, (weight, _) in FAULTS.items() if only in ("", name)}
        self._prepare(folder)

    def _prepare(self, folder: Path) -> None:
        if "fill disk" in self._weights and not self._stage.mount(DISK):
            self._weights["fill disk"] = 0
        if "cut power" in self._weights:
            self._stage.publisher.library = build_powercut(folder)
            if self._stage.publisher.library is None:
                self._weights["cut power"] = 0

    def run(self) -> Iterator[tuple[str, Outcome]]:
        """Each fault as it is over."""
        stage = self._stage
        stage.begin()
        deadline = time.monotonic() + self._seconds
        while time.monotonic() < deadline:
            (name,) = self._chance.choices(list(self._weights), list(self._weights.values()))
            outcome = FAULTS[name][1](stage, self._chance)
            if outcome.recovery is None:
                outcome = Outcome(None, f"nothing arrives; the publisher is {stage.publisher.state()}")
            yield name, outcome

    def reckon(self, report: Report) -> Report:
        """Stop, replay whatever is missing, and count."""
        stage = self._stage
        stage.publisher.wait_for(1)  # it has started, and hears signals
        stage.publisher.hush()
        stage.settle(self._patience)
        report.duplicates = sum(count - 1 for count in stage.subscriber.copies.values())
        report.missing_before = len(stage.missing())
        for _ in range(3):
            missing = stage.missing()
            if not missing:
                break
            stage.subscriber.ask(min(sequence for _, sequence, _ in missing) - 1)
            stage.settle(self._patience)
        stage.publisher.terminate()
        stage.settle(self._patience / 2)
        report.committed = stage.publisher.count()
        report.missing = len(stage.missing())
        report.disorder = stage.subscriber.disorder
        stage.close()
        return report


def rows(report: Report) -> Iterator[str]:
    """The table: fault, how often, broken promises, recovery in the median and at the 99th percentile."""
    yield f"{'fault':16}{'count':>7}{'wrong':>7}{'recovery p50':>14}{'p99':>8}"
    for name, outcomes in sorted(report.outcomes.items()):
        times = sorted(outcome.recovery for outcome in outcomes if outcome.recovery is not None)
        wrong = sum(bool(outcome.wrong) or outcome.recovery is None for outcome in outcomes)
        middle = f"{times[len(times) // 2]:.2f} s" if times else "–"
        late = f"{times[min(len(times) - 1, int(0.99 * len(times)))]:.2f} s" if times else "–"
        yield f"{name:16}{len(outcomes):7}{wrong:7}{middle:>14}{late:>8}"
    share = report.duplicates / max(1, report.committed)
    yield ""
    yield f"committed alerts             {report.committed}"
    yield f"missing on PUBACK alone      {report.missing_before}"
    yield f"missing after the replay     {report.missing}"
    yield f"duplicates on the wire       {report.duplicates} ({100 * share:.2f} %)"
    yield f"out of order in an incident  {report.disorder}"
