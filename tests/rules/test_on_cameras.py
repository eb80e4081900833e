"""Conditions on several cameras: how they are written, and what a rule with them tells."""

from typing import Any

import pytest

from streamwatch.errors import RuleError
from streamwatch.rules.alert import Alert
from streamwatch.rules.operators import parse_condition
from tests.rules.play import FALL, SITE, T0, book, brief, detection, rules

LOBBY = {"cameras": "dock", **FALL}
EXITS = {"cameras": "ward-*", **FALL}
TOGETHER: dict[str, Any] = {"on_cameras": [LOBBY, EXITS], "within": "5s"}
IN_ORDER: dict[str, Any] = {**TOGETHER, "in_order": True}
ANY_TWO: dict[str, Any] = {"on_cameras": [{"cameras": "*", **FALL}], "at_least": 2, "within": "5s"}


def told(when: object, tracks: dict[str, str], **rule: object) -> list[Alert]:
    """What a rule says to one score of fall a second and camera: ``#`` high, ``.`` low, blank none."""
    running = book({"when": when, **rule})
    alerts: list[Alert] = []
    for second in range(max(map(len, tracks.values()))):
        for camera, track in tracks.items():
            if second < len(track) and track[second] != " ":
                score = 0.9 if track[second] == "#" else 0.1
                alerts += running.observe(detection(second, score, camera))
        alerts += running.tick(T0 + second)
    return alerts + list(running.close(T0 + 1000, "done"))


def test_together_within_the_span() -> None:
    alerts = told(TOGETHER, {"dock": "..##......", "ward-2": ".....#...."})
    assert brief(alerts) == [("new", 5), ("end", 6)]
    assert alerts[0].camera == "ward-2"  # it completed it
    assert alerts[0].labels["cameras"] == "dock,ward-2"
    assert told(TOGETHER, {"dock": ".#.......", "ward-2": ".......#."}) == []


def test_in_order_and_not_the_other_way_round() -> None:
    (new, end) = told(IN_ORDER, {"dock": "..#......", "ward-1": ".....##.."})
    assert brief([new, end]) == [("new", 5), ("end", 7)]
    assert (new.camera, new.labels["cameras"], new.event, new.score) == ("ward-1", "dock,ward-1", "fall", 0.9)
    assert (end.camera, end.annotations["end_reason"]) == ("ward-1", "ended")
    assert told(IN_ORDER, {"dock": ".....#...", "ward-1": "..#......"}) == []
    assert told(IN_ORDER, {"dock": "..#......", "ward-1": "..#......"}) == []  # not at one time


def test_one_camera_alone_is_not_two() -> None:
    assert told(ANY_TWO, {"dock": ".####.", "ward-1": "......"}) == []
    assert (
        told({**IN_ORDER, "on_cameras": [{"cameras": "*", **FALL}] * 2}, {"dock": ".#.#.#", "ward-1": "......"}) == []
    )


def test_an_update_says_who_joined() -> None:
    alerts = told(ANY_TWO, {"dock": ".#######.", "ward-1": "..######.", "ward-2": ".....###."})
    assert brief(alerts) == [("new", 2), ("update", 5), ("end", 8)]
    assert [alert.labels["cameras"] for alert in alerts[:2]] == ["dock,ward-1", "dock,ward-1,ward-2"]
    assert {alert.camera for alert in alerts} == {"ward-1"}  # it stays that which completed it
    assert len({alert.id for alert in alerts}) == 1


def test_a_step_may_be_about_a_zone_and_made_of_others() -> None:
    step = {
        "cameras": "dock",
        "all": [{**FALL, "zone": "gate"}, {"not": {"event": "fight", "on": 0.5, "zone": "gate"}}],
    }
    running = book({"when": {"on_cameras": [step, EXITS], "within": "5s"}})
    alerts = [*running.observe(detection(1, 0.9, zone="gate")), *running.observe(detection(2, 0.9, "ward-1"))]
    alerts += running.tick(T0 + 3)
    assert brief(alerts) == [("new", 2)]


def test_stands_beside_a_schedule_and_under_not() -> None:
    hours = {"schedule": ["22:13-22:14"], "timezone": "UTC"}  # T0 is 22:13:20
    assert brief(told({"all": [hours, TOGETHER]}, {"dock": ".#..", "ward-1": "..#."})) == [("new", 2), ("end", 3)]
    (new, *_) = told({"not": TOGETHER}, {"dock": "....", "ward-1": "...."})
    assert (new.camera, new.event, "cameras" in new.labels) == ("dock", None, False)


def test_motion_alone_has_no_event() -> None:
    when = {"on_cameras": [{"cameras": c, "motion": 0.05} for c in ("dock", "ward-1")], "within": "5s"}
    (new, *_) = told(when, {"dock": "....", "ward-1": "...."})
    assert (new.event, new.score, new.threshold, new.labels["cameras"]) == (None, 0.0, None, "dock,ward-1")


def test_a_gap_of_one_camera_does_not_end_what_others_hold() -> None:
    running = book({"when": ANY_TWO, "keep_firing_for": "1s"})
    alerts: list[Alert] = []
    for t in range(12):
        for camera in ("dock", "ward-1", "ward-2"):
            if not (camera == "dock" and t > 5):
                alerts += running.observe(detection(t, 0.9, camera))
        if t == 5:
            alerts += running.gap("dock", T0 + 5.5)
        alerts += running.tick(T0 + t)
    assert brief(alerts) == [("new", 0), ("update", 0)]


def test_a_rule_hears_only_its_cameras() -> None:
    (rule,) = rules({"when": IN_ORDER, "cameras": ["dock", "ward-1"]})
    assert [camera for camera in SITE.cameras if rule.watches(camera)] == ["dock", "ward-1"]
    narrow = {"on_cameras": [LOBBY, {"cameras": "ward-2", **FALL}], "within": "5s"}
    assert [camera for camera in SITE.cameras if rules({"when": narrow})[0].watches(camera)] == ["dock", "ward-2"]


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ({"on_cameras": [LOBBY], "within": "5s"}, "one step alone joins nothing"),
        ({"on_cameras": [], "within": "5s"}, "at least 1 item"),
        ({"on_cameras": [LOBBY, EXITS]}, "within: Field required"),
        ({**ANY_TWO, "in_order": True}, "do not go together"),
        ({**TOGETHER, "at_least": 1}, "greater than or equal to 2"),
        ({"on_cameras": [LOBBY, LOBBY], "within": "5s"}, r"on_cameras: can never hold: names 1 cameras and needs 2"),
        ({"on_cameras": [{**LOBBY, "cameras": "dok"}, EXITS], "within": 1}, r"s\[0\].cameras: no camera.*'dock'"),
        ({"on_cameras": [{**LOBBY, "cameras": []}, EXITS], "within": 1}, r"on_cameras\[0\]: cameras: .*at least 1"),
        ({"on_cameras": [{**LOBBY, "zone": "bed"}, EXITS], "within": 1}, r"on_cameras\[0\].zone: camera dock has no"),
        ({"on_cameras": [{"cameras": "dock"}, EXITS], "within": 1}, r"on_cameras\[0\]: no operator among nothing"),
        ({"on_cameras": [3, EXITS], "within": 1}, r"on_cameras\[0\]: must be a mapping"),
        ({"on_cameras": [{"cameras": "dock", "schedule": ["01:00-02:00"], "timezone": "UTC"}, EXITS], "within": 1},
         r"on_cameras\[0\]: hears no detection"),
        ({"all": [TOGETHER, FALL]}, "on which camera"),
        ({"on_cameras": [{"cameras": "*", **ANY_TWO}], "at_least": 2, "within": 1}, "does not stand inside on_cameras"),
        ({"k_of_n": TOGETHER, "at_least": 1, "of": 2}, "k_of_n counts the detections of one camera"),
    ],
)  # fmt: skip
def test_refuses(when: object, said: str) -> None:
    with pytest.raises(RuleError, match=said):
        rules({"when": when})


def test_a_site_rule_is_not_grouped_by_camera() -> None:
    with pytest.raises(RuleError, match=r"rules\[0\]\.group_by: on_cameras has one incident for all"):
        rules({"when": TOGETHER, "group_by": ["camera"]})
    assert rules({"when": TOGETHER, "group_by": ["rule"]})[0].scope == "site"


def test_names_the_zones_of_its_steps() -> None:
    when = {"on_cameras": [{**LOBBY, "zone": "gate"}, {"cameras": "ward-*", "camera": "offline"}], "within": "5s"}
    assert parse_condition(when, "", SITE, ("*",)).zones == {"gate", "@status"}
