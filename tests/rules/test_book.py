"""All rules over all cameras: who sees what, time, gaps, faults."""

from math import inf, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamwatch.rules.alert import Alert, AlertType, to_json
from streamwatch.rules.book import RuleBook, Share
from streamwatch.rules.camera import GONE
from streamwatch.rules.condition import Condition, Evidence, Term
from streamwatch.rules.rule import Rule
from tests.rules.play import FALL, T0, book, brief, detection, play, rules

HIGH, LOW = 0.9, 0.1


def test_a_rule_watches_the_cameras_it_names() -> None:
    running = book({"cameras": ["ward-*"]})
    assert running.observe(detection(0, HIGH, camera="dock")) == ()
    (alert,) = running.observe(detection(0, HIGH, camera="ward-2"))
    assert (alert.camera, alert.rule) == ("ward-2", "fall")


def test_cameras_do_not_share_state() -> None:
    running = book({"for": "1s"})
    assert running.observe(detection(0, HIGH, camera="ward-1")) == ()
    assert running.observe(detection(1, HIGH, camera="ward-2")) == ()
    assert len(running.observe(detection(1, HIGH, camera="ward-1"))) == 1


def test_several_rules_answer_one_detection() -> None:
    running = book({}, {"alert": "low", "when": {**FALL, "on": 0.7}})
    assert [alert.rule for alert in running.observe(detection(0, HIGH))] == ["fall", "low"]
    assert [incident.rule for incident in running.incidents()] == ["fall", "low"]


def test_shadow_rules_answer_marked() -> None:
    (alert,) = book({"shadow": True}).observe(detection(0, HIGH))
    assert alert.shadow


class TestTime:
    def test_late_detections_are_ignored_and_counted(self) -> None:
        running = book({})
        running.observe(detection(5, LOW))
        assert running.observe(detection(4, HIGH)) == ()
        assert running.observe(detection(4, HIGH, camera="ward-1")) != ()  # its own time
        assert running.observe(detection(4, HIGH, zone="gate")) == ()  # not late: nobody listens
        assert running.late == {"dock": 1}

    def test_a_detection_without_time_is_ignored(self) -> None:
        running = book({})
        assert play(running, [(nan, HIGH), (1, LOW), (nan, HIGH)]) == []
        assert running.late == {"dock": 2}
        assert brief(play(running, [(0.5, HIGH), (2, HIGH)])) == [("new", 2)]

    def test_a_detection_from_the_end_of_time_does_not_blind_the_rule(self) -> None:
        running = book({"for": "1s"})
        running.observe(detection(inf, HIGH))
        assert brief(play(running, [(1, HIGH), (2, HIGH)])) == [("new", 2)]

    def test_a_tick_ends_the_incident_of_a_silent_camera(self) -> None:
        running = book({})
        running.observe(detection(0, HIGH))
        assert running.tick(T0 + 9.9) == ()
        (end,) = running.tick(T0 + 60)
        assert (brief([end]), end.annotations["end_reason"], end.end_time) == ([("end", 10)], "no_data", T0)
        assert running.incidents() == ()

    def test_a_tick_never_fires(self) -> None:
        running = book({"for": "5s"})
        running.observe(detection(0, HIGH))
        assert running.tick(T0 + 6) == ()
        assert len(running.incidents()) == 1
        assert running.tick(T0 + 11) == ()
        assert running.incidents() == ()  # lapsed

    def test_a_tick_leaves_detections_time_to_arrive(self) -> None:
        running = book({"keep_firing_for": "2s"}, lateness=5)
        play(running, [(0, HIGH), (1, LOW)])
        assert running.tick(T0 + 7.9) == ()
        assert running.observe(detection(2.9, HIGH)) == ()  # came 5 s late and still keeps it firing
        assert running.tick(T0 + 8.1) == ()

    def test_ends_of_one_tick_come_in_order_of_time(self) -> None:
        running = book({})
        for at, camera in ((2, "ward-1"), (0, "ward-2"), (1, "dock")):
            running.observe(detection(at, HIGH, camera=camera))
        ends = running.tick(T0 + 60)
        assert [end.camera for end in ends] == ["ward-2", "dock", "ward-1"]

    def test_a_clock_set_back_begins_anew(self) -> None:
        running = book({"for": "1s", "cooldown": "30s"})
        play(running, [(5000, HIGH), (5001, HIGH)])
        alerts = play(running, [(0, HIGH), (1, HIGH)])
        assert brief(alerts) == [("end", 5001), ("new", 1)]
        assert running.late == {}

    def test_a_clock_set_back_during_a_gap_begins_anew(self) -> None:
        running = book({"for": "1s", "cooldown": "30s"})
        play(running, [(5000, HIGH), (5001, HIGH)])
        assert brief(running.gap("dock", T0 + 5002)) == [("end", 5002)]
        assert brief(play(running, [(0, HIGH), (1, HIGH)])) == [("new", 1)]


class TestGap:
    def test_pending_ends(self) -> None:
        running = book({"for": "2s"})
        play(running, [(0, HIGH), (1, HIGH)])
        assert running.gap("dock", T0 + 1.5) == ()
        assert running.incidents() == ()
        assert brief(play(running, [(2, HIGH), (3, HIGH), (4, HIGH)])) == [("new", 4)]

    def test_firing_ends_at_once_without_keep_firing_for(self) -> None:
        running = book({})
        running.observe(detection(0, HIGH))
        (end,) = running.gap("dock", T0 + 2)
        assert (brief([end]), end.annotations["end_reason"], end.end_time) == ([("end", 2)], "gap", T0)

    def test_firing_goes_on_if_the_condition_holds_again_in_time(self) -> None:
        running = book({"keep_firing_for": "5s"})
        running.observe(detection(0, HIGH))
        assert running.gap("dock", T0 + 1) == ()
        assert play(running, [(4, HIGH), (5, HIGH)]) == []
        assert len(running.incidents()) == 1

    def test_firing_ends_after_keep_firing_for(self) -> None:
        running = book({"keep_firing_for": "5s"})
        running.observe(detection(0, HIGH))
        running.gap("dock", T0 + 1)
        (end,) = running.tick(T0 + 60)
        assert (brief([end]), end.annotations["end_reason"]) == ([("end", 6)], "gap")

    def test_hysteresis_does_not_reach_across(self) -> None:
        running = book({"keep_firing_for": "5s"})
        running.observe(detection(0, HIGH))
        running.gap("dock", T0 + 1)
        assert brief(play(running, [(2, 0.7), (5, 0.7), (6, 0.7)])) == [("end", 6)]  # 0.7 is below on

    def test_the_stream_may_go_on_a_little_earlier(self) -> None:
        running = book({"keep_firing_for": "60s"})
        running.observe(detection(5, HIGH))
        assert running.gap("dock", T0 + 5) == ()
        running.observe(detection(4, HIGH))
        assert running.late == {}
        assert [incident.last_matched - T0 for incident in running.incidents()] == [5]

    def test_a_gap_told_late_does_not_turn_time_back(self) -> None:
        running = book({})
        running.observe(detection(5, HIGH))
        assert brief(running.gap("dock", T0 + 4)) == [("end", 5)]

    def test_other_cameras_do_not_notice(self) -> None:
        running = book({"for": "1s"})
        running.observe(detection(0, HIGH))
        assert running.gap("ward-1", T0) == ()
        assert running.gap("never-seen", T0) == ()
        assert len(running.observe(detection(1, HIGH))) == 1


class TestZones:
    def test_a_rule_with_a_zone_hears_its_zone(self) -> None:
        running = book({"when": {**FALL, "zone": "gate"}})
        assert running.observe(detection(0, HIGH)) == ()
        assert running.observe(detection(0, HIGH, zone="ramp")) == ()
        (alert,) = running.observe(detection(0, HIGH, zone="gate"))
        assert (alert.zone, alert.event, alert.threshold) == ("gate", "fall", 0.8)

    def test_a_rule_over_two_zones_joins_them(self) -> None:
        both: dict[str, object] = {"when": {"all": [{**FALL, "zone": "gate"}, {**FALL, "zone": "ramp"}]}, "for": "1s"}
        running = book(both)
        alerts: list[Alert] = []
        for at in (0, 1, 2):
            alerts += running.observe(detection(at, 0.95, zone="gate"))
            alerts += running.observe(detection(at, 0.85, zone="ramp"))
        assert brief(alerts) == [("new", 1)]
        assert (alerts[0].zone, alerts[0].score) == ("ramp", 0.85)  # the weaker of the two

    def test_scores_that_swap_zones_at_one_time_do_not_interrupt(self) -> None:
        running = book({"when": {"any": [{**FALL, "zone": "gate"}, {**FALL, "zone": "ramp"}]}, "for": "3s"})
        alerts: list[Alert] = []
        for at in range(4):
            alerts += running.observe(detection(at, HIGH if at % 2 else LOW, zone="gate"))
            alerts += running.observe(detection(at, LOW if at % 2 else HIGH, zone="ramp"))
        assert brief(alerts) == [("new", 3)]

    def test_a_zone_that_lags_does_not_turn_time_back(self) -> None:
        running = book({"when": {"any": [{**FALL, "zone": "gate"}, FALL]}})
        running.observe(detection(5, LOW, zone="gate"))
        (new,) = running.observe(detection(4.5, HIGH))
        assert (new.start_time - T0, new.time - T0) == (5, 5)

    def test_an_interruption_over_zones_counts_from_the_next_time_on(self) -> None:
        running = book({"when": {"any": [{**FALL, "zone": "gate"}, FALL]}})
        assert brief(running.observe(detection(0, HIGH, zone="gate"))) == [("new", 0)]
        assert running.observe(detection(1, LOW, zone="gate")) == ()  # the whole picture has not been heard at 1
        assert running.observe(detection(1, LOW)) == ()
        assert brief(running.observe(detection(2, LOW))) == [("end", 1)]


class Faulty:
    """A condition that raises on demand."""

    zones: frozenset[str | None] = frozenset((None,))
    raises: Exception | None = None

    def start(self) -> Condition:
        return self

    def observe(self, detection: object) -> bool | None:
        if self.raises is not None:
            raise self.raises
        return True

    def evidence(self) -> Evidence | None:
        return None

    def reset(self) -> None:
        return None


def faulty(term: Term, entry: dict[str, object]) -> RuleBook:
    """Rule ``odd`` with ``term``, then rule ``fall``."""
    odd, fall = rules({**entry, "alert": "odd"}, {})
    values = {name: getattr(odd, name) for name in Rule.__slots__} | {"when": term}
    return RuleBook([Rule(**values), fall], salt="site")


class TestFaults:
    @pytest.mark.parametrize("error", [ValueError("x"), KeyError("x"), ZeroDivisionError("x"), TypeError("x")])
    def test_a_rule_that_raises_does_not_stop_the_others(self, error: Exception) -> None:
        term = Faulty()
        term.raises = error
        running = faulty(term, {})
        assert [alert.rule for alert in running.observe(detection(0, HIGH))] == ["fall"]
        running.observe(detection(1, LOW))
        assert running.errors == {"odd": 2}
        assert running.last_errors["odd"].startswith(f"camera dock: {type(error).__name__}: ")

    def test_it_is_evaluated_again(self) -> None:
        term = Faulty()
        term.raises = ValueError("x")
        running = faulty(term, {"for": "1s"})
        running.observe(detection(0, LOW))
        term.raises = None
        assert brief(play(running, [(1, LOW), (2, LOW)])) == [("new", 2)]

    def test_its_incident_ends(self) -> None:
        term = Faulty()
        running = faulty(term, {"keep_firing_for": "2s"})
        assert brief(running.observe(detection(0, LOW))) == [("new", 0)]
        term.raises = ValueError("x")
        alerts = play(running, [(1, LOW), (2, LOW), (3, LOW)])
        assert (brief(alerts), alerts[0].annotations["end_reason"]) == ([("end", 3)], "error")

    def test_no_data_hold_does_not_hold_a_fault(self) -> None:
        term = Faulty()
        running = faulty(term, {"no_data": "hold"})
        running.observe(detection(0, LOW))
        term.raises = ValueError("x")
        assert brief(running.observe(detection(1, LOW))) == [("end", 1)]

    def test_a_score_that_is_missing_or_no_number_is_a_fault_of_that_rule(self) -> None:
        running = book({"when": {"event": "fight", "on": 0.5}}, {"alert": "other", "when": FALL})
        assert [a.rule for a in running.observe(detection(0, HIGH, fight=nan))] == ["other"]
        assert running.errors == {"fall": 1}

    def test_a_fault_of_ours_is_not_hidden(self) -> None:
        term = Faulty()
        term.raises = MemoryError("x")
        with pytest.raises(MemoryError):
            faulty(term, {}).observe(detection(0))


def test_close_ends_all_and_says_why() -> None:
    running = book({"keep_firing_for": "1h"})
    for camera in ("ward-2", "dock"):
        running.observe(detection(0, HIGH, camera=camera))
    ends = running.close(T0 + 4, "reload")
    assert [(end.type, end.camera, end.annotations["end_reason"]) for end in ends] == [
        (AlertType.END, "dock", "reload"),
        (AlertType.END, "ward-2", "reload"),
    ]
    assert running.incidents() == ()
    assert running.close(T0 + 5, "reload") == ()


MIXED: list[dict[str, object]] = [
    {"for": "1s", "keep_firing_for": "2s"},
    {
        "alert": "both",
        "when": {"all": [FALL, {"not": {"event": "fight", "on": 0.5, "zone": "gate"}}]},
        "cooldown": "4s",
    },
    {"alert": "some", "when": {"k_of_n": {"event": "fight", "on": 0.5}, "at_least": 2, "of": 3}, "for": 1},
]
moves = st.tuples(
    st.sampled_from(["observe"] * 6 + ["tick", "gap"]),
    st.floats(-2, 5),
    st.sampled_from(["dock", "ward-1"]),
    st.sampled_from([None, "gate"]),
    st.floats(0, 1),
    st.floats(0, 1),
)
Move = tuple[str, float, str, str | None, float, float]


def run(script: list[Move]) -> str:
    running = book(*MIXED)
    alerts: list[Alert] = []
    now = 0.0
    for what, step, camera, zone, fall, fight in script:
        now += step
        if what == "tick":
            alerts += running.tick(T0 + now)
        elif what == "gap":
            alerts += running.gap(camera, T0 + now)
        else:
            alerts += running.observe(detection(now, fall, camera=camera, zone=zone, fight=fight))
    alerts += running.close(T0 + now, "done")
    assert running.errors == {}
    assert running.incidents() == ()
    return "\n".join(to_json(alert, "site", i) for i, alert in enumerate(alerts, 1))


@settings(deadline=None)
@given(st.lists(moves, max_size=60))
def test_the_same_input_gives_the_same_bytes(script: list[Move]) -> None:
    assert run(script) == run(script)


@settings(deadline=None)
@given(st.lists(moves, max_size=80))
def test_each_incident_has_one_start_and_one_end_whatever_happens(script: list[Move]) -> None:
    told: dict[str, list[str]] = {}
    for line in run(script).splitlines():
        seq, kind = line.split('"seq":')[1].split(",")[0], line.split('"type":"')[1].split('"')[0]
        told.setdefault(line.split('"id":"')[1][:26], []).append(f"{seq} {kind}")
    for lines in told.values():
        kinds = ["new", *["update"] * (len(lines) - 2), "end"]
        assert lines == [f"{seq} {kind}" for seq, kind in enumerate(kinds)]


class TestShares:
    """What several books decide together on several machines is what one decides."""

    RULES = (
        {"when": {**FALL, "on": 0.7}, "for": "1s"},
        {"alert": "grave", "when": {**FALL, "on": 0.85}},
        {"alert": "both", "when": {"on_cameras": [{"cameras": "*", **FALL}], "at_least": 2, "within": "3s"}},
        {"alert": "hushed", "group_by": ["rule"], "when": {**FALL, "on": 0.65}, "inhibited_by": ["grave"]},
    )

    @given(
        st.lists(st.tuples(st.sampled_from(("dock", "ward-1", "ward-2")), st.floats(0, 1)), max_size=60),
        st.integers(0, 59),
    )
    @settings(max_examples=60, deadline=None)
    def test_a_book_a_machine_and_one_for_the_site_say_what_one_says(
        self, rows: list[tuple[str, float]], offline: int
    ) -> None:
        shown = rules(*self.RULES)
        one, across = RuleBook(shown, "x"), RuleBook(shown, "x", share=Share.ACROSS)
        machines = {name: RuleBook(shown, "x", share=Share.ALONE) for name in ("dock", "ward-1", "ward-2")}
        said: list[Alert] = []
        heard: list[Alert] = []
        for number, (camera, score) in enumerate(rows):
            row = detection(number / 2, score, camera=camera)
            parts = (machines[camera], across)
            said += one.observe(row)
            heard += [alert for part in parts for alert in part.observe(row)]
            if number == offline:
                said += one.gap(camera, row.end)
                heard += [alert for part in parts for alert in part.gap(camera, row.end)]
            said += one.tick(row.end)
            heard += [alert for part in (*machines.values(), across) for alert in part.tick(row.end)]
        end = T0 + len(rows)
        said += one.close(end, "shutdown")
        heard += [alert for part in (*machines.values(), across) for alert in part.close(end, "shutdown")]
        assert sorted(map(str, said)) == sorted(map(str, heard))

    def test_a_machine_knows_nothing_of_several_cameras(self) -> None:
        running = RuleBook(rules(*self.RULES), "x", share=Share.ALONE)
        for camera in ("dock", "ward-1"):
            running.observe(detection(0, HIGH, camera=camera))
        assert {alert.rule for alert in running.close(T0 + 9, "shutdown")} == {"grave"}
        assert len(running.rules) == 4

    def test_a_camera_that_moves_to_another_machine_ends_what_is_open_and_is_forgotten(self) -> None:
        running = book({"no_data": "hold"}, {"alert": "unseen", "no_data": "alert"})
        running.camera("dock", "online", T0)
        (opened, _) = running.observe(detection(0, HIGH))
        ends = running.camera("dock", GONE, T0 + 1)
        assert {(alert.id, alert.type, alert.annotations["end_reason"]) for alert in ends} >= {
            (opened.id, AlertType.END, "moved")
        }
        assert running.incidents() == ()
        assert running.tick(T0 + 600) == ()
        (again, _) = running.observe(detection(900, HIGH))
        assert (again.type, again.id == opened.id) == (AlertType.NEW, False)

    def test_rules_across_cameras_hear_a_gap_of_one_that_moves(self) -> None:
        running = RuleBook(rules(*self.RULES), "x", share=Share.ACROSS)
        for camera in ("dock", "ward-1"):
            running.observe(detection(0, HIGH, camera=camera))
        running.camera("ward-1", GONE, T0 + 0.5)
        assert "both" in {alert.rule for alert in running.tick(T0 + 20)}
