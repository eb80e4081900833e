"""Figures against hand-counted ones."""

import math

import numpy as np
import pytest

from streamwatch.training.metrics import (
    area,
    average_precision,
    expected_calibration_error,
    grouped_interval,
    poisson_upper,
)

TRUTH = np.array([True, False, True, False])


@pytest.mark.parametrize(
    ("scores", "expected"), [([4, 1, 3, 2], 1.0), ([1, 4, 2, 3], 0.0), ([1, 1, 1, 1], 0.5), ([4, 3, 2, 1], 0.75)]
)
def test_area(scores: list[float], expected: float) -> None:
    assert area(TRUTH, np.array(scores, float)) == expected


def test_one_sided_truth_has_no_area() -> None:
    assert math.isnan(area(np.array([True]), np.array([1.0])))
    assert math.isnan(average_precision(np.array([False]), np.array([1.0])))


def test_average_precision() -> None:
    assert average_precision(TRUTH, np.array([4.0, 3, 2, 1])) == pytest.approx((1 + 2 / 3) / 2)


def test_the_interval_holds_the_value_and_widens_with_fewer_groups() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random(120) < 0.5
    scores = truth + rng.normal(size=120)
    many = np.array([f"g{i % 40}" for i in range(120)])
    few = np.array([f"g{i % 4}" for i in range(120)])
    low, high = grouped_interval(truth, scores, many)
    assert low < area(truth, scores) < high
    assert grouped_interval(truth, scores, few) != (low, high)


def test_calibration_error_of_a_sure_and_wrong_model() -> None:
    assert expected_calibration_error(np.array([False] * 4), np.full(4, 0.95)) == pytest.approx(0.95)
    assert expected_calibration_error(TRUTH, np.full(4, 0.5)) == pytest.approx(0.0)


@pytest.mark.parametrize(("count", "upper"), [(0, 2.996), (1, 4.744), (5, 10.513)])
def test_upper_bounds_are_those_of_the_tables(count: int, upper: float) -> None:
    assert poisson_upper(count, 1.0) == pytest.approx(upper, rel=0.02)
