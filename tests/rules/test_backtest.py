"""Replays: the live book's answers, and what is made of them."""

from collections.abc import Iterable, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamwatch.models.detection import CameraState, Detection, Gap
from streamwatch.rules.alert import Alert
from streamwatch.rules.backtest import Change, Firing, compare, longest_quiet, replay, sweep
from streamwatch.rules.book import RuleBook
from tests.rules.play import FALL, T0, detection, rules

Row = Detection | Gap | CameraState


def scores(*spans: tuple[float, float, float], until: float = 100, camera: str = "dock") -> list[Row]:
    """A score a second up to ``until``, 0.1 but for (from, to, score)."""

    def score(at: float) -> float:
        return next((score for begin, end, score in spans if begin <= at < end), 0.1)

    return [detection(at, score(at), camera) for at in map(float, range(int(until)))]


def live(rows: Iterable[Row], *entries: Mapping[str, object]) -> list[Alert]:
    """What a book with the same salt says that is fed and ticked as the rules thread does it, each second."""
    book = RuleBook(rules(*entries), "backtest")
    alerts: list[Alert] = []
    at = second = T0
    for row in rows:
        at = row.end if isinstance(row, Detection) else row.at
        while second < at:
            alerts += book.tick(second)
            second += 1
        if isinstance(row, Detection):
            alerts += book.observe(row)
        elif isinstance(row, Gap):
            alerts += book.gap(row.camera, row.at)
        else:
            alerts += book.camera(row.camera, row.state, row.at)
    for _ in range(5):  # the live book lets rows be late by so much
        alerts += book.tick(min(second, at + 5))
        second += 1
    alerts += book.tick(at + 5)
    return sorted(alerts + list(book.close(at, "end_of_log")), key=lambda a: (a.time, a.camera, a.rule))


def test_an_incident_is_found_with_its_times() -> None:
    found = replay(scores((20, 30, 0.9), (50, 51, 0.9)), rules({"for": "2s", "keep_firing_for": "3s"}))
    (firing,) = found.firings
    assert (firing.start - T0, firing.opened - T0, firing.end - T0) == (20, 22, 29)
    assert (firing.rule, firing.camera, firing.event, firing.peak, firing.reason) == (
        "fall",
        "dock",
        "fall",
        0.9,
        "ended",
    )
    assert firing.messages == len(found.alerts) == 2


def test_what_is_open_at_the_end_is_told() -> None:
    (firing,) = replay(scores((90, 100, 0.9)), rules({})).firings
    assert (firing.reason, firing.end - T0) == ("end_of_log", 99)


def test_a_silent_camera_ends_while_another_goes_on() -> None:
    rows = sorted(
        [*scores((5, 10, 0.9), until=10, camera="ward-1"), *scores(until=60)],
        key=lambda row: row.end if isinstance(row, Detection) else row.at,
    )
    (firing,) = replay(rows, rules({})).firings
    assert (firing.camera, firing.reason) == ("ward-1", "no_data")


@given(
    st.lists(
        st.tuples(st.sampled_from(["dock", "ward-1"]), st.sampled_from([0.2, 1.0, 1.5, 4, 30]), st.integers(0, 12)),
        max_size=60,
    )
)
@settings(max_examples=150, deadline=None)
def test_a_replay_says_what_the_live_rules_say(steps: list[tuple[str, float, int]]) -> None:
    """However time passed between the ticks: ids, times and scores of all alerts are equal."""
    at, rows = 0.0, list[Row]()
    for camera, step, kind in steps:
        at += step
        if kind == 12:
            rows.append(Gap(camera, T0 + at))
        elif kind == 11:
            rows.append(CameraState(camera, "offline" if len(rows) % 2 else "online", T0 + at))
        else:
            rows.append(detection(at, kind / 10, camera))
    entries: list[dict[str, object]] = [
        {"for": "1s", "keep_firing_for": "2s", "cooldown": "5s"},
        {"alert": "gone", "when": {"camera": "offline"}, "for": "3s"},
        {"alert": "none", "when": {"absent": FALL, "for": "3s"}},
    ]
    first = replay(rows, rules(*entries))
    assert list(first.alerts) == live(rows, *entries)
    assert first == replay(iter(rows), rules(*entries))
    ends = [alert for alert in first.alerts if alert.type == "end"]
    assert len(first.firings) == len(ends)


def test_coverage_says_what_was_seen() -> None:
    rows = [*scores(until=60), Gap("dock", T0 + 60), *(detection(at) for at in range(200, 220))]
    rows += [detection(220.0, zone="gate"), detection(180.0), detection(150.0)]  # one late, one after a set-back
    (seen,) = replay(rows, rules({})).coverage
    assert (seen.camera, seen.first - T0, seen.last - T0) == ("dock", 0, 219)
    assert (seen.detections, seen.gaps) == (82, 1)
    assert seen.seconds == 59 + 19
    assert (seen.blind, (seen.blind_since or 0) - T0) == (141, 59)


def test_an_empty_log_is_no_error() -> None:
    found = replay([], rules({}))
    assert (found.alerts, found.coverage, found.days()) == ((), (), 0)
    assert longest_quiet(found) is None


def test_a_rule_that_raises_is_counted_and_the_others_go_on() -> None:
    rows = scores((20, 30, 0.9))
    rows[5] = detection(5.0, float("nan"))
    found = replay(
        rows, rules({"when": {"event": "fall", "on": 0.8, "off": 0.6}}, {"alert": "b", "when": {"motion": 0.01}})
    )
    assert found.errors == {"fall": 1}
    assert {firing.rule for firing in found.firings} == {"fall", "b"}


def test_shadow_rules_are_found_too() -> None:
    assert replay(scores((20, 30, 0.9)), rules({"shadow": True})).firings[0].shadow


def test_the_longest_silence_lies_between_incidents() -> None:
    quiet = longest_quiet(replay(scores((10, 20, 0.9), (25, 30, 0.9), (80, 90, 0.9)), rules({})))
    assert quiet is not None
    assert (quiet[0] - T0, quiet[1]) == (29, 51)
    whole = longest_quiet(replay(scores(), rules({})))
    assert whole == (T0, 99)


def firing(start: float, end: float, rule: str = "fall", camera: str = "dock", peak: float = 0.9) -> Firing:
    return Firing(rule, camera, "fall", None, "warning", start, start, end, "ended", peak, 2, False)


def test_rules_are_compared_by_what_overlaps() -> None:
    old = [firing(0, 10), firing(20, 30), firing(40, 50), firing(40, 50, camera="ward-1")]
    new = [firing(0, 10), firing(25, 35), firing(60, 70), firing(40, 50, rule="fight"), firing(40, 50, camera="ward-1")]
    added, gone, changed = compare(old, new)
    assert added == [firing(60, 70), firing(40, 50, rule="fight")]
    assert gone == [firing(40, 50)]
    assert changed == [Change(firing(20, 30), firing(25, 35))]
    assert compare(old, old) == ([], [], [])


def test_equal_incidents_that_were_found_twice_are_gone_once() -> None:
    """Two incidents of the old rules in one of the new: the first is changed, the second gone."""
    added, gone, changed = compare([firing(0, 10), firing(12, 20)], [firing(0, 20)])
    assert (added, gone) == ([], [firing(12, 20)])
    assert changed == [Change(firing(0, 10), firing(0, 20))]


def test_a_sweep_counts_what_each_threshold_would_fire() -> None:
    rows = scores((10, 20, 0.35), (40, 50, 0.65), (70, 80, 0.95))
    found = sweep(rows, rules({}, {"alert": "two", "when": {"all": [FALL, FALL]}}), (0.3, 0.6, 0.9, 0.99))
    assert [(level.rule, level.on, level.firings) for level in found] == [
        ("fall", 0.3, 3),
        ("fall", 0.6, 2),
        ("fall", 0.9, 1),
        ("fall", 0.99, 0),
    ]
    assert found[0].per_day == pytest.approx(3 / (99 / 86400))


def test_a_sweep_gives_at_the_rule_s_own_threshold_what_it_gives_now() -> None:
    rows = scores((10, 20, 0.81), (40, 50, 0.65), (70, 80, 0.95), (85, 86, 0.9))
    entry = {"for": "2s", "inhibited_by": ["loud"]}
    both = rules(entry, {"alert": "loud", "when": {"event": "fall", "on": 0.94}})
    now = [firing for firing in replay(rows, both).firings if firing.rule == "fall"]
    (level,) = [level for level in sweep(rows, both, (0.8,)) if level.rule == "fall"]
    assert level.firings == len(now) == 1


def test_what_was_withdrawn_or_is_about_missing_data_did_not_fire() -> None:
    entry = {"early": True, "for": "2s", "no_data": "alert"}
    rows = [detection(t, 0.9 if t in (1, 5, 6, 7) else 0.1) for t in (*range(10), *range(40, 45))]
    (firing,) = replay(rows, rules(entry)).firings
    assert (firing.start, firing.opened) == (T0 + 5, T0 + 7)


def test_a_rule_across_cameras_hears_them_in_order_of_time_whatever_the_log_s_order() -> None:
    joined = {
        "on_cameras": [{"cameras": "dock", **FALL}, {"cameras": "ward-1", **FALL}], "within": "9s", "in_order": True,
    }  # fmt: skip
    mine, other = scores((20, 22, 0.9), until=60), scores((25, 28, 0.9), until=60, camera="ward-1")
    rows = [row for pair in zip(mine, other, strict=True) for row in pair]
    (found,) = replay(rows, rules({"when": joined})).firings
    assert (found.camera, found.start - T0, found.end - T0, found.reason) == ("ward-1", 25, 28, "ended")
    turned = [row for pair in zip(other, mine, strict=True) for row in pair]
    assert replay(turned, rules({"when": joined})).alerts == replay(rows, rules({"when": joined})).alerts
    (level,) = sweep(rows, rules({"when": {"not": FALL}, "group_by": ["rule"]}), (0.5,))
    assert level.firings >= 1
