"""Figures with intervals: a few dozen clips carry less than two digits suggest."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["area", "average_precision", "expected_calibration_error", "grouped_interval", "poisson_upper"]

Array = NDArray[np.float64]


def area(truth: NDArray[np.bool_], scores: Array) -> float:
    """Area under the ROC curve; ties count half. nan when one side is empty."""
    up, down = scores[truth], scores[~truth]
    if not len(up) or not len(down):
        return float("nan")
    difference = up[:, None] - down[None, :]
    return float((difference > 0).mean() + 0.5 * (difference == 0).mean())


def average_precision(truth: NDArray[np.bool_], scores: Array) -> float:
    """Mean of the precision at each positive, in falling order of score. nan without positives."""
    hits = truth[np.argsort(-scores, kind="stable")]
    if not hits.any():
        return float("nan")
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float(precision[hits].mean())


def grouped_interval(
    truth: NDArray[np.bool_], scores: Array, groups: NDArray[np.str_], draws: int = 500, seed: int = 0
) -> tuple[float, float]:
    """95 % interval of the area when whole groups (cameras, actors) are drawn again. nan without clips."""
    if not len(groups):
        return float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    rows = [np.flatnonzero(groups == name) for name in np.unique(groups)]
    found = []
    for _ in range(draws):
        chosen = np.concatenate([rows[i] for i in rng.integers(len(rows), size=len(rows))])
        value = area(truth[chosen], scores[chosen])
        if not np.isnan(value):
            found.append(value)
    if not found:
        return (float("nan"), float("nan"))
    low, high = np.quantile(found, [0.025, 0.975])
    return (float(low), float(high))


def expected_calibration_error(truth: NDArray[np.bool_], probability: Array, bins: int = 10) -> float:
    """Mean distance of stated and found frequency over equally wide bins, weighted by their counts."""
    which = np.clip((probability * bins).astype(int), 0, bins - 1)
    total = 0.0
    for number in range(bins):
        inside = which == number
        if inside.any():
            total += inside.mean() * abs(float(truth[inside].mean()) - float(probability[inside].mean()))
    return total


def poisson_upper(count: int, exposure: float) -> float:
    """Upper 95 % bound of a rate of which ``count`` were seen in ``exposure`` (Ulm 1990, by its normal tail)."""
    n = count + 1
    return float(n * (1 - 1 / (9 * n) + 1.645 / (3 * np.sqrt(n))) ** 3 / exposure)
