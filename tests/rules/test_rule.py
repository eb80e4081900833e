"""Rules as written: defaults, refusals, hashes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamwatch.errors import RuleError
from streamwatch.rules.event import Event
from streamwatch.rules.rule import parse_rules
from streamwatch.rules.template import PLACEHOLDERS
from tests.rules.play import FALL, SITE, rules


def test_defaults() -> None:
    (rule,) = rules({})
    assert (rule.name, rule.cameras, rule.severity, rule.shadow) == ("fall", ("*",), "warning", False)
    assert (rule.hold, rule.gap, rule.keep_firing_for, rule.cooldown) == (0, 0, 0, 0)
    assert rule.when == Event("fall", 0.8, 0.6, None)
    assert rule.labels == (("severity", "warning"),)
    assert rule.summary.render(dict.fromkeys(PLACEHOLDERS, "x")) == "x at x"


def test_reads_all_it_knows() -> None:
    (rule,) = rules({
        "cameras": ["ward-*", "dock"], "for": "1m", "gap": "0.5s", "keep_firing_for": 5, "cooldown": "30s",
        "labels": {"severity": "critical", "floor": "2"}, "annotations": {"summary": "{rule}!"}, "shadow": True,
    })  # fmt: skip
    assert (rule.hold, rule.gap, rule.keep_firing_for, rule.cooldown) == (60, 0.5, 5, 30)
    assert (rule.severity, rule.shadow) == ("critical", True)
    assert rule.labels == (("floor", "2"), ("severity", "critical"))
    assert rule.where == "test.yml: rules[0]"
    assert rule.watches("ward-1")
    assert not rule.watches("yard")


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"camera": ["dock"]}, r"test\.yml: rules\[0\]\.camera: unknown key; did you mean 'cameras'"),
        ({"fore": "1s"}, r"rules\[0\]\.fore: unknown key; did you mean 'for'"),
        ({"hold": "1s"}, r"rules\[0\]\.hold: unknown key"),
        ({"for": "1 second"}, r"rules\[0\]\.for: must be a duration such as 20s"),
        ({"for": "1s", "gap": "1s"}, r"gap \(1s\) must be below for \(1s\)"),
        ({"gap": "0.1s"}, r"gap \(0.1s\) must be below for \(0s\); with for: 0, gap must be 0"),
        ({"cooldown": -1}, "must be between 0 and 30d"),
        ({"severity": "critcal"}, "did you mean 'critical'"),
        ({"labels": {"severity": "high"}}, "severity 'high' is not one of info, warning, critical"),
        ({"severity": "info", "labels": {"severity": "critical"}}, "give one"),
        ({"labels": {"a-b": "x"}}, r"labels.a-b"),
        ({"labels": {"floor": 2}}, r"labels.floor: Input should be a valid string"),
        ({"annotations": {"summary": "{camra}"}}, "unknown placeholder {camra}.*did you mean 'camera'"),
        ({"annotations": {"text": "{camera.__class__}"}}, r"annotations.text: unknown placeholder"),
        ({"cameras": ["dok"]}, r"rules\[0\]\.cameras: no camera is named 'dok'; did you mean 'dock'"),
        ({"cameras": []}, r"cameras: Tuple should have at least 1 item"),
        ({"cameras": "dock"}, r"cameras: must be a list, such as"),
        ({"alert": "Fall!"}, r"rules\[0\]\.alert: String should match"),
        ({"when": {"evnt": "fall"}}, r"rules\[0\]\.when: no operator among 'evnt'; did you mean 'event'"),
        ({"no_data": "open"}, r"no_data: Input should be 'close', 'hold' or 'alert'"),
        ({"shadow": "perhaps"}, r"shadow: Input should be a valid boolean"),
    ],
)
def test_refuses(entry: dict[str, object], said: str) -> None:
    with pytest.raises(RuleError, match=said):
        rules(entry)


def test_a_glob_that_matches_nothing_is_no_error() -> None:
    assert rules({"cameras": ["gym-*"]})


def test_names_every_fault_at_once() -> None:
    with pytest.raises(RuleError) as caught:
        rules({"when": {"event": "fal", "on": 1}}, {"alert": "b", "cameras": ["dok"]}, {"alert": "b"})
    lines = str(caught.value).splitlines()
    assert [line.split(": ")[1] for line in lines] == ["rules[0].when.event", "rules[1].cameras", "rules[2].alert"]


@pytest.mark.parametrize(
    "document", [None, [], "rules", {}, {"rules": []}, {"rules": {}}, {"rules": [None]}, {"rule": [{}]}, {1: 2}]
)
def test_refuses_what_is_no_rule_file(document: object) -> None:
    with pytest.raises(RuleError, match=r"test\.yml: "):
        parse_rules(document, "test.yml", SITE)


def test_the_hash_follows_the_meaning() -> None:
    (rule,) = rules({"for": "60s"})
    assert len(rule.rule_hash) == 16
    assert rules({"for": "1m", "cameras": ["*"]})[0].rule_hash == rule.rule_hash
    others: list[dict[str, object]] = [
        {"for": "61s"},
        {"for": "60s", "shadow": True},
        {"for": "60s", "when": {**FALL, "on": 0.9}},
    ]
    assert rule.rule_hash not in {rules(other)[0].rule_hash for other in others}


values: st.SearchStrategy[object] = (
    st.none() | st.text(max_size=5) | st.floats() | st.lists(st.text(max_size=3), max_size=2)
    | st.dictionaries(st.text(max_size=3), st.text(max_size=6), max_size=2) | st.just(dict(FALL))
)  # fmt: skip
entries = st.dictionaries(
    st.sampled_from(["alert", "cameras", "when", "for", "gap", "labels", "annotations", "shadow", "severity"]),
    values,
)


@settings(deadline=None)
@given(entries)
def test_any_entry_is_read_or_refused(entry: dict[str, object]) -> None:
    try:
        (rule,) = rules(entry)
    except RuleError:
        return
    assert rule.gap < rule.hold or rule.gap == 0
