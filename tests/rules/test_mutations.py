"""Rule files with random damage: a clear refusal with file and path, or rules that run. Nothing else.

STREAMWATCH_EXAMPLES sets how many (300 if unset).
"""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from streamwatch.document import parse_document
from streamwatch.errors import ConfigError
from streamwatch.rules.book import RuleBook
from streamwatch.rules.loading import rule_files
from streamwatch.rules.operators import OPERATORS
from streamwatch.rules.order import Snooze
from streamwatch.rules.rule import parse_rules
from streamwatch.rules.testing import parse_tests, try_case, vocabulary_of
from tests.rules.play import SITE, T0, detection

EXAMPLES = int(os.environ.get("STREAMWATCH_EXAMPLES", "300"))
SHIPPED = Path(__file__).parent.parent.parent / "rules"
POLICY = """
rules:
  - alert: watched
    cameras: [dock, "ward-*"]
    when: {event: fall, on: 0.8}
    for: 3s
    early: {after: 1s, filled: 0.5}
    no_data: alert
    severity: warning
    escalate: [{after: 30s, severity: critical}]
  - {alert: other, when: {event: fight, on: 0.5}, early: true, no_data: hold, inhibited_by: [watched]}
"""
FILES = [POLICY] + [path.read_text() for path in rule_files([SHIPPED, SHIPPED / "examples"])]
TESTS = [path.read_text() for path in sorted(SHIPPED.rglob("*.test.yml"))]
WORDS = [
    *OPERATORS, "on", "off", "zone", "of", "at_least", "for", "within", "in", "timezone", "except", "escalate",
    "alert", "rules", "early", "after", "filled", "no_data", "hold", "0", "-1", "0.5", "1e9",
    ".nan", ".inf", "true", "null", "~", "1h", "30d", "31d", "''", "gate", "UTC",
    "*a", "&a", "*fight", "[", "]", "{", "}", ":", "- ", "\n", "  ", "#", "'", '"', "|", "2026-02-30",
    "22:00-06:00", "\x00", "é",
]  # fmt: skip
damages = st.lists(
    st.tuples(st.sampled_from(["cut", "put", "replace", "double", "line"]), st.floats(0, 1), st.sampled_from(WORDS)),
    min_size=1,
    max_size=4,
)
Damages = list[tuple[str, float, str]]


def damaged(text: str, found: Damages) -> str:
    """``text`` with a piece cut, put in, replaced or doubled at each place (0–1)."""
    for kind, place, word in found:
        at = int(place * len(text))
        if kind in ("cut", "replace"):
            ends = [text.find(mark, at + 1) for mark in " ,:}\n"]
            end = min((end for end in ends if end > 0), default=len(text))
            text = text[:at] + (word if kind == "replace" else "") + text[end:]
        elif kind == "put":
            text = text[:at] + word + text[at:]
        else:
            lines = text.splitlines(keepends=True) or [""]
            row = min(int(place * len(lines)), len(lines) - 1)
            lines[row : row + 1] = [lines[row]] * 2 if kind == "double" else []
            text = "".join(lines)
    return text


@settings(deadline=None, max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(FILES), damages)
@example("rules: [{alert: a, when: {schedule: ['00:00-24:00'], timezone: ' '}}]", [])
def test_a_damaged_rule_file_is_refused_or_runs(text: str, found: Damages) -> None:
    try:
        rules = parse_rules(parse_document(damaged(text, found), "x.yml", {}), "x.yml", SITE)
        running = RuleBook(rules, salt="")
    except ConfigError as error:
        assert str(error).startswith("x.yml: ")
        return
    running.camera("dock", "offline", T0)
    for t in range(5):
        running.observe(detection(t, 0.9, fight=0.9, shoplifting=0.9))
        running.observe(detection(t, 0.1, zone="gate"))
        running.tick(T0 + t)
        running.snooze(Snooze(None, "dock", span=2.5 - t % 2), T0 + t)
        running.replace(rules, T0 + t)
    running.close(T0 + 100, "done")
    assert running.errors == {}


@settings(deadline=None, max_examples=EXAMPLES // 3, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(TESTS), damages)
def test_a_damaged_file_of_tests_is_refused_or_runs(text: str, found: Damages) -> None:
    try:
        tests = parse_tests(parse_document(damaged(text, found), "x.test.yml", {}), "x.test.yml")
    except ConfigError as error:
        assert str(error).startswith("x.test.yml: ")
        return
    for case in tests.tests[:1]:
        if case.lasts > 3600 or any(state.at > 3600 for state in case.states):
            continue  # minutes of simulated days
        try:
            try_case(
                tests, case, parse_rules(parse_document(FILES[0], "x.yml", {}), "x.yml", vocabulary_of(tests, case))
            )
        except ConfigError as error:
            assert ": " in str(error)


@pytest.mark.parametrize("text", FILES)
def test_undamaged_they_load(text: str) -> None:
    assert parse_rules(parse_document(text, "x.yml", {}), "x.yml", SITE)
