"""Expected beside what came."""

import pytest

from streamwatch.rules.verdict import Expected, Verdict, compare, incidents_of
from tests.rules.play import T0, book, play


def incident(at: float, rule: str = "fall", **fields: object) -> Expected:
    return Expected(rule, "dock", {"at": at, **fields})


@pytest.mark.parametrize(
    ("expected", "came", "diff"),
    [
        ([], [], []),
        ([incident(5)], [incident(5, until=9.0)], ["  fall on dock: at 5s"]),
        ([incident(5.0004)], [incident(5)], ["  fall on dock: at 5s"]),
        ([incident(5)], [], ["- fall on dock: at 5s"]),
        ([], [incident(5)], ["+ fall on dock: from none, at 5s, until none, severity none, reason none"]),
        ([incident(5)], [incident(6, until=9.0)], ["- fall on dock: at 5s", "+ fall on dock: at 6s"]),
        (
            [incident(5, severity="info")],
            [incident(5, severity="critical")],
            ["- fall on dock: at 5s, severity info", "+ fall on dock: at 5s, severity critical"],
        ),
        ([Expected("fall", "dock", {})], [incident(5)], ["  fall on dock"]),
        (
            [Expected("fall", "dock", {"from": 3})],
            [Expected("fall", "dock", {"at": 5, "from": 3.0})],
            ["  fall on dock: from 3s"],
        ),
        ([Expected("fall", "dock", {})], [], ["- fall on dock"]),
        ([incident(1), incident(9)], [incident(9)], ["- fall on dock: at 1s", "  fall on dock: at 9s"]),
        (
            [incident(1, "fight")],
            [incident(1)],
            ["- fight on dock: at 1s", "+ fall on dock: from none, at 1s, until none, severity none, reason none"],
        ),
    ],
)
def test_compares(expected: list[Expected], came: list[Expected], diff: list[str]) -> None:
    verdict = compare("a test", expected, came)
    assert sorted(verdict.diff) == sorted(diff)
    assert verdict.passed == all(line.startswith(" ") for line in diff)


def test_nothing_expected_and_nothing_came_passes() -> None:
    assert Verdict("", ()).passed


def test_gathers_the_messages_of_an_incident() -> None:
    alerts = play(book({"for": "1s", "labels": {"floor": "2"}}), [(1, 0.9), (2, 0.9), (3, 0.1), (4, 0.9), (5, 0.9)])
    one, two = incidents_of(alerts, T0)
    assert one.fields == {
        "at": 2, "from": 1, "until": 3, "severity": "warning", "reason": "ended", "cause": "condition",
        "labels.floor": "2", "labels.severity": "warning",
    }  # fmt: skip
    assert (two.fields["at"], two.fields["until"], two.fields["reason"]) == (5, "open", "none")


def test_a_warning_is_told_apart_from_what_fired() -> None:
    running = book({"early": True, "for": "2s", "no_data": "alert"})
    alerts = play(running, [(0, 0.9), (1, 0.1), (5, 0.9), (6, 0.9), (7, 0.9), (8, 0.1)])
    withdrawn, fired, missing = incidents_of([*alerts, *running.tick(T0 + 30)], T0)
    assert withdrawn.fields["warned"] == 0
    assert "at" not in withdrawn.fields
    assert (fired.fields["warned"], fired.fields["at"], fired.fields["cause"]) == (5, 7, "condition")
    assert (missing.fields["at"], missing.fields["cause"]) == (18, "no_data")
    assert compare("a test", [], [withdrawn]).diff == (
        "+ fall on dock: from 0s, at none, until 1s, severity warning, reason ended, warned 0s",
    )
