"""Told before it is certain: pending, then confirmed or withdrawn, under one id."""

import dataclasses

import pytest

from streamwatch.errors import RuleError
from streamwatch.rules.alert import Alert, IncidentState
from streamwatch.rules.book import RuleBook
from streamwatch.rules.early import Early
from tests.rules.play import T0, book, detection, rules

Row = tuple[float, float, float]
"""Time, score, share of the window that is filled."""


def play(running: RuleBook, *rows: Row) -> list[tuple[str, str, float]]:
    """(type, state, seconds) of each alert."""
    return states(alerts(running, *rows))


def alerts(running: RuleBook, *rows: Row) -> list[Alert]:
    found: list[Alert] = []
    for at, score, filled in rows:
        found += running.observe(dataclasses.replace(detection(at, score), filled=filled))
    return found


def states(found: list[Alert]) -> list[tuple[str, str, float]]:
    return [(alert.type.value, alert.state.value, alert.time - T0) for alert in found]


def full(scores: str) -> list[Row]:
    return [(float(t), 0.9 if mark == "#" else 0.1, 1.0) for t, mark in enumerate(scores)]


@pytest.mark.parametrize(
    ("rule", "scores", "expected"),
    [
        ({}, "#.", [("new", "firing", 0), ("end", "closed", 1)]),  # certain at once
        ({"for": "2s"}, "###.", [("new", "pending", 0), ("update", "firing", 2), ("end", "closed", 3)]),
        ({"for": "2s"}, "##.", [("new", "pending", 0), ("end", "withdrawn", 2)]),
        ({"for": "3s", "early": {"after": "1s"}}, "##.", [("new", "pending", 1), ("end", "withdrawn", 2)]),
        ({"for": "3s", "early": {"after": "2s"}}, "##.", []),
        ({"for": "3s", "gap": "1.5s"}, "##.#", [("new", "pending", 0), ("update", "firing", 3)]),
        ({"for": "2s", "early": False}, "##.", []),
    ],
)
def test_before_for_has_elapsed(rule: dict[str, object], scores: str, expected: list[tuple[str, str, float]]) -> None:
    assert play(book({"early": True} | rule), *full(scores)) == expected


def test_on_a_window_that_is_only_partly_filled() -> None:
    running = book({"early": True})
    found = alerts(running, (0, 0.9, 0.1), (1, 0.9, 0.4), (2, 0.9, 0.5), (3, 0.1, 0.6))
    assert states(found) == [("new", "pending", 0), ("update", "firing", 2), ("end", "closed", 3)]
    assert len({alert.id for alert in found}) == 1
    assert [alert.seq for alert in found] == [0, 1, 2]
    assert found[1].start_time == T0


def test_the_share_that_makes_it_certain_can_be_chosen() -> None:
    assert play(book({"early": {"filled": 1}}), (0, 0.9, 0.9)) == [("new", "pending", 0)]


def test_without_early_a_part_filled_window_fires() -> None:
    assert play(book({}), (0, 0.9, 0.1)) == [("new", "firing", 0)]


def test_a_state_of_the_camera_says_nothing_of_the_window() -> None:
    running = book({"early": True, "when": {"all": [{"event": "fall", "on": 0.8}, {"camera": "online"}]}})
    running.camera("dock", "online", T0 - 0.5)
    assert play(running, (0, 0.9, 0.1)) == [("new", "pending", 0)]
    assert running.tick(T0 + 2) == ()  # the state is heard at 1 and 2
    assert play(running, (2.5, 0.9, 0.6)) == [("update", "firing", 2.5)]


def test_silence_withdraws_it() -> None:
    running = book({"early": True, "for": "5s"})
    play(running, *full("##"))
    (end,) = running.tick(T0 + 60)
    assert (end.state, end.time, end.annotations["end_reason"]) == (IncidentState.WITHDRAWN, T0 + 11, "no_data")


def test_cooldown_keeps_back_further_warnings_but_no_certainty() -> None:
    running = book({"early": True, "for": "2s", "cooldown": "1m"})
    assert play(running, *full("#.##.####")) == [
        ("new", "pending", 0), ("end", "withdrawn", 1), ("new", "firing", 7),
    ]  # fmt: skip


def test_does_not_warn_while_inhibited() -> None:
    fight = {"alert": "fight", "when": {"event": "fight", "on": 0.5}}
    running = book({"early": True, "for": "2s", "inhibited_by": ["fight"]}, fight)
    running.observe(detection(0, 0.9, fight=0.9))
    found = running.observe(detection(1, 0.9))
    assert [(alert.rule, alert.state.value) for alert in found] == [("fight", "closed"), ("fall", "pending")]


def test_a_pending_incident_is_told_again_while_it_lasts() -> None:
    running = book({"early": {"filled": 1}})
    found = play(running, *((float(t), 0.9, 0.5) for t in range(62)))
    assert found == [("new", "pending", 0), ("update", "pending", 30), ("update", "pending", 60)]


def test_is_read() -> None:
    (rule,) = rules({"early": {"after": "2s", "filled": 0.8}, "for": "3s"})
    assert rule.early == Early(2.0, 0.8)
    assert rules({"early": False})[0].early is None


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"early": {"after": "3s"}, "for": "3s"}, r"early.after \(3s\) must be below for \(3s\)"),
        ({"early": {"filled": 0}}, "early.filled"),
        ({"early": {"filed": 1}}, "filed"),
        ({"early": "yes"}, "early"),
    ],
)
def test_refuses(entry: dict[str, object], said: str) -> None:
    with pytest.raises(RuleError, match=said):
        rules(entry)
