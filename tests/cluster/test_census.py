"""What an operator sees, and what Prometheus is told."""

from streamwatch.cluster.census import Census, status_lines, targets
from streamwatch.cluster.report import Standing
from streamwatch.cluster.roster import Seat

NORTH = Standing("north", 1, 0.0, load=1.26, capacity=4.0, metrics="10.0.0.5:9109")
SOUTH = Standing("south", 1, 0.0, load=0.2, capacity=2.0)
CENSUS = Census(
    (Seat(NORTH, ("dock", "gate"), 0.3, 0.02, drained=False), Seat(SOUTH, ("ward",), 2.0, -3.4, drained=True)),
    ("roof",),
    {"dock": "online", "gate": "offline", "ward": "dark", "roof": "connecting"},
)


def test_a_line_a_host_and_then_what_is_wrong() -> None:
    head, north, south, total, *wrong = status_lines(CENSUS)
    assert head.split() == ["host", "cores", "cameras", "online", "age", "clock"]
    assert north.split() == ["north", "1.26/", "4.0", "2", "1", "0.3", "s", "+0.02", "s"]
    assert south.split() == ["south", "0.20/", "2.0", "1", "1", "2.0", "s", "-3.40", "s", "drained"]
    assert total == "4 cameras, 1 of them read by no host"
    assert wrong == [
        "1 cameras are read by no host: roof",
        "host south: its clock is -3.4 s off; rules across cameras suffer",
    ]


def test_prometheus_is_told_who_can_be_scraped() -> None:
    assert targets(CENSUS) == [{"targets": ["10.0.0.5:9109"], "labels": {"host": "north"}}]
    assert targets(Census((), (), {})) == []
