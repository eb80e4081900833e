"""The part of a rule book that hears: which rules it evaluates, and for whom."""

from streamwatch.rules.order import Snooze
from streamwatch.rules.watches import Watches
from tests.rules.play import FALL, T0, brief, detection, rules

JOINED = {"on_cameras": [{"cameras": "*", **FALL}], "at_least": 2, "within": "5s"}
SITE = rules(
    {"alert": "joined", "when": JOINED, "inhibited_by": ["loud"]},
    {"alert": "loud", "when": {"event": "fight", "on": 0.5}},
    {"alert": "grouped", "group_by": ["rule"]},
    {"alert": "quiet", "inhibited_by": ["grouped"]},
)


def test_each_part_tells_of_its_own_rules_only() -> None:
    alone, across = Watches(SITE, "site", 0.0), Watches(SITE, "site", 0.0, across=True)
    told = []
    for part in (alone, across):
        heard = [detection(0, 0.9, camera, fight=0.9) for camera in ("dock", "ward-1")]
        told.append({alert.rule for each in heard for alert in part.observe(each)})
    assert told == [{"loud"}, {"grouped"}]
    assert [{incident.rule for incident in part.incidents()} for part in (alone, across)] == [
        {"loud", "quiet"}, {"joined", "grouped"},
    ]  # fmt: skip


def test_a_rule_that_joins_cameras_has_one_state() -> None:
    across = Watches(SITE[:1], "site", 0.0, across=True)
    assert across.observe(detection(0, 0.9, "dock")) == ()
    assert brief(across.observe(detection(1, 0.9, "ward-1"))) == [("new", 1)]
    assert brief(across.observe(detection(2, 0.9, "ward-2"))) == [("update", 2)]
    assert len(across.incidents()) == 1
    assert across.gap("ward-2", T0 + 2.5) == ()
    assert brief(across.close(T0 + 3, "done")) == [("end", 3)]


def test_a_new_part_knows_states_and_snoozes() -> None:
    one = Watches(rules({"alert": "gone", "when": {"camera": "offline"}}), "site", 0.0)
    one.camera("dock", "offline", T0)
    one.snooze(Snooze("gone", None, span=60.0), T0)
    other = Watches(one.rules, "site", 0.0)
    other.follow(one)
    assert other.incidents() == ()  # whatever it says must be heard, so it says it with the time that passes next
    assert [(held.rule, held.until - T0) for held in other.snoozes] == [("gone", 60)]
    assert [(alert.rule, alert.type.value, alert.snoozed) for alert in other.tick(T0 + 5)] == [("gone", "new", True)]
