"""Twelve RTSP cameras on three nodes of a real Ray: nodes and scorers that come and go."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cluster.town import Town

pytestmark = pytest.mark.timeout(240)


def sequences(town: "Town") -> list[int]:
    """Of what was told, each once, in the order in which it came first. One whose receipt was lost with the site that
    was killed is told twice: MQTT says at least once.
    """
    return list(dict.fromkeys(alert["sequence"] for alert in town.told()))


def gaps(town: "Town") -> list[tuple[int, int]]:
    """(number that was due, number that came) wherever they differ: of a moment, as alerts go on arriving."""
    told = sequences(town)
    return [(due, came) for due, came in zip([1, *(number + 1 for number in told)], told, strict=False) if due != came]


def test_hosts_use_a_scorer_and_score_for_themselves_when_it_is_lost(town: "Town") -> None:
    from tests.cluster.town import wait_for

    town.add_scorer()
    wait_for(lambda: town.scorer_rows() > 50, "hosts have found it")
    town.calm_down()
    seconds = town.lose_scorer()
    assert seconds < 5.0 + 2.0  # two windows of each camera take two seconds by themselves
    assert town.fleet.census().unplaced == ()


def open_on(town: "Town", cameras: set[str]) -> set[str]:
    """Incidents there that were told of and have not ended. Not crowds: there is one as long as others move, wherever
    the camera is that completed it.
    """
    began = {str(alert["id"]) for alert in town.told("new") if alert["camera"] in cameras and alert["rule"] != "crowd"}
    return began - {str(alert["id"]) for alert in town.told("end")}


def test_a_node_is_lost_and_given_back(town: "Town") -> None:
    from tests.cluster.town import wait_for

    mine = {camera for camera, host in town.owners().items() if host == "node-2"}
    assert mine
    wait_for(lambda: open_on(town, mine), "incidents there")
    before = open_on(town, mine)
    seconds = town.lose("node-2")
    assert seconds < 15.0
    assert set(town.owners()) == set(town.urls)
    assert not any(host == "node-2" for host in town.owners().values())
    wait_for(lambda: not before & open_on(town, mine), "nothing stays open that nobody watches", 10.0)
    town.give_back("node-2")
    assert gaps(town) == []


def test_a_node_is_lost_while_the_site_begins_again(town: "Town") -> None:
    from tests.cluster.town import wait_for

    town.settle()
    mine = {camera for camera, host in town.owners().items() if host == "node-1"}
    wait_for(lambda: open_on(town, mine), "incidents there")
    before = open_on(town, mine)
    town.lose_unseen("node-1")
    town.settle()
    assert set(town.owners().values()) == {"node-2", "node-3"}
    town.begin_node("node-1")
    wait_for(lambda: not before & open_on(town, mine), "nothing stays open that nobody watches", 40.0)
    town.give_back("node-1")
    assert gaps(town) == []
