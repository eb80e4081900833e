"""What is usual at an hour of the day."""

import random
from struct import pack

import pytest

from streamwatch.rules.baseline import BINS, Baseline

DAY = 86_400.0


def test_a_rank_is_the_share_of_the_past_below() -> None:
    base = Baseline()
    chance = random.Random(1)
    for t in range(3000):
        base.learn(chance.uniform(0, 10), float(t))
    for level in (1.0, 5.0, 9.0):
        assert 0.86 * level < 10 * base.rank(level, 3000.0) < 1.03 * level  # bins are 12 % wide
    assert base.rank(0.0, 3000.0) == 0
    assert 1 - 1 / 2900 < base.rank(100, 3000.0) < 1


def test_little_was_seen_so_nothing_is_rare() -> None:
    base = Baseline()
    assert base.rank(255, 0.0) == 0
    for t in range(99):
        base.learn(1.0, float(t))
    assert base.rank(255, 100.0) == pytest.approx(0.99)


def test_each_hour_has_its_own_usual_and_looks_at_its_neighbours() -> None:
    base = Baseline()
    for t in range(0, 86_400, 10):
        base.learn(8.0 if 8 * 3600 <= t < 18 * 3600 else 0.2, float(t))
    assert base.rank(8.0, DAY + 3 * 3600) > 0.99
    assert base.rank(8.0, DAY + 12 * 3600) == 0
    assert base.rank(9.5, DAY + 12 * 3600) > 0.99
    assert base.rank(8.0, DAY + 7.5 * 3600) == pytest.approx(2 / 3, abs=0.01)


def test_the_past_fades() -> None:
    base = Baseline()
    for day in range(60):
        for t in range(0, 3600, 10):
            base.learn(1.0 if day < 40 else 5.0, day * DAY + t)
    assert base.rank(5.0, 60 * DAY) == pytest.approx(0.31, abs=0.02)  # of 40 days and 20 days
    assert sum(base._totals) == pytest.approx(360 * (1 - 0.95**60) / 0.05, rel=0.01)


def test_any_level_finds_a_bin() -> None:
    base = Baseline()
    for level in (-1.0, 0.0, 255.0, 1e9):
        base.learn(level, -5.0)
    assert sum(map(sum, base._counts)) == 4
    assert all(len(counts) == BINS for counts in base._counts)


def test_what_was_learnt_can_be_kept() -> None:
    base = Baseline()
    chance = random.Random(1)
    for t in range(0, 200_000, 60):
        base.learn(chance.uniform(0, 10), float(t))
    again = Baseline.from_bytes(base.to_bytes())
    for running in (base, again):
        running.learn(3.0, 3 * DAY)
    assert again.to_bytes() == base.to_bytes()
    assert again.rank(5.0, 3 * DAY) == base.rank(5.0, 3 * DAY) > 0


def test_counts_that_cannot_be_are_refused() -> None:
    packed = Baseline().to_bytes()
    for bad in (b"", packed[:-1], pack("<d", -1.0) + packed[8:], pack("<d", float("nan")) + packed[8:]):
        with pytest.raises(ValueError, match="what was learnt cannot be read"):
            Baseline.from_bytes(bad)
