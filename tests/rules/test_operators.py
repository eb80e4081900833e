"""How a condition is read: exactly one operator a mapping, bounded, with the nearest right word."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamwatch.document import parse_document
from streamwatch.errors import RuleError
from streamwatch.rules.operators import MAX_DEPTH, MAX_TERMS, OPERATORS
from streamwatch.rules.rule import parse_rules
from streamwatch.rules.vocabulary import Vocabulary
from tests.rules.play import SITE, condition, detection

EVENT = {"event": "fall", "on": 0.8}


def nested(depth: int) -> object:
    when: object = EVENT
    for _ in range(depth - 1):
        when = {"not": when}
    return when


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ({"evnt": "fall", "on": 0.8}, "no operator among 'evnt', 'on'; did you mean 'event'"),
        (
            {"crowd": 0.8},
            r"no operator among 'crowd'.* \(known: event, motion, anomaly, camera, all, any, not, k_of_n, absent, ",
        ),
        ({"k_of_m": EVENT}, "did you mean 'k_of_n'"),
        ({}, "no operator among nothing"),
        ({"all": [EVENT], "any": [EVENT]}, r"has 2 operators \(all, any\); each mapping has exactly one"),
        ("fall > 0.8", "must be a mapping with an operator"),
        (None, "must be a mapping"),
        ([EVENT], "must be a mapping"),
        ({1: 2}, "key 1 must be a word"),
        ({"all": [EVENT, {"any": [EVENT, {"evnt": "fall"}]}]}, r"test\.yml: when\.all\[1\]\.any\[1\]: no operator"),
    ],
)
def test_refuses(when: object, said: str) -> None:
    with pytest.raises(RuleError, match=said):
        condition(when)


def test_depth_is_bounded() -> None:
    assert condition(nested(MAX_DEPTH)).observe(detection(0, 0.9)) is (MAX_DEPTH % 2 == 1)
    with pytest.raises(RuleError, match=f"nested deeper than {MAX_DEPTH}"):
        condition(nested(MAX_DEPTH + 1))


def test_width_is_bounded() -> None:
    half = {"any": [EVENT] * (MAX_TERMS // 2 - 1)}
    with pytest.raises(RuleError, match=f"more than {MAX_TERMS} conditions"):
        condition({"all": [half, half, EVENT]})


def test_brothers_do_not_add_to_the_depth() -> None:
    assert condition({"all": [nested(MAX_DEPTH - 1)] * 3}).observe(detection(0, 0.9)) is not None


def test_the_readme_shows_every_operator_as_it_is_read() -> None:
    text = (Path(__file__).parent.parent.parent / "README.md").read_text()
    blocks = re.findall(r"```yaml\n(when:\n.*?)```", text, re.DOTALL)
    site = Vocabulary(SITE.events, ("lobby", "exit-1"), dict.fromkeys(("lobby", "exit-1"), frozenset({"gate", "door"})))
    for block in blocks:
        assert parse_rules({"rules": [{"alert": "a", **parse_document(block, "README.md", {})}]}, "README.md", site)
    assert [operator for operator in OPERATORS if f"{operator}:" not in "".join(blocks)] == []


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
keys = st.sampled_from([*OPERATORS, "on", "off", "zone", "of", "at_least", "for", "within", "in"]) | st.text(max_size=4)
documents = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4), max_leaves=20
)


@settings(deadline=None)
@given(documents)
def test_any_document_is_read_or_refused(document: object) -> None:
    try:
        running = condition(document)
    except RuleError:
        return
    running.observe(detection(0, 0.9))
