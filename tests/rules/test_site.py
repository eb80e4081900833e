"""What several cameras say, put in order of time."""

from math import inf, nan
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamwatch.errors import OrderError
from streamwatch.models.detection import CameraState, Detection, Gap
from streamwatch.rules.alert import Alert, IncidentState
from streamwatch.rules.backtest import replay
from streamwatch.rules.book import RuleBook
from streamwatch.rules.order import Acknowledge, Snooze
from streamwatch.rules.site import AHEAD, MAX_WAITING, SKEW
from tests.rules.play import FALL, T0, book, brief, detection, rules

IN_ORDER: dict[str, Any] = {
    "alert": "passed",
    "when": {
        "on_cameras": [{"cameras": "dock", **FALL}, {"cameras": "ward-*", **FALL}],
        "within": "8s",
        "in_order": True,
    },
}
OFFLINE: dict[str, Any] = {"alert": "gone", "when": {"camera": "offline"}, "for": "2s", "group_by": ["rule"]}
GROUPED: dict[str, Any] = {"alert": "grouped", "for": "1s", "keep_firing_for": "2s", "group_by": ["rule"]}
TWO: dict[str, Any] = {
    "alert": "two",
    "when": {"on_cameras": [{"cameras": "*", **FALL}], "at_least": 2, "within": "2s"},
    "keep_firing_for": "1s",
}
Row = Detection | Gap | CameraState


def hear(running: RuleBook, row: Row) -> list[Alert]:
    if isinstance(row, Detection):
        return list(running.observe(row))
    if isinstance(row, Gap):
        return list(running.gap(row.camera, row.at))
    return list(running.camera(row.camera, row.state, row.at))


def time_of(row: Row) -> float:
    return row.end if isinstance(row, Detection) else row.at


def test_what_comes_late_is_put_in_its_place() -> None:
    running = book(IN_ORDER, lateness=5.0)
    running.tick(T0 + 10)
    alerts = [*running.observe(detection(11, 0.9, "ward-1")), *running.observe(detection(9.5, 0.9, "dock"))]
    alerts += running.tick(T0 + 17)
    assert brief(alerts) == [("new", 11)]
    assert alerts[0].labels["cameras"] == "dock,ward-1"
    assert running.late == {}


def test_too_late_is_not_heard_and_counted() -> None:
    running = book(IN_ORDER, lateness=5.0)
    running.tick(T0 + 10)
    running.observe(detection(11, 0.9, "ward-1"))
    assert running.observe(detection(11 - SKEW, 0.9, "dock")) == ()
    assert running.late == {"dock": 1}


def test_no_more_than_needed_is_waited_for() -> None:
    running = book(IN_ORDER, lateness=5.0)
    alerts: list[tuple[float, Alert]] = []
    for step in range(80):
        at = step / 4
        for camera in ("dock", "ward-1"):
            score = 0.9 if (camera, at) in (("dock", 3), ("ward-1", 6)) else 0.1
            alerts += [(at, alert) for alert in running.observe(detection(at, score, camera))]
    assert brief([alert for _, alert in alerts])[0] == ("new", 6)
    assert alerts[0][0] - 6 <= SKEW + 0.5


def test_a_camera_with_a_wrong_clock_does_not_make_others_late() -> None:
    running = book(IN_ORDER, lateness=5.0)
    alerts: list[Alert] = []
    for t in range(20):
        alerts += running.tick(T0 + t)
        alerts += running.observe(detection(t + 3600, 0.1, "ward-2"))
        alerts += running.observe(detection(t, 0.9 if t == 5 else 0.1, "dock"))
        alerts += running.observe(detection(t, 0.9 if t == 8 else 0.1, "ward-1"))
    assert brief(alerts) == [("new", 8), ("end", 9)]
    assert running.late == {"ward-2": 20}
    assert AHEAD < 3600


def test_a_clock_set_back_is_followed() -> None:
    running = book(IN_ORDER, lateness=5.0)
    alerts: list[Alert] = []
    for now in (*range(1000, 1010), *range(20)):
        alerts += running.tick(T0 + now)
        for camera in ("dock", "ward-1"):
            alerts += running.observe(
                detection(now, 0.9 if (now, camera) in ((5, "dock"), (8, "ward-1")) else 0.1, camera)
            )
    assert brief(alerts) == [("new", 8), ("end", 9)]
    assert running.late == {}


def test_one_incident_for_all_cameras_that_are_away() -> None:
    running = book(OFFLINE, {"alert": "alone", "when": {"camera": "offline"}, "for": "2s"}, lateness=1.0)
    alerts: list[Alert] = []
    changes = {2: ("dock", "offline"), 4: ("ward-1", "offline"), 8: ("dock", "online"), 10: ("ward-1", "online")}
    for t in range(20):
        if t in changes:
            camera, state = changes[t]
            alerts += running.gap(camera, T0 + t)
            alerts += running.camera(camera, state, T0 + t)
        alerts += running.tick(T0 + t)
    gone = [alert for alert in alerts if alert.rule == "gone"]
    assert brief(gone) == [("new", 4), ("update", 6), ("end", 10)]
    assert gone[-1].labels["cameras"] == "dock,ward-1"
    assert [alert.camera for alert in alerts if alert.rule == "alone"] == ["dock", "ward-1", "dock", "ward-1"]


def test_a_rule_across_cameras_is_inhibited_on_any_of_them() -> None:
    loud = {"alert": "loud", "when": {"event": "fight", "on": 0.5}, "keep_firing_for": "4s"}
    running = book({**IN_ORDER, "inhibited_by": ["loud"]}, loud)
    alerts: list[Alert] = []
    for t in range(20):
        for camera in ("dock", "ward-1", "ward-2"):
            fall = 0.9 if (camera == "dock" and t == 2) or (camera == "ward-1" and 4 <= t < 9) else 0.1
            alerts += running.observe(detection(t, fall, camera, fight=0.9 if camera == "ward-2" and t == 2 else 0.1))
        alerts += running.tick(T0 + t)
    assert [(a.rule, *brief([a])[0]) for a in alerts] == [
        ("loud", "new", 2), ("loud", "end", 7), ("passed", "new", 7), ("passed", "end", 9),
    ]  # fmt: skip


def test_a_grouped_rule_inhibits_others_camera_by_camera() -> None:
    loud = {"alert": "loud", "when": {"event": "fight", "on": 0.5}, "group_by": ["rule"]}
    running = book({"inhibited_by": ["loud"]}, loud)
    alerts = [*running.observe(detection(1, 0.9, "dock", fight=0.9)), *running.observe(detection(1, 0.9, "ward-1"))]
    alerts += running.tick(T0 + 2)
    assert [(alert.rule, alert.camera) for alert in alerts] == [("fall", "ward-1"), ("loud", "dock")]


def test_incidents_open_now() -> None:
    running = book({**GROUPED, "alert": "b"}, TWO)
    for camera in ("dock", "ward-1"):
        running.observe(detection(1, 0.9, camera))
    running.tick(T0 + 1)
    assert [(i.rule, i.camera, i.state) for i in running.incidents()] == [
        ("two", "ward-1", IncidentState.FIRING), ("b", "dock", IncidentState.PENDING),
        ("b", "ward-1", IncidentState.PENDING),
    ]  # fmt: skip
    for camera in ("dock", "ward-1"):
        running.observe(detection(2, 0.9, camera))
    running.tick(T0 + 2)
    assert [(i.rule, i.camera, i.state.value) for i in running.incidents()] == [
        ("two", "ward-1", "firing"), ("b", "dock", "firing"),
    ]  # fmt: skip


def test_a_rule_that_fails_is_counted() -> None:
    running = book(TWO)
    running.observe(detection(1, nan, "dock"))
    running.observe(detection(1, 0.9, "ward-1"))
    running.tick(T0 + 2)
    assert running.errors == {"two": 1}


def test_rows_that_wait_are_bounded() -> None:
    running = book(TWO)
    running.tick(T0)
    for i in range(MAX_WAITING + 500):
        running.observe(detection(5 + i * 1e-6, 0.1, f"c{i % 7}"))
    assert running.late == {}
    assert running._site is not None
    assert len(running._site._waiting) <= MAX_WAITING


@pytest.mark.parametrize("at", [inf, -inf, nan])
def test_a_time_that_is_none_does_no_harm(at: float) -> None:
    running = book(TWO, OFFLINE)
    for t in range(5):
        running.observe(detection(t, 0.9, "dock"))
    running.gap("dock", at)
    running.tick(at)
    running.observe(detection(at, 0.9))
    alerts = [*running.observe(detection(5, 0.9, "dock")), *running.observe(detection(5, 0.9, "ward-1"))]
    alerts += running.tick(T0 + 6)
    assert brief(alerts) == [("new", 5)]


kinds = st.sampled_from(["low", "high", "high", "high", "gap", "offline", "online"])
cameras = st.sampled_from(["dock", "ward-1", "ward-2"])
feeds = st.lists(st.tuples(st.sampled_from([0.1, 0.4, 1.0, 2.0, 5.0, 14.0]), cameras, kinds), max_size=50)


def rows_of(feed: list[tuple[float, str, str]]) -> list[Row]:
    at, rows = 0.0, list[Row]()
    for step, camera, kind in feed:
        at = round(at + step, 3)
        if kind == "gap":
            rows.append(Gap(camera, T0 + at))
        elif kind in ("online", "offline"):
            rows.append(CameraState(camera, kind, T0 + at))
        else:
            rows.append(detection(at, 0.9 if kind == "high" else 0.1, camera))
    return rows


def live(rows: list[Row], delays: dict[str, float]) -> list[Alert]:
    """As the rules thread does it: each camera's rows come as late as ``delays`` says, and time passes each second."""
    running = RuleBook(rules(IN_ORDER, OFFLINE, GROUPED, TWO), "backtest")
    last = max((time_of(row) for row in rows), default=T0)
    arriving = sorted(rows, key=lambda row: time_of(row) + delays[row.camera])
    alerts: list[Alert] = []
    second = T0
    for row in arriving:
        while second <= time_of(row) + delays[row.camera]:
            alerts += running.tick(second)
            second += 1
        alerts += hear(running, row)
    while second < last + 5:
        alerts += running.tick(second)
        second += 1
    alerts += running.tick(last + 5)
    alerts += running.close(last, "end_of_log")
    assert running.late == {}
    return sorted(alerts, key=lambda a: (a.time, a.rule))  # all about several cameras: of one rule they stay in order


@settings(deadline=None, max_examples=200)
@given(feeds, st.tuples(*[st.sampled_from([0.0, 0.3, 1.1, 1.9])] * 3))
def test_the_order_in_which_cameras_answer_does_not_matter(
    feed: list[tuple[float, str, str]], delays: tuple[float, float, float]
) -> None:
    rows = rows_of(feed)
    late = dict(zip(("dock", "ward-1", "ward-2"), delays, strict=True))
    assert live(rows, late) == live(rows, dict.fromkeys(late, 0.0))


@settings(deadline=None, max_examples=200)
@given(feeds)
def test_a_backtest_says_what_was_said_live(feed: list[tuple[float, str, str]]) -> None:
    rows = rows_of(feed)
    found = replay(rows, rules(IN_ORDER, OFFLINE, GROUPED, TWO))
    assert list(found.alerts) == live(rows, dict.fromkeys(("dock", "ward-1", "ward-2"), 1.3))


def test_an_incident_ends_before_the_next_begins_though_another_camera_completes_it() -> None:
    """Both at the same time, and the camera of the new one comes first in the alphabet."""
    step = {"event": "fall", "on": 0.4, "off": 0.2, "cameras": ["*"]}
    when = {"not": {"absent": {"on_cameras": [step, step], "within": "12s"}, "for": "1s"}}
    early = {"after": "0s", "filled": 0.5}
    running = RuleBook(rules({"alert": "join", "when": when, "for": "12s", "gap": "11s", "early": early}), "test")
    alerts = [*running.observe(detection(0, 0.5, "ward-1")), *running.observe(detection(11, 0.5, "dock"))]
    alerts += running.tick(T0 + 40)
    told = [(alert.type.value, alert.camera) for alert in alerts if alert.time == T0 + 11]
    assert told == [("end", "ward-1"), ("new", "dock")]


def test_a_group_is_acknowledged_as_one_even_when_its_first_camera_is_done() -> None:
    running = book({"group_by": ["rule"]}, lateness=0.0)
    alerts: list[Alert] = []
    for t, (dock, ward) in enumerate([(0.9, 0.1), (0.9, 0.9), (0.1, 0.9)]):
        alerts += [*running.observe(detection(t, dock, "dock")), *running.observe(detection(t, ward, "ward-1"))]
        alerts += running.tick(T0 + t)
    (incident,) = running.incidents()
    (taken,) = running.acknowledge(Acknowledge(incident.id, "Ann"), T0 + 9)
    assert (taken.id, taken.state.value, taken.seq, taken.camera) == (alerts[0].id, "acknowledged", 2, "dock")
    with pytest.raises(OrderError, match="already"):
        running.acknowledge(Acknowledge(incident.id), T0 + 9)
    running.observe(detection(3, 0.1, "ward-1"))
    (end,) = running.tick(T0 + 3)
    assert (end.type.value, end.seq, end.time - T0) == ("end", 3, 9)


def test_a_rule_that_joins_cameras_can_be_acknowledged_and_snoozed() -> None:
    running = book(TWO)
    running.snooze(Snooze("two", None, span=100.0), T0)
    for camera in ("dock", "ward-1"):
        running.observe(detection(1, 0.9, camera))
    assert [alert.snoozed for alert in running.tick(T0 + 1)] == [True]
    (again,) = running.snooze(Snooze("two", None, span=0.0), T0 + 2)
    assert (again.type.value, again.camera, again.labels["cameras"]) == ("new", "ward-1", "dock,ward-1")
    (taken,) = running.acknowledge(Acknowledge(again.id), T0 + 3)
    assert taken.state.value == "acknowledged"


def test_a_group_is_acknowledged_while_its_first_camera_only_warns() -> None:
    running = book({"group_by": ["rule"], "early": True, "for": "3s"})
    alerts: list[Alert] = []
    for t in range(8):
        alerts += running.observe(detection(t, 0.1 if t == 4 else 0.9, "dock"))
        alerts += [*running.observe(detection(t, 0.9 if t else 0.1, "ward-1")), *running.tick(T0 + t)]
        if t == 5:
            (taken,) = running.acknowledge(Acknowledge(alerts[0].id, "Ann"), T0 + t)
    assert (taken.id, taken.state.value, taken.why) == (alerts[0].id, "acknowledged", None)
    assert [(i.id, i.state.value) for i in running.incidents()] == [(alerts[0].id, "acknowledged")]


def test_a_group_is_acknowledged_once_whoever_is_left_of_it() -> None:
    running = book({"group_by": ["rule"]})
    alerts = [alert for camera in ("dock", "ward-1") for alert in running.observe(detection(0, 0.9, camera))]
    alerts += running.tick(T0)
    running.acknowledge(Acknowledge(alerts[0].id), T0)
    alerts += [*running.observe(detection(1, 0.1, "dock")), *running.observe(detection(1, 0.9, "ward-1"))]
    running.tick(T0 + 1)
    with pytest.raises(OrderError, match="already"):
        running.acknowledge(Acknowledge(alerts[0].id), T0 + 1)


def test_a_group_that_only_warns_cannot_be_acknowledged() -> None:
    running = book({"group_by": ["rule"], "early": True, "for": "3s"})
    running.observe(detection(0, 0.9))
    (warning,) = running.tick(T0)
    with pytest.raises(OrderError, match="pending"):
        running.acknowledge(Acknowledge(warning.id), T0)
    assert [incident.id for incident in running.incidents()] == [warning.id]


def test_an_incident_that_begins_as_the_last_one_ends_is_told_by_its_group() -> None:
    running = book({"group_by": ["rule"], "keep_firing_for": "2s"})
    alerts = [alert for t, score in enumerate([0.9, 0.1, 0.1]) for alert in running.observe(detection(t, score))]
    alerts += [*running.observe(detection(3, 0.9)), *running.observe(detection(4, 0.1)), *running.tick(T0 + 9)]
    assert [(*brief([alert])[0], alert.seq) for alert in alerts] == [
        ("new", 0, 0), ("end", 3, 1), ("new", 3, 0), ("end", 6, 1),
    ]  # fmt: skip


def test_a_snooze_ended_by_hand_in_its_last_seconds_loses_nothing() -> None:
    running = book({}, {**GROUPED, "for": "0s"}, lateness=5.0)
    running.tick(T0)
    running.snooze(Snooze(None, "dock", span=10.0), T0)
    alerts: list[Alert] = []
    for t in range(1, 12):
        alerts += [*running.observe(detection(min(t, 9), 0.9)), *running.tick(T0 + t)]
    alerts += running.observe(detection(12.5, 0.9))  # across cameras time is beyond the snooze, of each camera not
    alerts += running.tick(T0 + 14)
    alerts += running.snooze(Snooze(None, "dock", span=0.0), T0 + 14)
    heard = sorted((alert.rule, alert.type.value, alert.seq) for alert in alerts if not alert.snoozed)
    assert heard == [("fall", "new", 0), ("grouped", "new", 0)]
