"""The same incidents as one process, before anything is taken away; then Ray's head is restarted with the site."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from streamwatch.pipeline import Pipeline
from tests.cluster.test_fleet import gaps, sequences

if TYPE_CHECKING:
    from tests.cluster.town import Town

pytestmark = pytest.mark.timeout(240)
WINDOWS = 3
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
    assert gaps(town) == []


def test_the_head_is_restarted_and_hosts_go_on(town: "Town") -> None:
    from tests.cluster.town import wait_for

    town.settle()
    owners, told = town.owners(), len(sequences(town))
    town.restart_head(WINDOWS)  # they score without site and head
    wait_for(town.settled, "all hosts are back at the new site")
    stayed = [pair for pair in owners.items() if pair in town.owners().items()]
    assert len(stayed) >= 10  # one or two may move for fairness
    wait_for(lambda: len(sequences(town)) > told, "alerts come again")
    assert gaps(town) == []
