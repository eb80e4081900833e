"""The same incidents as one process, before anything is taken away; then Ray's head is restarted with the site."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from streamwatch.pipeline import Pipeline
from tests.cli.command import STREAMWATCH
from tests.cluster.test_fleet import gaps, sequences

if TYPE_CHECKING:
    from tests.cluster.town import Town

pytestmark = pytest.mark.timeout(240)
WINDOWS = 3
ALONE = 9.0  # seconds: each film has shown all that it has
IDLE = 0.6  # cores for this process while the head is away: it reads all /metrics again and again
CUT = 1.5  # seconds: two readers of a camera cut its seconds elsewhere: what begins and ends is off by one at most


def durations(town: "Town", who: str) -> dict[tuple[str, str], list[float]]:
    """(camera, rule) → how long its incidents lasted, in their order; those that ended by themselves."""
    began = {alert["id"]: alert for alert in town.told("new", who)}
    found: dict[tuple[str, str], list[float]] = {}
    for end in sorted(town.told("end", who), key=lambda alert: float(alert["start_time"])):
        if end["id"] in began and end["annotations"]["end_reason"] == "ended" and end["rule"] != "crowd":
            key = str(end["camera"]), str(end["rule"])
            found.setdefault(key, []).append(round(end["end_time"] - end["start_time"], 1))
    return found


@pytest.fixture(scope="module")
def alone(town: "Town", tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ExitStack, float]]:
    """One process that watches the same feeds, for who compares to end; and since when both score all of them."""
    from tests.cluster.town import town_config

    with ExitStack() as running:
        running.enter_context(Pipeline(town_config(tmp_path_factory.mktemp("one") / "alone", town.urls, town.broker)))
        town.settle()
        yield running, time.monotonic()


@pytest.mark.usefixtures("alone")
def test_a_host_no_operator_knows_and_one_that_he_does(town: "Town") -> None:
    def ask(*words: str) -> "subprocess.CompletedProcess[str]":
        file = str(town.config.data_dir.parent / "streamwatch.yml")
        command = [STREAMWATCH, "cluster", *words, "-c", file]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    shown = ask("status")
    assert shown.returncode == 0, shown.stderr
    assert [line.split()[0] for line in shown.stdout.splitlines()[:4]] == ["host", "node-1", "node-2", "node-3"]
    assert "12 cameras, 0 of them read by no host" in shown.stdout
    wrong = ask("drain", "node-9")
    assert (wrong.returncode, "node-1, node-2, node-3" in wrong.stderr) == (78, True)
    assert (town.config.data_dir / "cluster.json").stat().st_mode & 0o777 == 0o600


def test_the_same_incidents_as_one_process_on_the_same_feeds(town: "Town", alone: tuple[ExitStack, float]) -> None:
    from tests.cluster.town import wait_for

    running, since = alone

    def both() -> tuple[dict[tuple[str, str], list[float]], dict[tuple[str, str], list[float]]]:
        return durations(town, "alone"), durations(town, "town")

    def whole() -> bool:
        here, there = both()
        shared = here.keys() & there.keys()
        return len({camera for camera, _ in shared}) == 12 and len({rule for _, rule in shared}) == 2

    with running:
        time.sleep(max(0.0, since + ALONE - time.monotonic()))
        wait_for(whole, "incidents of each camera and rule from both")
        here, there = both()
    for key in here.keys() & there.keys():
        count = min(len(here[key]), len(there[key]))
        assert here[key][:count] == pytest.approx(there[key][:count], abs=CUT), key
    assert {alert["rule"] for alert in town.told("new")} == {alert["rule"] for alert in town.told("new", "alone")}
    assert "crowd" in {alert["rule"] for alert in town.told("new")}
    assert town.fleet.census().unplaced == ()
    assert gaps(town) == []


def test_the_head_is_restarted_and_hosts_go_on(town: "Town") -> None:
    from tests.cluster.town import wait_for

    town.settle()
    owners, told = town.owners(), len(sequences(town))
    spent = time.process_time()
    seconds = town.restart_head(WINDOWS)  # they score without site and head
    assert time.process_time() - spent < IDLE * seconds  # who waits for the head leaves the cores to them
    wait_for(town.settled, "all hosts are back at the new site")
    stayed = [pair for pair in owners.items() if pair in town.owners().items()]
    assert len(stayed) >= 10  # one or two may move for fairness
    wait_for(lambda: len(sequences(town)) > told, "alerts come again")
    assert gaps(town) == []
