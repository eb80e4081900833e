"""Graver by lasting and by repeating."""

import pytest

from streamwatch.errors import RuleError
from streamwatch.rules.alert import Alert
from streamwatch.rules.severity import SEVERITIES, gravest
from tests.rules.play import T0, book, play, rules

HIGH, LOW = 0.9, 0.1
LONG = {"after": "5s", "severity": "critical"}
AGAIN = {"count": 3, "in": "60s", "severity": "critical"}


def told(alerts: list[Alert]) -> list[tuple[str, float, str]]:
    assert all(alert.labels["severity"] == alert.severity for alert in alerts)
    return [(alert.type.value, alert.time - T0, alert.severity) for alert in alerts]


def fall(*starts: float) -> list[tuple[float, float]]:
    """A second of fall at each of ``starts``."""
    return [step for start in starts for step in ((start, HIGH), (start + 1, LOW))]


def test_the_gravest() -> None:
    assert [gravest("info", other) for other in SEVERITIES] == ["info", "warning", "critical"]


def test_by_duration() -> None:
    running = book({"escalate": [LONG], "annotations": {"summary": "{severity}"}})
    alerts = play(running, [*((t, HIGH) for t in range(8)), (8, LOW)])
    assert told(alerts) == [("new", 0, "warning"), ("update", 5, "critical"), ("end", 8, "critical")]
    assert [alert.summary for alert in alerts] == ["warning", "critical", "critical"]


def test_the_duration_counts_from_firing() -> None:
    alerts = play(book({"escalate": [LONG], "for": "2s"}), [(t, HIGH) for t in range(8)])
    assert told(alerts) == [("new", 2, "warning"), ("update", 7, "critical")]


def test_does_not_rise_while_it_only_keeps_firing() -> None:
    running = book({"escalate": [LONG], "keep_firing_for": "9s"})
    assert told(play(running, [(0, HIGH), *((t, LOW) for t in range(1, 8))])) == [("new", 0, "warning")]
    assert told(play(running, [(8, HIGH)])) == [("update", 8, "critical")]


def test_each_incident_begins_at_the_rule_s_own() -> None:
    alerts = play(book({"escalate": [LONG]}), [*((t, HIGH) for t in range(6)), (6, LOW), (7, HIGH)])
    assert told(alerts)[-1] == ("new", 7, "warning")


def test_by_repetition() -> None:
    alerts = play(book({"escalate": [AGAIN]}), fall(0, 10, 20, 100))
    assert [(t, severity) for kind, t, severity in told(alerts) if kind == "new"] == [
        (0, "warning"), (10, "warning"), (20, "critical"), (100, "warning"),
    ]  # fmt: skip


def test_repetition_is_counted_per_camera_and_within_less_than_the_span() -> None:
    assert {severity for _, _, severity in told(play(book({"escalate": [AGAIN]}), fall(0, 30, 60)))} == {"warning"}
    assert told(play(book({"escalate": [AGAIN]}), fall(0, 30, 59)))[-1] == ("end", 60, "critical")


def test_steps_add_up() -> None:
    steps = [{"after": "2s", "severity": "warning"}, {"after": "4s", "severity": "critical"}]
    alerts = play(book({"severity": "info", "escalate": steps}), [(t, HIGH) for t in range(6)])
    assert told(alerts) == [("new", 0, "info"), ("update", 2, "warning"), ("update", 4, "critical")]


def test_a_clock_set_back_forgets_repetitions() -> None:
    running = book({"escalate": [AGAIN]})
    alerts = play(running, [*fall(5000, 5010), *fall(0)])
    assert told(alerts)[-1] == ("end", 1, "warning")


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ({"severity": "critical"}, "give either after, or count and in"),
        ({**LONG, **AGAIN}, "give either after, or count and in"),
        ({"count": 3, "severity": "critical"}, "give either after, or count and in"),
        ({"after": "5s", "in": "5s", "severity": "critical"}, "give either after, or count and in"),
        ({"after": "5s", "severity": "warning"}, "'warning' is not above the rule's severity, 'warning'"),
        ({"after": "5s", "severity": "grave"}, "severity 'grave' is not one of"),
        ({"after": "5s"}, r"escalate\[0\]\.severity: Field required"),
        ({"count": 1, "in": "5s", "severity": "critical"}, "greater than or equal to 2"),
        ({"after": 0, "severity": "critical"}, "greater than 0"),
        ({"afetr": 1, "severity": "critical"}, "did you mean 'after'"),
    ],
)
def test_refuses(step: dict[str, object], said: str) -> None:
    with pytest.raises(RuleError, match=said):
        rules({"escalate": [step]})
