"""The dashboard: whole, and about metrics that there are."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.series import exposed, named

DASHBOARD: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "deploy" / "grafana" / "streamwatch.json").read_text()
)
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def queries(panel: dict[str, Any]) -> list[str]:
    return [target["expr"] for target in panel["targets"]]


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_asks_for_what_there_is(panel: dict[str, Any]) -> None:
    for query in queries(panel):
        assert named(query), query
        assert named(query) <= exposed(), named(query) - exposed()
        assert "$instance" in query
    assert panel["datasource"]["uid"] == "${datasource}"


def test_the_rows_are_those_that_people_look_for() -> None:
    rows = [panel["title"] for panel in DASHBOARD["panels"] if panel["type"] == "row"]
    assert rows == ["Overview", "Cameras", "Events and alerts", "Latency and cost", "Outbox, rules, disk"]
    assert {"state-timeline", "heatmap"} <= {panel["type"] for panel in PANELS}


def test_ids_differ_and_nothing_overlaps() -> None:
    everything = DASHBOARD["panels"]
    assert len({panel["id"] for panel in everything}) == len(everything)
    taken: set[tuple[int, int]] = set()
    for panel in everything:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
