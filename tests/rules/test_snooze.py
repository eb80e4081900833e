"""Snoozes, alone and in a running book."""

from math import inf, nan

import pytest

from streamwatch.errors import OrderError
from streamwatch.rules.alert import Alert
from streamwatch.rules.book import RuleBook
from streamwatch.rules.order import MAX_SNOOZE, Acknowledge, Snooze
from streamwatch.rules.snooze import MAX_SNOOZES, Snoozes
from tests.rules.play import FALL, T0, book, detection, rules

ALWAYS = Snooze("fall", "dock", span=3600.0)


class TestSnoozes:
    @pytest.mark.parametrize(
        ("order", "expected"),
        [
            (Snooze("a", "dock", span=5), [True, False, False, False]),
            (Snooze("a", None, span=5), [True, True, False, False]),
            (Snooze(None, "dock", until=15), [True, False, True, False]),
        ],
    )
    def test_reach(self, order: Snooze, expected: list[bool]) -> None:
        snoozes = Snoozes()
        snoozes.order(order, 10)
        places = [("a", "dock"), ("a", "gate"), ("b", "dock"), ("b", "gate")]
        assert [snoozes.until(*place) == 15 for place in places] == expected
        assert [snoozes.until(*place) == -inf for place in places] == [not each for each in expected]

    def test_the_longest_counts(self) -> None:
        snoozes = Snoozes()
        snoozes.order(Snooze("a", None, span=9), 0)
        snoozes.order(Snooze("a", "dock", span=5), 0)
        assert snoozes.until("a", "dock") == 9

    def test_a_second_order_replaces_the_first(self) -> None:
        snoozes = Snoozes()
        snoozes.order(Snooze("a", None, span=9, by="Ann"), 0)
        snoozes.order(Snooze("a", None, span=5, by="Bob"), 1)
        assert [(held.until, held.by) for held in snoozes.listing] == [(6, "Bob")]

    @pytest.mark.parametrize("order", [Snooze("a", None, span=0), Snooze("a", None, until=3)])
    def test_ends(self, order: Snooze) -> None:
        snoozes = Snoozes()
        snoozes.order(Snooze("a", None, span=9), 0)
        snoozes.order(order, 3)
        assert snoozes.listing == ()
        with pytest.raises(OrderError, match="no such snooze"):
            snoozes.order(order, 3)

    def test_is_bounded(self) -> None:
        snoozes = Snoozes()
        with pytest.raises(OrderError, match="7 days"):
            snoozes.order(Snooze("a", None, until=MAX_SNOOZE + 11), 10)
        for i in range(MAX_SNOOZES):
            snoozes.order(Snooze(f"r-{i}", None, span=5), 0)
        with pytest.raises(OrderError, match="end one first"):
            snoozes.order(Snooze("a", None, span=5), 0)
        snoozes.order(Snooze("r-0", None, span=6), 0)

    def test_passes(self) -> None:
        snoozes = Snoozes()
        snoozes.order(Snooze("a", None, span=5), 100)
        before = snoozes.listing
        assert not snoozes.expire(104.9)
        assert snoozes.listing is before
        assert not snoozes.expire(105)
        assert snoozes.listing == ()

    def test_a_clock_set_back_does_not_lengthen_it(self) -> None:
        snoozes = Snoozes()
        snoozes.order(Snooze("a", None, span=5), 100)
        assert not snoozes.expire(90)
        assert snoozes.expire(89)
        assert snoozes.until("a", "dock") == -inf


def told(alerts: list[Alert] | tuple[Alert, ...]) -> list[tuple[str, float, int, bool]]:
    return [(alert.type.value, alert.time - T0, alert.seq, alert.snoozed) for alert in alerts]


def play(running: RuleBook, scores: str, start: int = 0) -> list[Alert]:
    found: list[Alert] = []
    for t, mark in enumerate(scores, start):
        found += running.tick(T0 + t)
        found += running.observe(detection(t, 0.9 if mark == "#" else 0.1))
    return found


class TestInABook:
    def test_withholds_while_it_lasts(self) -> None:
        running = book({})
        running.snooze(ALWAYS, T0 - 1)
        assert told(play(running, "##.#")) == [("new", 0, 0, True), ("end", 2, 0, True), ("new", 3, 0, True)]

    def test_what_still_fires_at_its_end_is_announced_then(self) -> None:
        running = book({})
        running.snooze(Snooze("fall", "dock", span=3.5), T0 - 1)
        found = play(running, "#####.")
        assert told(found) == [("new", 0, 0, True), ("new", 2.5, 0, False), ("end", 5, 1, False)]
        assert found[1].start_time == T0
        assert found[1].why is not None

    def test_time_alone_ends_it(self) -> None:
        running = book({"no_data": "hold"})
        running.snooze(Snooze("fall", "dock", span=50), T0 - 1)
        play(running, "#")
        assert told(running.tick(T0 + 300)) == [("new", 49, 0, False)]
        assert running.snoozes == ()

    def test_what_has_ended_by_then_is_not(self) -> None:
        running = book({})
        running.snooze(Snooze("fall", "dock", span=3.5), T0 - 1)
        assert told(play(running, "##...")) == [("new", 0, 0, True), ("end", 2, 0, True)]

    def test_the_end_of_what_was_told_of_is_told(self) -> None:
        running = book({})
        play(running, "#")
        running.snooze(ALWAYS, T0 + 0.5)
        assert told(play(running, "#" * 31 + ".", 1)) == [("update", 30, 1, True), ("end", 32, 1, False)]

    def test_updates_withheld_become_one_when_it_is_over(self) -> None:
        running = book({"escalate": [{"after": "2s", "severity": "critical"}]})
        play(running, "#")
        running.snooze(Snooze(None, "dock", span=4), T0 + 0.5)
        found = play(running, "######", 1)
        assert told(found) == [("update", 2, 1, True), ("update", 4.5, 1, False)]
        assert found[1].severity == "critical"

    def test_what_nobody_was_told_of_starts_no_cooldown(self) -> None:
        running = book({"cooldown": "1h"})
        running.snooze(Snooze("fall", "dock", span=3.5), T0 - 1)
        assert told(play(running, "#..#.")) == [
            ("new", 0, 0, True), ("end", 1, 0, True), ("new", 3, 0, False), ("end", 4, 1, False),
        ]  # fmt: skip
        assert play(running, "###", 5) == []

    def test_nor_does_a_warning_that_nobody_heard_hold_back_the_next(self) -> None:
        running = book({"for": "5s", "early": True, "cooldown": "1h"})
        running.snooze(Snooze("fall", "dock", span=3.5), T0 - 1)
        found = play(running, "#..#.#.")
        assert [(alert.type.value, alert.time - T0) for alert in found if not alert.snoozed] == [("new", 3), ("end", 4)]

    def test_ended_by_hand_all_is_told_at_once(self) -> None:
        running = book({})
        running.snooze(ALWAYS, T0 - 1)
        play(running, "##")
        assert told(running.snooze(Snooze("fall", "dock", span=0), T0 + 1.5)) == [("new", 1.5, 0, False)]

    def test_other_cameras_and_rules_are_heard(self) -> None:
        running = book({}, {"alert": "other"})
        running.snooze(ALWAYS, T0 - 1)
        assert [(a.rule, a.snoozed) for a in play(running, "#")] == [("fall", True), ("other", False)]
        (one, two) = running.observe(detection(1, 0.9, camera="ward-1"))
        assert not one.snoozed
        assert not two.snoozed

    def test_a_camera_first_seen_later_is_snoozed_too(self) -> None:
        running = book({})
        running.snooze(Snooze("fall", None, span=60), T0)
        assert [a.snoozed for a in running.observe(detection(1, 0.9, camera="ward-2"))] == [True]

    def test_outlives_a_reload(self) -> None:
        running = book({})
        running.snooze(Snooze("fall", None, span=60), T0 - 1)
        play(running, "#")
        changed = rules({"for": "1s"})
        assert told(running.replace(changed, T0 + 1)) == [("end", 1, 0, True)]
        assert told(play(running, "###", 2)) == [("new", 3, 0, True)]

    def test_what_nobody_hears_of_inhibits_nothing(self) -> None:
        running = book({"inhibited_by": ["first"]}, {"alert": "first", "when": FALL})
        running.snooze(Snooze("first", None, span=60), T0 - 1)
        assert [(a.rule, a.snoozed) for a in play(running, "#")] == [("first", True), ("fall", False)]

    def test_refuses_an_unknown_rule(self) -> None:
        with pytest.raises(OrderError, match="no rule is named 'fal'; did you mean 'fall'"):
            book({}).snooze(Snooze("fal", None, span=60), T0)


class TestAcknowledge:
    def test_nothing_is_said_but_that_and_the_end(self) -> None:
        running = book({"escalate": [{"after": "5s", "severity": "critical"}]})
        (new,) = play(running, "#")
        (update,) = running.acknowledge(Acknowledge(new.id, "Ann", "seen"), T0 + 2)
        assert (update.type.value, update.state.value, update.seq, update.time) == ("update", "acknowledged", 1, T0 + 2)
        assert update.acknowledged is not None
        assert (update.acknowledged.by, update.acknowledged.note, update.acknowledged.time) == ("Ann", "seen", T0 + 2)
        (end,) = play(running, "#" * 60 + ".", 3)
        assert (end.type.value, end.state.value, end.seq, end.severity) == ("end", "closed", 2, "warning")

    def test_the_next_incident_is_told_as_ever(self) -> None:
        running = book({})
        (new,) = play(running, "#")
        running.acknowledge(Acknowledge(new.id), T0)
        assert [alert.type.value for alert in play(running, ".#", 1)] == ["end", "new"]

    @pytest.mark.parametrize("scores", ["", "#."])
    def test_refuses_what_is_not_open(self, scores: str) -> None:
        running = book({})
        found = play(running, scores)
        with pytest.raises(OrderError, match="no open incident has this id"):
            running.acknowledge(Acknowledge(found[0].id if found else "01J"), T0 + 9)

    def test_refuses_twice(self) -> None:
        running = book({})
        (new,) = play(running, "#")
        running.acknowledge(Acknowledge(new.id), T0)
        with pytest.raises(OrderError, match="already"):
            running.acknowledge(Acknowledge(new.id), T0 + 1)

    def test_refuses_what_is_only_pending(self) -> None:
        running = book({"early": True, "for": "5s"})
        (new,) = play(running, "#")
        with pytest.raises(OrderError, match="pending"):
            running.acknowledge(Acknowledge(new.id), T0 + 1)

    def test_refuses_what_nobody_was_told_of(self) -> None:
        running = book({})
        running.snooze(ALWAYS, T0 - 1)
        (new,) = play(running, "#")
        with pytest.raises(OrderError, match="no open incident"):
            running.acknowledge(Acknowledge(new.id), T0 + 1)


def test_refuses_an_end_that_is_not_a_number() -> None:
    with pytest.raises(OrderError, match="7 days"):
        Snoozes().order(Snooze("fall", None, span=nan), 10.0)


def test_refuses_one_camera_of_a_rule_that_joins_several() -> None:
    joint = {"when": {"on_cameras": [FALL], "at_least": 2, "within": "2s"}}
    with pytest.raises(OrderError, match="joins cameras"):
        book(joint).snooze(ALWAYS, T0)
