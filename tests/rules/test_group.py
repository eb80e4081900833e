"""One incident for all cameras of a rule."""

from dataclasses import replace

from streamwatch.rules.alert import Alert, AlertType, IncidentState
from streamwatch.rules.group import Group
from tests.rules.play import FALL, T0, book, brief, detection

ONE = {"when": FALL, "group_by": ["rule"], "annotations": {"summary": "{rule} at {camera}"}}


def told(tracks: dict[str, str], **rule: object) -> list[Alert]:
    running = book({**ONE, **rule})
    alerts: list[Alert] = []
    for second in range(len(next(iter(tracks.values())))):
        for camera, track in tracks.items():
            alerts += running.observe(detection(second, 0.9 if track[second] == "#" else 0.1, camera))
        alerts += running.tick(T0 + second)
    return alerts + list(running.close(T0 + 1000, "done"))


def test_cameras_join_one_incident() -> None:
    alerts = told({"dock": "..####....", "ward-1": "...#####..", "ward-2": ".........."})
    assert brief(alerts) == [("new", 2), ("update", 3), ("end", 8)]
    assert len({alert.id for alert in alerts}) == 1
    assert [alert.seq for alert in alerts] == [0, 1, 2]
    assert {alert.camera for alert in alerts} == {"dock"}
    assert [alert.labels["cameras"] for alert in alerts] == ["dock", "dock,ward-1", "dock,ward-1"]
    assert [alert.summary for alert in alerts] == ["fall at dock", "fall at ward-1", "fall at ward-1"]
    assert (alerts[-1].end_time or 0) - T0 == 7


def test_each_camera_must_hold_for_long_enough_by_itself() -> None:
    assert told({"dock": ".#.#.#.", "ward-1": "#.#.#.#"}, **{"for": "1s"}) == []
    assert brief(told({"dock": ".##....", "ward-1": "....##."}, **{"for": "1s"})) == [
        ("new", 2), ("end", 3), ("new", 5), ("end", 6),
    ]  # fmt: skip


def test_a_camera_that_comes_back_is_no_news() -> None:
    alerts = told({"dock": ".#.#.#..", "ward-1": ".######."})
    assert brief(alerts) == [("new", 1), ("update", 1), ("end", 7)]


def test_the_gravest_severity_and_the_highest_peak_count() -> None:
    first = told({"dock": ".###", "ward-1": "...."})[0]
    group = Group()
    assert group.incident() is None
    group.hear(first)
    assert group.hear(replace(first, type=AlertType.UPDATE, time=first.time + 2)) == ()
    (update,) = group.hear(replace(first, camera="ward-1", id="x", severity="critical", peak_score=0.99))
    assert (update.id, update.severity, update.labels["severity"], update.peak_score) == (
        first.id, "critical", "critical", 0.99,
    )  # fmt: skip
    assert group.hear(replace(first, type=AlertType.END, end_time=first.time)) == ()
    incident = group.incident()
    assert incident is not None
    assert (incident.id, incident.state, incident.peak_score) == (first.id, IncidentState.FIRING, 0.99)
    (end,) = group.hear(replace(first, type=AlertType.END, camera="ward-1", id="x", end_time=first.time))
    assert (end.severity, end.peak_score, end.seq) == ("critical", 0.99, 2)
    assert group.incident() is None


def test_a_heartbeat_each_half_minute_not_one_a_camera() -> None:
    alerts = told({"dock": "#" * 70, "ward-1": "#" * 70})
    assert [at for kind, at in brief(alerts) if kind == "update"] == [0, 30, 60]
