"""Other rules in force between two detections: what goes on, what ends, what begins."""

from collections.abc import Callable, Mapping
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamwatch.errors import RuleError
from streamwatch.rules.alert import Alert, AlertType, to_json
from streamwatch.rules.book import RuleBook
from streamwatch.rules.rule import Rule, hash_of
from tests.rules.play import FALL, T0, book, brief, detection, play, rules

HIGH, LOW = 0.9, 0.1
Entry = Mapping[str, object]
FIGHT: Entry = {"alert": "fight", "when": {"event": "fight", "on": 0.5}}
OFFLINE: Entry = {"alert": "offline", "when": {"camera": "offline"}}


def reasons(alerts: list[Alert] | tuple[Alert, ...]) -> list[tuple[str, float, str]]:
    """(rule, seconds after T0, end_reason) of each."""
    return [(alert.rule, round(alert.time - T0, 6), str(alert.annotations.get("end_reason", ""))) for alert in alerts]


class TestUnchanged:
    """What each rule remembers, with a reload of equal rules in the middle."""

    @pytest.mark.parametrize(
        ("entry", "before", "after", "expected"),
        [
            pytest.param({"for": "2s"}, [(0, HIGH), (1, HIGH)], [(2, HIGH)], [("new", 2)], id="pending"),
            pytest.param(
                {"keep_firing_for": "3s"}, [(0, HIGH), (1, LOW)], [(2, LOW), (4, LOW)], [("end", 4)], id="end"
            ),
            pytest.param({}, [(0, HIGH), (1, LOW)], [(1.5, HIGH)], [("new", 1.5)], id="ended"),
            pytest.param({"cooldown": "9s"}, [(0, HIGH), (1, LOW)], [(2, HIGH), (10, HIGH)], [("new", 10)], id="cool"),
            pytest.param({}, [(0, HIGH)], [(1, 0.7), (2, 0.5)], [("end", 2)], id="hysteresis"),
            pytest.param(
                {"when": {"k_of_n": FALL, "at_least": 3, "of": 4}},
                [(0, HIGH), (1, HIGH)],
                [(2, HIGH)],
                [("new", 2)],
                id="k of n",
            ),
            pytest.param(
                {"when": {"absent": FALL, "for": "5s"}},
                [(0, LOW), (3, LOW)],
                [(5, LOW)],
                [("new", 5)],
                id="absent",
            ),
            pytest.param(
                {"when": {"count": FALL, "in": "1h", "at_least": 2}},
                [(0, HIGH), (1, LOW)],
                [(2, HIGH)],
                [("new", 2)],
                id="count",
            ),
        ],
    )
    def test_goes_on(
        self, entry: Entry, before: list[tuple[float, float]], after: list[tuple[float, float]], expected: object
    ) -> None:
        running, other = book(entry), {"alert": "other", "when": {"event": "fight", "on": 0.5}}
        play(running, before)
        assert running.replace(rules(other, entry), T0 + before[-1][0]) == ()
        assert brief(play(running, after)) == expected

    def test_severity_by_repetition_goes_on(self) -> None:
        entry = {"escalate": [{"count": 2, "in": "1h", "severity": "critical"}]}
        running = book(entry)
        play(running, [(0, HIGH), (1, LOW)])
        running.replace(rules(entry), T0 + 1)
        (alert,) = running.observe(detection(2, HIGH))
        assert alert.severity == "critical"

    def test_the_number_within_the_incident_goes_on(self) -> None:
        running = book({})
        (new,) = running.observe(detection(0, 0.81))
        running.replace(rules({}), T0)
        (update,) = running.observe(detection(1, 0.99))
        assert (update.id, update.seq) == (new.id, 1)

    def test_late_detections_are_late_after_it_too(self) -> None:
        running = book({})
        running.observe(detection(5, LOW))
        running.replace(rules({}, {"alert": "more"}), T0 + 5)
        assert running.observe(detection(4, HIGH)) == ()
        assert running.late == {"dock": 1}

    def test_a_rule_asleep_wakes(self) -> None:
        running = book({"for": "1s"})
        play(running, [(at, LOW) for at in range(30)])
        running.replace(rules({"for": "1s"}, {"alert": "more"}), T0 + 29)
        alerts = play(running, [(30, HIGH), (31, HIGH)])
        assert [(alert.rule, alert.time - T0) for alert in alerts] == [("more", 30), ("fall", 31)]

    def test_a_rule_asleep_knows_what_time_it_was(self) -> None:
        """So that it notices that the clock was set back, and forgets its cooldown."""
        entry = {"cooldown": "1h"}
        running = book(entry)
        play(running, [(0, HIGH), (1, LOW)])
        play(running, [(at, LOW) for at in range(2, 600)])
        running.replace(rules(entry), T0 + 599)
        assert brief(play(running, [(100, HIGH)])) == [("new", 100)]

    def test_a_camera_that_is_away_is_told_of_after_it_though_the_clock_was_set_back_before(self) -> None:
        entry = {"alert": "gone", "when": {"camera": "offline"}, "for": "2s"}
        running = book(entry)
        running.tick(T0)
        assert running.camera("dock", "offline", T0 - 20) == ()
        running.replace(rules(entry), T0 - 20)
        assert brief([*running.tick(T0 - 19), *running.tick(T0 - 17)]) == [("new", -18)]


class TestChanged:
    def test_what_fires_ends(self) -> None:
        running = book({}, {"alert": "low", "when": {**FALL, "on": 0.7}})
        running.observe(detection(0, HIGH))
        ends = running.replace(rules({"severity": "critical"}), T0 + 1)
        assert reasons(ends) == [("fall", 1, "changed"), ("low", 1, "removed")]
        assert running.incidents() == ()
        assert [rule.name for rule in running.rules] == ["fall"]

    def test_what_is_pending_lapses(self) -> None:
        running = book({"for": "2s"})
        play(running, [(0, HIGH), (1, HIGH)])
        assert running.replace(rules({"for": "1.5s"}), T0 + 1) == ()
        assert brief(play(running, [(2, HIGH), (3, HIGH), (4, HIGH)])) == [("new", 4)]

    def test_what_was_due_ends_as_it_would_have(self) -> None:
        running = book({"keep_firing_for": "2s"})
        play(running, [(0, HIGH), (1, LOW)])
        assert reasons(running.replace((), T0 + 60)) == [("fall", 3, "ended")]

    def test_the_condition_goes_on_in_a_new_incident(self) -> None:
        running = book({"cooldown": "1h"})
        (old,) = running.observe(detection(0, HIGH))
        running.replace(rules({}), T0 + 1)
        (new,) = running.observe(detection(2, HIGH))
        assert (new.type.value, new.start_time - T0) == ("new", 2)
        assert new.id != old.id
        assert new.rule_hash != old.rule_hash

    def test_no_id_is_used_twice(self) -> None:
        """Two zones bear the same time, and the rule changes between them."""
        either = {"any": [{**FALL, "zone": "gate"}, {**FALL, "zone": "ramp"}]}
        running = book({"when": either})
        (old,) = running.observe(detection(0, HIGH, zone="gate"))
        running.replace(rules({"when": either, "severity": "critical"}), T0)
        assert running.observe(detection(0, HIGH, zone="ramp")) == ()
        (new,) = running.observe(detection(1, HIGH, zone="ramp"))
        assert new.id != old.id

    def test_a_rule_taken_off_a_camera_is_not_there(self) -> None:
        running = book({"cameras": ["*"]})
        running.observe(detection(0, HIGH))
        running.observe(detection(0, HIGH, camera="ward-1"))
        ends = running.replace(rules({"cameras": ["ward-*"]}), T0 + 1)
        assert [end.camera for end in ends] == ["dock", "ward-1"]
        assert running.observe(detection(2, HIGH)) == ()
        assert len(running.observe(detection(2, HIGH, camera="ward-1"))) == 1

    def test_an_added_rule_begins_empty(self) -> None:
        running = book(FIGHT)
        play(running, [(0, HIGH), (1, HIGH)])
        assert running.replace(rules({"for": "1s"}, FIGHT), T0 + 1) == ()
        assert brief(play(running, [(2, HIGH), (3, HIGH)])) == [("new", 3)]

    def test_an_added_rule_may_hear_another_zone(self) -> None:
        running = book({})
        running.observe(detection(0, LOW, zone="gate"))
        running.replace(rules({"when": {**FALL, "zone": "gate"}}), T0)
        assert len(running.observe(detection(1, HIGH, zone="gate"))) == 1

    def test_a_circle_changes_nothing(self) -> None:
        running = book({})
        running.observe(detection(0, HIGH))
        circle = rules({"inhibited_by": ["b"]}, {"alert": "b", "inhibited_by": ["fall"]})
        with pytest.raises(RuleError, match="circle"):
            running.replace(circle, T0 + 1)
        assert brief(play(running, [(1, LOW)])) == [("end", 1)]


class TestInhibition:
    def test_an_unchanged_inhibitor_still_silences(self) -> None:
        running = book({"inhibited_by": ["fight"]}, FIGHT)
        running.observe(detection(0, HIGH, fight=HIGH))
        running.replace(rules({"inhibited_by": ["fight"]}, FIGHT), T0)
        assert running.observe(detection(1, HIGH, fight=HIGH)) == ()

    def test_a_changed_inhibitor_silences_by_what_it_is_now(self) -> None:
        running = book({"inhibited_by": ["fight"]}, FIGHT)
        running.observe(detection(0, HIGH, fight=HIGH))
        running.replace(rules({"inhibited_by": ["fight"]}, {**FIGHT, "for": "2s"}), T0)
        alerts = running.observe(detection(1, HIGH, fight=HIGH))
        assert [(alert.rule, alert.start_time - T0) for alert in alerts] == [("fall", 0)]  # pending since then

    def test_a_changed_inhibitor_silences_an_unchanged_rule(self) -> None:
        running = book({"inhibited_by": ["fight"]}, FIGHT)
        running.observe(detection(0, LOW))
        running.replace(rules({"inhibited_by": ["fight"]}, {**FIGHT, "severity": "critical"}), T0)
        assert [alert.rule for alert in running.observe(detection(1, HIGH, fight=HIGH))] == ["fight"]

    def test_a_rule_made_an_inhibitor_goes_on(self) -> None:
        running = book({}, FIGHT)
        assert len(running.observe(detection(0, LOW, fight=HIGH))) == 1
        assert running.replace(rules({"inhibited_by": ["fight"]}, FIGHT), T0) == ()
        assert running.observe(detection(1, HIGH, fight=HIGH)) == ()


class TestStates:
    def test_an_added_rule_hears_a_state_told_long_ago(self) -> None:
        running = book({})
        running.camera("dock", "offline", T0)
        for second in range(100):
            running.tick(T0 + second)
        running.replace(rules({}, OFFLINE), T0 + 99)
        (alert,) = running.tick(T0 + 100)
        assert (alert.rule, alert.start_time - T0) == ("offline", 100)

    def test_an_added_rule_hears_nothing_of_the_past(self) -> None:
        running = book({})
        running.camera("dock", "offline", T0)
        running.tick(T0 + 5)
        running.replace(rules({}, OFFLINE), T0 + 5)
        (alert,) = running.tick(T0 + 7)
        assert alert.start_time - T0 == 6

    def test_a_state_is_held_as_before(self) -> None:
        running = book(OFFLINE)
        running.camera("dock", "offline", T0)
        running.replace(rules(OFFLINE, {}), T0 + 0.5)
        assert running.tick(T0 + 5) == ()
        assert [alert.type.value for alert in running.camera("dock", "online", T0 + 6)] == ["end"]


def test_the_hash_is_of_what_the_rules_say() -> None:
    one, two = rules({}, {"alert": "b"}), rules({"alert": "b"}, {})
    assert hash_of(one) == hash_of(two)
    assert hash_of(one) != hash_of(one[:1]) != hash_of(rules({"for": "1s"}))
    assert len(hash_of(())) == 16


class TestAcrossCameras:
    """Rules that wait for other cameras, and those about one camera that they look at."""

    GROUP: Mapping[str, object] = {"group_by": ["rule"]}

    def test_a_removed_rule_that_inhibited_a_group_ends_once(self) -> None:
        running = book({}, {**FIGHT, **self.GROUP, "inhibited_by": ["fall"]})
        alerts = [*running.observe(detection(0, HIGH)), *running.tick(T0 + 1)]
        alerts += running.replace(rules({**FIGHT, **self.GROUP}), T0 + 2)
        assert [(alert.seq, alert.type.value) for alert in alerts] == [(0, "new"), (1, "end")]

    def test_what_fired_on_a_camera_ends_when_its_rule_becomes_a_group(self) -> None:
        running = book({}, FIGHT)
        alerts = [*running.observe(detection(0, HIGH)), *running.tick(T0 + 1)]
        alerts += running.replace(rules(self.GROUP, {**FIGHT, "inhibited_by": ["fall"]}), T0 + 2)
        assert reasons(alerts) == [("fall", 0, ""), ("fall", 2, "changed")]

    def test_a_state_known_before_the_first_such_rule_fires_it(self) -> None:
        running = book({})
        running.camera("dock", "offline", T0)
        running.tick(T0 + 1)
        assert running.replace(rules({**OFFLINE, **self.GROUP}), T0 + 1.5) == ()
        alerts = [*running.tick(T0 + 3), *running.camera("dock", "online", T0 + 6), *running.tick(T0 + 9)]
        assert brief(alerts) == [("new", 2), ("end", 6)]

    def test_a_rule_that_comes_anew_uses_no_id_again(self) -> None:
        running = book(FIGHT, {**OFFLINE, **self.GROUP})
        alerts = [*running.observe(detection(0, LOW, fight=HIGH)), *running.tick(T0)]
        running.observe(detection(1, LOW, fight=HIGH))
        alerts += running.replace(rules({**FIGHT, **self.GROUP}, {**OFFLINE, **self.GROUP}), T0 + 1)
        alerts += running.replace(rules(FIGHT, {**OFFLINE, **self.GROUP}), T0 + 1)
        alerts += [*running.observe(detection(1, LOW, fight=HIGH)), *running.tick(T0 + 4)]
        begun = [alert.id for alert in alerts if alert.type is AlertType.NEW]
        assert len(begun) == len(set(begun)) == 2


MIXED: list[Entry] = [
    {"for": "1s", "keep_firing_for": "2s", "inhibited_by": ["some"]},
    {
        "alert": "both",
        "when": {"all": [FALL, {"not": {"event": "fight", "on": 0.5, "zone": "gate"}}]},
        "cooldown": "4s",
        "escalate": [{"count": 2, "in": "1m", "severity": "critical"}],
    },
    {"alert": "some", "when": {"k_of_n": {"event": "fight", "on": 0.5}, "at_least": 2, "of": 3}, "for": 1},
    {"alert": "then", "when": {"sequence": [FALL, {"event": "fight", "on": 0.5}], "within": "9s"}, "no_data": "hold"},
    {"alert": "gone", "when": {"camera": "offline"}, "for": 2},
]
OTHERS: list[Entry] = [*MIXED, *({**entry, "severity": "critical"} for entry in MIXED[:1] + MIXED[2:])]
STARTING = rules(*MIXED)
moves = st.tuples(
    st.sampled_from(["observe"] * 6 + ["tick", "gap", "offline", "online", "replace"]),
    st.sampled_from([-20.0, -0.5, 0.0, 0.0, 0.25, 1.0, 1.0, 1.0, 2.5, 12.0]),
    st.sampled_from(["dock", "ward-1"]),
    st.sampled_from([None, "gate"]),
    st.sampled_from([0.0, 0.1, 0.7, 0.85, 0.95]),
    st.sampled_from([0.1, 0.9]),
    st.sets(st.integers(0, len(OTHERS) - 1)),
)
Move = tuple[str, float, str, str | None, float, float, set[int]]


def run(script: list[Move], replace: Callable[[RuleBook, float, set[int]], tuple[Alert, ...]]) -> list[Alert]:
    running = RuleBook(STARTING, salt="site", lateness=0.0)
    alerts: list[Alert] = []
    now = 0.0
    for what, step, camera, zone, fall, fight, chosen in script:
        if what == "replace":
            alerts += replace(running, T0 + now, chosen)
            continue
        now += step
        if what == "tick":
            alerts += running.tick(T0 + now)
        elif what == "gap":
            alerts += running.gap(camera, T0 + now)
        elif what in ("offline", "online"):
            alerts += running.camera(camera, what, T0 + now)
        else:
            alerts += running.observe(detection(now, fall, camera=camera, zone=zone, fight=fight))
    alerts += running.close(T0 + now, "done")
    assert running.errors == {}
    return alerts


def text(alerts: list[Alert]) -> str:
    return "\n".join(to_json(alert, "site", i) for i, alert in enumerate(alerts, 1))


def nothing(running: RuleBook, at: float, chosen: set[int]) -> tuple[Alert, ...]:
    return ()


@cache
def other_rule(i: int) -> Rule:
    return rules(OTHERS[i])[0]


def equal(running: RuleBook, at: float, chosen: set[int]) -> tuple[Alert, ...]:
    return running.replace([other_rule(i) for i in range(len(MIXED))], at)


def other(running: RuleBook, at: float, chosen: set[int]) -> tuple[Alert, ...]:
    return running.replace({rule.name: rule for rule in map(other_rule, sorted(chosen))}.values(), at)


def some_stay(running: RuleBook, at: float, chosen: set[int]) -> tuple[Alert, ...]:
    """``some`` and what it inhibits are left alone; the others come and go."""
    return running.replace([other_rule(i) for i in sorted((chosen & {1, 3, 4}) | {0, 2})], at)


@settings(deadline=None, max_examples=300)
@given(st.lists(moves, max_size=60))
def test_equal_rules_at_any_moment_change_not_a_byte(script: list[Move]) -> None:
    assert text(run(script, equal)) == text(run(script, nothing))


@settings(deadline=None, max_examples=200)
@given(st.lists(moves, max_size=60))
def test_what_happens_to_others_does_not_touch_a_rule(script: list[Move]) -> None:
    script = [move for move in script if move[1] >= 0]  # a clock set back is noticed by the first that hears of it
    kept = [[alert for alert in run(script, act) if alert.rule in ("fall", "some")] for act in (some_stay, nothing)]
    assert text(kept[0]) == text(kept[1])


@settings(deadline=None, max_examples=300)
@given(st.lists(moves, max_size=60))
def test_each_incident_has_one_start_and_one_end_whatever_is_in_force(script: list[Move]) -> None:
    script = [move for move in script if move[1] >= 0]  # a clock set back forgets which ids were used
    told: dict[str, list[Alert]] = {}
    for alert in run(script, other):
        told.setdefault(alert.id, []).append(alert)
    for alerts in told.values():
        kinds = ["new", *["update"] * (len(alerts) - 2), "end"]
        assert [(alert.seq, alert.type.value) for alert in alerts] == list(enumerate(kinds))
        assert len({alert.rule_hash for alert in alerts}) == 1
        assert [alert.time for alert in alerts] == sorted(alert.time for alert in alerts)
