"""Rules alone."""

import sys

import pytest

from streamwatch.bench.rules import (
    compare_with_library,
    measure_backtest,
    measure_rules,
    simple_rules,
    timed_rules,
)
from streamwatch.rules.rule import parse_rules
from streamwatch.rules.vocabulary import Vocabulary


def test_twenty_rules_each() -> None:
    site = Vocabulary(frozenset({"fall", "fight", "shoplifting"}), ("a",), {})
    for document in (simple_rules(), timed_rules()):
        assert len(parse_rules(document, "bench", site)) == 20


def test_more_happening_costs_more() -> None:
    found = measure_rules(0.4)
    assert found.quiet > found.mixed > 500
    assert found.quiet_over_time > found.mixed_over_time > 500


def test_a_backtest_reads_every_detection() -> None:
    took, count = measure_backtest(days=2, cameras=3, seconds=200)
    assert count == 2 * 3 * 200
    assert 0 < took < 30


def test_the_library_is_beaten_or_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rule_engine", reason="the extra `bench` is not installed")
    ratio = compare_with_library(0.2)
    assert ratio is not None
    assert ratio > 0.5
    monkeypatch.setitem(sys.modules, "rule_engine", None)
    assert compare_with_library(0.2) is None
