"""``no_data: alert``: a rule that must not be blind."""

import pytest

from streamwatch.errors import OrderError, RuleError
from streamwatch.rules.alert import Alert, Cause
from streamwatch.rules.book import RuleBook
from streamwatch.rules.order import Acknowledge, Snooze
from tests.rules.play import FALL, T0, book, detection, rules

ENTRY = {"no_data": "alert", "severity": "critical", "labels": {"floor": "2"}}
Told = tuple[str, float]


def told(alerts: tuple[Alert, ...] | list[Alert]) -> list[Told]:
    return [(alert.type.value, alert.time - T0) for alert in alerts if alert.cause is Cause.NO_DATA]


def pass_time(running: RuleBook, start: float, end: float, step: float = 1.0) -> list[Alert]:
    alerts: list[Alert] = []
    while start <= end:
        alerts += running.tick(T0 + start)
        start += step
    return alerts


def test_tells_that_data_are_missing_and_that_they_are_back() -> None:
    running = book(ENTRY)
    running.observe(detection(3, 0.1))
    found = pass_time(running, 4, 30)
    assert told(found) == [("new", 13)]
    (new,) = found
    assert (new.rule, new.camera, new.start_time, new.severity) == ("fall", "dock", T0 + 3, "critical")
    assert (new.event, new.threshold, new.score, new.labels["floor"]) == (None, None, 0.0, "2")
    assert new.summary == "No data from dock for fall"
    (end,) = running.observe(detection(31, 0.1))
    assert (end.id, end.seq, end.time, end.end_time) == (new.id, 1, T0 + 31, T0 + 31)
    assert end.annotations["end_reason"] == "ended"


@pytest.mark.parametrize("step", [0.5, 7.0, 100.0])
def test_is_the_same_however_often_time_is_told(step: float) -> None:
    running = book(ENTRY)
    running.observe(detection(3, 0.1))
    found = pass_time(running, 4, 30, step) + list(running.observe(detection(31, 0.1)))
    assert told(found) == [("new", 13), ("end", 31)]


def test_what_fires_ends_and_the_silence_begins() -> None:
    running = book(ENTRY)
    running.observe(detection(0, 0.9))
    found = pass_time(running, 1, 20)
    assert [(a.type.value, a.cause.value, a.time - T0) for a in found] == [
        ("end", "condition", 10), ("new", "no_data", 10),
    ]  # fmt: skip
    assert len({alert.id for alert in found}) == 2


def test_low_scores_are_data() -> None:
    running = book(ENTRY)
    for t in range(60):
        assert running.observe(detection(t, 0.1)) == ()
        assert running.tick(T0 + t) == ()


def test_a_camera_that_never_delivers_is_missed() -> None:
    running = book(ENTRY)
    running.camera("dock", "connecting", T0)
    assert told(pass_time(running, 0, 30)) == [("new", 10)]


def test_a_gap_alone_is_not_yet_silence() -> None:
    running = book(ENTRY)
    running.observe(detection(0, 0.1))
    assert running.gap("dock", T0 + 1) == ()
    running.camera("dock", "offline", T0 + 1)
    assert told(pass_time(running, 1, 9)) == []
    assert told(pass_time(running, 10, 12)) == [("new", 10)]


def test_a_camera_that_is_disabled_is_not_missed() -> None:
    running = book(ENTRY)
    running.observe(detection(0, 0.1))
    running.tick(T0 + 20)
    (end,) = running.camera("dock", "disabled", T0 + 25)
    assert end.annotations["end_reason"] == "disabled"
    assert pass_time(running, 26, 60) == []
    running.camera("dock", "connecting", T0 + 61)
    assert told(pass_time(running, 61, 80)) == [("new", 71)]


def test_only_its_own_zones_count() -> None:
    running = book({**ENTRY, "when": {**FALL, "zone": "gate"}})
    running.observe(detection(0, 0.1, zone="gate"))
    for t in range(1, 20):
        found = running.observe(detection(t, 0.1)) + running.tick(T0 + t)
        assert told(found) == ([("new", 10)] if t == 10 else [])


def test_of_several_zones_the_newest_counts() -> None:
    running = book({**ENTRY, "when": {"any": [FALL, {**FALL, "zone": "gate"}]}})
    running.observe(detection(5, 0.1))
    running.observe(detection(4, 0.1, zone="gate"))
    assert told(pass_time(running, 5, 30)) == [("new", 15)]


def test_a_state_is_no_data() -> None:
    running = book({**ENTRY, "when": {"all": [FALL, {"camera": "online"}]}})
    running.observe(detection(0, 0.1))
    running.camera("dock", "online", T0)
    assert told(pass_time(running, 0, 12)) == [("new", 10)]


def test_a_clock_set_back_does_not_blind_it() -> None:
    running = book(ENTRY)
    running.observe(detection(10_000, 0.1))
    assert told(running.observe(detection(0, 0.1))) == []
    assert told(pass_time(running, 0, 30)) == [("new", 10)]
    assert told(running.observe(detection(31, 0.1))) == [("end", 31)]


def test_can_be_acknowledged_once() -> None:
    running = book(ENTRY)
    running.observe(detection(0, 0.1))
    (new,) = running.tick(T0 + 11)
    (update,) = running.acknowledge(Acknowledge(new.id, "Ann"), T0 + 12)
    assert update.state.value == "acknowledged"
    with pytest.raises(OrderError, match="already"):
        running.acknowledge(Acknowledge(new.id), T0 + 13)
    assert told(running.observe(detection(14, 0.1))) == [("end", 14)]


def test_can_be_snoozed() -> None:
    running = book(ENTRY)
    running.snooze(Snooze("fall", None, span=30), T0)
    running.observe(detection(0, 0.1))
    found = pass_time(running, 0, 60)
    assert [(a.type.value, a.time - T0, a.snoozed) for a in found] == [("new", 10, True), ("new", 30, False)]


def test_a_snooze_that_is_over_meanwhile_does_not_hide_it() -> None:
    running = book(ENTRY)
    running.snooze(Snooze("fall", None, span=30), T0)
    running.observe(detection(0, 0.1))
    assert [(a.type.value, a.time - T0, a.snoozed) for a in running.tick(T0 + 60)] == [
        ("new", 10, True), ("new", 30, False),
    ]  # fmt: skip


def test_a_reload_goes_on_or_ends_it() -> None:
    running = book(ENTRY)
    running.observe(detection(0, 0.1))
    running.camera("dock", "online", T0)
    (new,) = running.tick(T0 + 11)
    assert running.replace(rules(ENTRY), T0 + 12) == ()
    (end,) = running.replace(rules({**ENTRY, "for": "1s"}), T0 + 13)
    assert (end.id, end.annotations["end_reason"]) == (new.id, "changed")
    assert told(pass_time(running, 13, 40)) == [("new", 23)]


def test_the_end_of_all_ends_it() -> None:
    running = book(ENTRY)
    running.observe(detection(0, 0.1))
    running.tick(T0 + 11)
    assert told(running.close(T0 + 12, "shutdown")) == [("end", 12)]


def test_is_among_the_incidents() -> None:
    running = book(ENTRY)
    running.observe(detection(0, 0.1))
    running.tick(T0 + 11)
    (incident,) = running.incidents()
    assert (incident.rule, incident.camera, incident.since) == ("fall", "dock", T0)


def test_a_rule_on_states_alone_needs_no_data() -> None:
    with pytest.raises(RuleError, match="no_data: alert: the rule needs no data"):
        rules({"no_data": "alert", "when": {"camera": "offline"}})


def test_what_was_under_way_when_the_camera_was_disabled_does_not_arm_it() -> None:
    running = book(ENTRY)
    running.camera("dock", "online", T0)
    running.observe(detection(1, 0.1))
    running.camera("dock", "disabled", T0 + 2)
    running.observe(detection(1.9, 0.1))  # the model had it when the camera was switched off
    assert told(pass_time(running, 3, 40)) == []
    running.camera("dock", "connecting", T0 + 41)
    assert told(pass_time(running, 41, 60)) == [("new", 51)]
