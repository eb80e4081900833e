"""One rule on one camera, as tables of (time, score) → (type, time)."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ulid import ULID

from streamwatch.rules.alert import Alert, AlertType, IncidentState
from streamwatch.rules.stretch import incident_id
from streamwatch.rules.watch import HEARTBEAT, PEAK_PAUSE, Watch
from tests.rules.play import T0, book, brief, detection, play, rules

HIGH, LOW = 0.9, 0.1
Rule = dict[str, object]


def at(*times: float, score: float = HIGH) -> list[tuple[float, float]]:
    return [(time, score) for time in times]


def seconds(scores: str) -> list[tuple[float, float]]:
    """One score a second: ``#`` high, ``.`` low, blank none."""
    return [(float(t), HIGH if mark == "#" else LOW) for t, mark in enumerate(scores) if mark != " "]


@pytest.mark.parametrize(
    ("rule", "scores", "expected"),
    [
        # for
        ({}, "#", [("new", 0)]),
        ({}, "..#.", [("new", 2), ("end", 3)]),
        ({"for": "2s"}, "##", []),
        ({"for": "2s"}, "###", [("new", 2)]),
        ({"for": "2s"}, "##.##.", []),
        ({"for": "1.5s"}, "###", [("new", 2)]),
        ({"for": "2s"}, "# #", [("new", 2)]),  # a missing score is no interruption
        # gap
        ({"for": "3s", "gap": "1.5s"}, "##.#", [("new", 3)]),
        ({"for": "3s", "gap": "1s"}, "##.#", []),  # 1 s is not shorter than 1 s
        ({"for": "3s", "gap": "1.5s"}, "##..##", []),
        ({"for": "3s", "gap": "1.5s"}, "##..####", [("new", 7)]),
        ({"for": "2s", "gap": "1.5s"}, "###.#.#", [("new", 2)]),  # holds firing too
        # keep_firing_for
        ({"keep_firing_for": "3s"}, "#..#..#", [("new", 0)]),
        ({"keep_firing_for": "2s"}, "#..#", [("new", 0), ("end", 3), ("new", 3)]),
        ({"keep_firing_for": "2s"}, "#.....", [("new", 0), ("end", 3)]),
        ({"for": "2s", "gap": "1.5s", "keep_firing_for": "1s"}, "###..#", [("new", 2), ("end", 4.5)]),
        # cooldown counts from the end
        ({"cooldown": "3s"}, "#.#####", [("new", 0), ("end", 1), ("new", 4)]),
        ({"cooldown": "3s", "for": "1s"}, "##.#####", [("new", 1), ("end", 2), ("new", 6)]),  # nothing pends meanwhile
        ({"cooldown": "3s", "keep_firing_for": "2s"}, "#..#######", [("new", 0), ("end", 3), ("new", 6)]),
        # silence
        ({}, "#" + " " * 8 + "#", [("new", 0)]),
        ({}, "#" + " " * 10 + ".", [("new", 0), ("end", 10)]),
        ({"keep_firing_for": "15s"}, "#" + " " * 13 + "#", [("new", 0)]),
        ({"keep_firing_for": "15s"}, "#" + " " * 15 + ".", [("new", 0), ("end", 15)]),
        ({"for": "5s"}, "#" + " " * 10 + "#", []),  # 11 s are not 5 s of fall
    ],
)
def test_timeline(rule: Rule, scores: str, expected: list[tuple[str, float]]) -> None:
    assert brief(play(book(rule), seconds(scores))) == expected


def test_hysteresis_does_not_reach_across_silence() -> None:
    assert brief(play(book({}), [(0, HIGH), (11, 0.7), (12, 0.7)])) == [("new", 0), ("end", 10)]


def test_jitter_below_a_millisecond_does_not_cost_a_score() -> None:
    assert brief(play(book({"for": "1s"}), at(0.1003, 1.1))) == [("new", 1.1)]


def test_start_is_when_it_began_to_hold_and_end_when_it_last_did() -> None:
    new, end = play(book({"for": "1s", "keep_firing_for": "2s"}), seconds(".##....."))
    assert (new.start_time - T0, new.time - T0, new.end_time) == (1, 2, None)
    assert (end.start_time - T0, end.end_time, end.time - T0) == (1, T0 + 2, 5)


def test_an_incident_keeps_its_id_and_counts() -> None:
    alerts = play(book({}), seconds("#.#."))
    assert [alert.seq for alert in alerts] == [0, 1, 0, 1]
    assert alerts[0].id == alerts[1].id != alerts[2].id == alerts[3].id


def test_the_id_is_a_ulid_of_the_start() -> None:
    one = incident_id("site", "fall", "dock", T0 + 0.25)
    assert ULID.from_str(one).timestamp == T0 + 0.25
    others = [("site2", "fall", "dock", T0), ("site", "fight", "dock", T0), ("site", "fall", "ward-1", T0)]
    assert len({one, *(incident_id(*other) for other in others)}) == 4
    assert incident_id("site", "fall", "dock", 1.0) < incident_id("site", "fall", "dock", 2.0)  # sorts by time


def test_an_update_tells_of_a_higher_peak_once_a_second() -> None:
    alerts = play(book({"keep_firing_for": "9s"}), [(0, 0.8), (0.5, 0.95), (0.9, 0.95), (1, 0.85), (2, 0.99)])
    assert brief(alerts) == [("new", 0), ("update", 1)]  # 0.99 is not 0.1 above 0.95
    assert (alerts[1].score, alerts[1].peak_score) == (0.85, 0.95)


def test_a_long_incident_speaks_every_half_minute() -> None:
    alerts = play(book({}), seconds("#" * 95 + "."))
    assert brief(alerts) == [("new", 0), ("update", 30), ("update", 60), ("update", 90), ("end", 95)]


def test_texts_are_filled_in() -> None:
    rule: Rule = {
        "annotations": {"summary": "{rule} {camera} {event} {score} {severity} [{zone}]", "note": "see {camera}"}
    }
    (alert,) = play(book(rule), [(0, 0.876)])
    assert alert.summary == "fall dock fall 0.88 warning []"
    assert alert.annotations == {"summary": alert.summary, "note": "see dock"}


def test_a_rule_of_absence_names_no_event() -> None:
    (alert,) = play(book({"when": {"not": {"event": "fall", "on": 0.5}}}), [(0, 0.1)])
    assert (alert.event, alert.zone, alert.threshold, alert.score, alert.summary) == (
        None,
        None,
        None,
        0,
        "fall at dock",
    )


def test_the_incident_is_visible_from_pending_on() -> None:
    watch = Watch(rules({"for": "2s"})[0], "dock", "site")
    assert watch.incident() is None
    states = []
    for time in (0, 1, 2):
        watch.observe(detection(time, HIGH))
        found = watch.incident()
        assert found is not None
        states.append((found.state, found.since - T0, found.last_matched - T0, found.id))
    pending, firing = IncidentState.PENDING, IncidentState.FIRING
    same = incident_id("site", "fall", "dock", T0)
    assert states == [(pending, 0, 0, same), (pending, 0, 1, same), (firing, 0, 2, same)]


def test_close_ends_what_fires_and_drops_what_pends() -> None:
    firing, pending = Watch(rules({})[0], "dock", "site"), Watch(rules({"for": "2s"})[0], "dock", "site")
    for watch in (firing, pending):
        watch.observe(detection(0, HIGH))
    (end,) = firing.close(T0 + 3, "shutdown")
    assert (end.type, end.time, end.annotations["end_reason"]) == (AlertType.END, T0 + 3, "shutdown")
    assert pending.close(T0 + 3, "shutdown") == ()
    assert firing.incident() is pending.incident() is None
    assert firing.close(T0 + 4, "shutdown") == ()


def test_close_before_the_last_message_does_not_turn_time_back() -> None:
    watch = Watch(rules({})[0], "dock", "site")
    watch.observe(detection(5, HIGH))
    (end,) = watch.close(T0, "shutdown")
    assert end.time == T0 + 5


def test_an_end_and_a_start_at_the_same_time_are_two_incidents() -> None:
    watch = Watch(rules({})[0], "dock", "site")
    (new,) = watch.observe(detection(0, HIGH))
    watch.close(T0, "reload")
    assert watch.observe(detection(0, HIGH)) == ()  # would repeat the id
    (other,) = watch.observe(detection(1, HIGH))
    assert other.id != new.id


durations = st.sampled_from([0.0, 0.5, 1.0, 2.5, 12.0])
timelines = st.lists(st.tuples(st.sampled_from([0.2, 0.5, 1.0, 1.0, 1.0, 3.0, 11.0]), st.floats(0, 1)), max_size=60)


@st.composite
def written(draw: st.DrawFn) -> Rule:
    hold = draw(durations)
    gap = draw(durations.filter(lambda gap: gap < hold or gap == 0))
    return {"for": hold, "gap": gap, "keep_firing_for": draw(durations), "cooldown": draw(durations)}


def timeline(steps: list[tuple[float, float]]) -> list[tuple[float, float]]:
    times = itertools.accumulate(step for step, _ in steps)
    return [(time, score) for time, (_, score) in zip(times, steps, strict=True)]


@settings(deadline=None)
@given(written(), timelines)
def test_whatever_the_scores_the_alerts_are_in_order(rule: Rule, steps: list[tuple[float, float]]) -> None:
    running = book(rule)
    alerts = [*play(running, timeline(steps)), *running.close(T0 + 1e6, "done")]
    incidents: dict[str, list[Alert]] = {}
    for alert in alerts:
        incidents.setdefault(alert.id, []).append(alert)
    for told in incidents.values():
        assert [alert.type for alert in told] == [AlertType.NEW, *[AlertType.UPDATE] * (len(told) - 2), AlertType.END]
        assert [alert.seq for alert in told] == list(range(len(told)))
        new, end = told[0], told[-1]
        assert new.time - new.start_time >= float(str(rule["for"])) - 0.001
        assert all(alert.start_time == new.start_time for alert in told)
        assert new.start_time <= (end.end_time or 0) <= end.time
        assert all(one.time + PEAK_PAUSE <= other.time for one, other in itertools.pairwise(told[:-1]))
        assert all(one.peak_score <= other.peak_score for one, other in itertools.pairwise(told))
    assert [alert.time for alert in alerts] == sorted(alert.time for alert in alerts)
    for one, other in itertools.pairwise(list(incidents.values())):
        assert other[0].start_time >= one[-1].time + float(str(rule["cooldown"]))


@settings(deadline=None)
@given(written(), timelines, st.lists(st.floats(0, 80), max_size=20))
def test_ticks_change_nothing(rule: Rule, steps: list[tuple[float, float]], ticks: list[float]) -> None:
    scores = timeline(steps)
    silent, ticked = book(rule), book(rule)
    expected = [*play(silent, scores), *silent.tick(T0 + 1e6)]
    found: list[Alert] = []
    times = sorted([(time, 0, score) for time, score in scores] + [(time, 1, 0.0) for time in ticks])
    for time, is_tick, score in times:
        found += ticked.tick(T0 + time) if is_tick else play(ticked, [(time, score)])
    assert [*found, *ticked.tick(T0 + 1e6)] == expected


@settings(deadline=None)
@given(timelines)
def test_heartbeats_are_bounded(steps: list[tuple[float, float]]) -> None:
    scores = timeline(steps)
    alerts = play(book({"keep_firing_for": "1h"}), scores)
    lasted = scores[-1][0] if scores else 0
    by_peak = 2  # from 0.8 on, the peak can rise by 0.1 once or, rounding against us, twice
    assert sum(alert.type is AlertType.UPDATE for alert in alerts) <= lasted / HEARTBEAT + by_peak


class TestNoData:
    HOLD: Rule = {"no_data": "hold"}  # noqa: RUF012 - never changed

    def test_what_fires_goes_on_until_detections_say_otherwise(self) -> None:
        running = book(self.HOLD)
        play(running, at(0))
        assert running.tick(T0 + 3600) == ()
        assert brief(play(running, at(3601))) == [("update", 3601)]
        assert brief(play(running, at(7000, score=LOW))) == [("end", 7000)]

    def test_a_gap_does_not_interrupt_it(self) -> None:
        running = book(self.HOLD)
        play(running, at(0))
        assert running.gap("dock", T0 + 1) == ()
        assert running.tick(T0 + 60) == ()
        assert brief(play(running, at(61, score=LOW))) == [("end", 61)]

    def test_what_pends_ends(self) -> None:
        running = book({**self.HOLD, "for": "2s"})
        play(running, at(0))
        running.gap("dock", T0 + 1)
        assert running.incidents() == ()

    def test_an_interruption_that_was_seen_ends_it(self) -> None:
        running = book({**self.HOLD, "keep_firing_for": "15s"})
        play(running, [(0, HIGH), (1, LOW)])
        assert brief(running.tick(T0 + 60)) == [("end", 16)]

    def test_a_clock_set_back_ends_it(self) -> None:
        running = book(self.HOLD)
        assert brief(play(running, [(5000, HIGH), (0, LOW)])) == [("new", 5000), ("end", 5000)]
