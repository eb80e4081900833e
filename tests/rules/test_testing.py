"""Tests of rules: how they are read, and that they play what they say."""

import re
from pathlib import Path

import pytest

from streamwatch.document import parse_document
from streamwatch.errors import ConfigError, RuleError
from streamwatch.rules import testing
from streamwatch.rules.loading import load_rules, run_suites, suite_files
from streamwatch.rules.rule import parse_rules
from streamwatch.rules.testing import parse_tests, try_case, vocabulary_of
from streamwatch.rules.verdict import Verdict

ROOT = Path(__file__).parent.parent.parent
FILES = sorted((ROOT / "rules").rglob("*.test.yml"))
RULES = """
rules:
  - {alert: fall, when: {event: fall, on: 0.8, zone: bed}, for: 2s, labels: {floor: "2"}}
  - {alert: away, when: {camera: offline}}
  - {alert: moving, when: {motion: 0.5}}
"""


def verdicts(text: str, rules: str = RULES) -> list[Verdict]:
    tests = parse_tests(parse_document(text, "a.test.yml", {}), "a.test.yml")
    document = parse_document(rules, "a.yml", {})
    return [try_case(tests, case, parse_rules(document, "a.yml", vocabulary_of(tests, case))) for case in tests.tests]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_shipped_rule_passes(path: Path) -> None:
    for verdict in run_suites([path])[str(path)]:
        assert verdict.passed, "\n".join((verdict.name, *verdict.diff))


def test_every_shipped_rule_has_tests_that_fire_it() -> None:
    for path in FILES:
        tests = parse_tests(parse_document(path.read_text(), str(path), {}), str(path))
        rules = load_rules([path.parent / path.name.replace(".test", "")], vocabulary_of(tests, tests.tests[0]))
        fired = {alert.alert for case in tests.tests for alert in case.alerts}
        assert fired == {rule.name for rule in rules}
    shipped = {path for path in (ROOT / "rules").rglob("*.yml") if not path.name.endswith(".test.yml")}
    assert {path.with_name(path.name.replace(".test", "")) for path in FILES} == shipped


ALL_KEYS = """
interval: 500ms
events: [fall, fight]
tests:
  - name: everything
    start: 2026-03-28T22:00:00+01:00
    series:
      - {camera: dock, zone: bed, event: fall, values: "0.05x3 0.9x5 0.05"}
      - {camera: dock, motion: "0.1x5 0.6 0.1"}
    states: [{camera: dock, state: offline, at: 20s}, {camera: dock, state: online, at: 22500ms}]
    lasts: 1m
    alerts:
      - {alert: fall, camera: dock, from: 2s, at: 4s, until: 5s, severity: warning, labels: {floor: "2"}, reason: ended}
      - {alert: moving, at: 3s, until: 3.5s}
      - {alert: away, at: 20s, until: 22.5s}
"""


def test_plays_scores_motion_and_states() -> None:
    (verdict,) = verdicts(ALL_KEYS)
    assert verdict.passed, "\n".join(verdict.diff)


def test_says_what_differs() -> None:
    (verdict,) = verdicts(
        ALL_KEYS.replace("at: 4s", "at: 5s").replace("      - {alert: away, at: 20s, until: 22.5s}\n", "")
    )
    assert not verdict.passed
    assert verdict.diff == (
        "  moving on dock: at 3s, until 3.5s",
        "- fall on dock: from 2s, at 5s, until 5s, severity warning, reason ended, labels.floor 2",
        "+ fall on dock: from 2s, at 4s, until 5s, severity warning, reason ended, labels.floor 2",
        "+ away on dock: from 20s, at 20s, until 22.5s, severity warning, reason ended",
    )


def test_labels_severity_and_ends_are_compared() -> None:
    for change in ("severity: critical", 'labels: {floor: "3"}', "until: open", "reason: gap", "from: 1s"):
        key = change.split(":")[0]
        text = re.sub(rf"(alert: fall.*){key}: (\{{.*?\}}|\w+)", rf"\1{change}", ALL_KEYS)
        assert text != ALL_KEYS
        assert not verdicts(text)[0].passed, change


def test_time_goes_on_without_values() -> None:
    (verdict,) = verdicts("""
        tests:
          - name: silence
            series: [{zone: bed, event: fall, values: "0.9x3"}]
            lasts: 20s
            alerts: [{alert: fall, at: 2s, until: 13s, reason: no_data}]
        """)
    assert verdict.passed, verdict.diff


def test_a_missing_value_is_no_detection() -> None:
    (verdict,) = verdicts("""
        tests:
          - name: holes
            series: [{zone: bed, event: fall, values: "0.9 _x1 0.9 0.1"}]
            alerts: [{alert: fall, at: 2s, until: 3s}]
        """)
    assert verdict.passed, verdict.diff


@pytest.mark.parametrize("state", ["offline", "disabled", "failed"])
def test_a_camera_that_is_away_breaks_its_stream(state: str) -> None:
    (verdict,) = verdicts(f"""
        tests:
          - name: a break
            series: [{{zone: bed, event: fall, values: "0.9x5"}}]
            states: [{{state: {state}, at: 1.5s}}]
            alerts: [{{alert: fall, from: 2s}}, {{alert: away}}]
        """)
    assert verdict.passed == (state == "offline"), verdict.diff
    assert all("away" in line for line in verdict.diff if not line.startswith(" "))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("name: everything", "nam: x"), r"tests\[0\]\.nam: unknown key; did you mean 'name'"),
        (("0.05x3 0.9x5", "0.05y3"), r"tests\[0\]\.series\[0\]\.values: '0.05y3' is no value"),
        (("0.05x3 0.9x5", "1.5"), r"series\[0\]: values: score 1.5 is not between 0 and 1"),
        (('motion: "0.1', 'event: fall, motion: "0.1'), r"series\[1\]: give either event and values, or motion"),
        (("state: online", "state: onlin"), r"states\[1\]\.state: Input should be 'connecting', "),
        (("interval: 500ms", "interval: 0"), "interval: Input should be greater than 0"),
        (("2026-03-28T22:00:00+01:00", "yesterday"), r"start: Invalid isoformat"),
        (("2026-03-28T22:00:00+01:00", "5"), r"start: must be a time such as"),
        (("    alerts:", "    alert:"), r"alerts: Field required"),
    ],
)
def test_refuses(change: tuple[str, str], said: str) -> None:
    with pytest.raises(RuleError, match=said):
        verdicts(ALL_KEYS.replace(*change))


def test_asks_which_camera() -> None:
    with pytest.raises(RuleError, match=r"everything: alerts\[1\]: say which camera; there are 2"):
        verdicts(ALL_KEYS.replace("- {camera: dock, motion", "- {camera: ward, motion"))


@pytest.mark.parametrize("document", [None, [], {}, {"tests": []}, {"tests": [None]}])
def test_refuses_what_is_no_test_file(document: object) -> None:
    with pytest.raises(RuleError, match=r"a\.test\.yml: "):
        parse_tests(document, "a.test.yml")


def test_finds_rules_beside_it(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("rules: [{alert: fall, when: {event: fall, on: 0.8}}]")
    text = "tests: [{name: x, series: [{event: fall, values: '0.9'}], alerts: [{alert: fall, at: 0s}]}]"
    (tmp_path / "a.test.yml").write_text(text)
    (tmp_path / "b.test.yml").write_text("rule_files: [a.yml]\n" + text.replace("0.9", "0.1"))
    (tmp_path / "c.yml").write_text(text)
    assert [path.name for path in suite_files([tmp_path, tmp_path / "c.yml"])] == ["a.test.yml", "b.test.yml", "c.yml"]
    outcomes = run_suites([tmp_path], tmp_path / "junit.xml").values()
    assert [[verdict.passed for verdict in found] for found in outcomes] == [[True], [False]]
    assert "<testsuites>" in (tmp_path / "junit.xml").read_text()
    with pytest.raises(ConfigError, match="cannot be written"):
        run_suites([tmp_path], tmp_path)
    with pytest.raises(RuleError, match=r"c\.yml: rule_files: say which"):
        run_suites([tmp_path / "c.yml"])
    with pytest.raises(RuleError, match="no such file or folder"):
        suite_files([tmp_path / "nowhere"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(RuleError, match=r"empty: holds no \*\.test\.yml"):
        suite_files([tmp_path / "empty"])


@pytest.mark.parametrize("text", [testing.__doc__ or "", (ROOT / "README.md").read_text()], ids=["docstring", "README"])
def test_the_example_given_passes(text: str) -> None:
    """The example in the docstring and that of the README, played to such a rule."""
    found = re.search(r"^( *)rule_files:.*\n(?:\1.*\n|\n)+", text, re.MULTILINE)
    assert found
    example = "\n".join(line[len(found[1]) :] for line in found[0].partition("```")[0].splitlines())
    rule = """
        rules:
          - alert: fall
            when: {event: fall, on: 0.7, zone: bed}
            for: 1.5s
            keep_firing_for: 5s
            labels: {severity: critical, floor: "2"}
        """
    (verdict,) = verdicts(example, rule)
    assert verdict.passed, "\n".join(verdict.diff)


def test_rules_across_cameras_hear_the_last_score_too() -> None:
    rules = "rules: [{alert: two, when: {on_cameras: [{event: fall, on: 0.8}], at_least: 2, within: 1s}}]"
    text = """
interval: 0.5s
tests:
  - name: at the end
    series:
      - {camera: a, event: fall, values: "0.1 0.1 0.1 0.9"}
      - {camera: b, event: fall, values: "0.1 0.1 0.1 0.9"}
    alerts: [{alert: two, camera: b, from: 1.5s}]
"""
    (verdict,) = verdicts(text, rules)
    assert verdict.passed, verdict.diff
