"""Twelve RTSP cameras on three nodes of a real Ray: the same incidents as one process, and nodes that come and go."""

import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from streamwatch.pipeline import Pipeline
from tests.cli.command import STREAMWATCH

if TYPE_CHECKING:
    from tests.cluster.town import Town

pytestmark = pytest.mark.timeout(240)
ALONE = 9.0  # seconds: each film has shown all that it has
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


def sequences(town: "Town") -> list[int]:
    """Of what was told, each once, in the order in which it came first. One whose receipt was lost with the site that
    was killed is told twice: MQTT says at least once.
    """
    return list(dict.fromkeys(alert["sequence"] for alert in town.told()))


def gapless(town: "Town") -> bool:
    return sequences(town) == list(range(1, len(sequences(town)) + 1))


def test_the_same_incidents_as_one_process_on_the_same_feeds(town: "Town", tmp_path: Path) -> None:
    from tests.cluster.town import town_config, wait_for

    def both() -> tuple[dict[tuple[str, str], list[float]], dict[tuple[str, str], list[float]]]:
        return durations(town, "alone"), durations(town, "town")

    def whole() -> bool:
        here, there = both()
        shared = here.keys() & there.keys()
        return len({camera for camera, _ in shared}) == 12 and len({rule for _, rule in shared}) == 2

    with Pipeline(town_config(tmp_path / "alone", town.urls, town.broker)):
        town.settle()
        time.sleep(ALONE)
        wait_for(whole, "incidents of each camera and rule from both")
        here, there = both()
    for key in here.keys() & there.keys():
        count = min(len(here[key]), len(there[key]))
        assert here[key][:count] == pytest.approx(there[key][:count], abs=CUT), key
    assert {alert["rule"] for alert in town.told("new")} == {alert["rule"] for alert in town.told("new", "alone")}
    assert "crowd" in {alert["rule"] for alert in town.told("new")}
    assert town.fleet.census().unplaced == ()
    assert gapless(town)


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


def test_hosts_use_a_scorer_and_score_for_themselves_when_it_is_lost(town: "Town") -> None:
    from tests.cluster.town import wait_for

    town.add_scorer()
    wait_for(lambda: town.scorer_rows() > 50, "hosts have found it")
    town.calm_down()
    seconds = town.lose_scorer()
    assert seconds < 5.0 + 2.0  # two windows of each camera take two seconds by themselves
    assert town.fleet.census().unplaced == ()


def test_a_node_is_lost_and_given_back(town: "Town") -> None:
    from tests.cluster.town import wait_for

    mine = {camera for camera, host in town.owners().items() if host == "node-2"}
    assert mine
    seconds = town.lose("node-2")
    assert seconds < 15.0
    assert set(town.owners()) == set(town.urls)
    assert not any(host == "node-2" for host in town.owners().values())

    def left() -> set[Any]:
        since: dict[str, Any] = {alert["id"]: alert for alert in town.told("new") if alert["camera"] in mine}
        return {i for i, alert in since.items() if alert["time"] < time.time() - 30} - {
            alert["id"] for alert in town.told("end")
        }

    wait_for(lambda: not left(), "nothing stays open that nobody watches")
    town.give_back("node-2")
    assert gapless(town)
