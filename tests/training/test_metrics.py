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
    recall_at_false_positives,
    reliability,
    report_at,
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


def test_recall_where_few_negatives_are_taken_for_positives() -> None:
    truth = np.array([True] * 4 + [False] * 40)
    scores = np.concatenate([[9.0, 8.0, 3.5, 0.0], np.linspace(0, 4, 40)])
    assert recall_at_false_positives(truth, scores, 0.05) == 0.5
    assert recall_at_false_positives(truth, scores, 0.5) == 0.75
    assert math.isnan(recall_at_false_positives(np.array([True]), np.array([1.0])))


def test_a_threshold_by_hand() -> None:
    found = report_at(TRUTH, np.array([0.9, 0.8, 0.3, 0.1]), 0.5)
    assert [found[name] for name in ("true_positives", "false_positives", "false_negatives", "true_negatives")] == [
        1
    ] * 4
    assert (found["precision"], found["recall"], found["f1"]) == (0.5, 0.5, 0.5)
    assert math.isnan(report_at(TRUTH, np.zeros(4), 0.5)["precision"])


def test_reliability_by_hand() -> None:
    found = reliability(TRUTH, np.array([0.92, 0.94, 0.12, 0.18]))
    assert [stated for stated, _, _ in found] == pytest.approx([0.15, 0.93])
    assert [rest for _, *rest in found] == [[0.5, 2], [0.5, 2]]
    assert math.isnan(expected_calibration_error(np.zeros(0, bool), np.zeros(0)))


def test_any_figure_has_an_interval() -> None:
    scores, groups = np.array([4.0, 3, 2, 1]), np.array(["a", "a", "b", "b"])
    low, high = grouped_interval(TRUTH, scores, groups, figure=average_precision)
    assert low <= average_precision(TRUTH, scores) <= high <= 1
