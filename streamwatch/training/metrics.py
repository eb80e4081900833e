"""Figures with intervals: a few dozen clips carry less than two digits suggest."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Figure",
    "area",
    "average_precision",
    "expected_calibration_error",
    "grouped_interval",
    "poisson_upper",
    "recall_at_false_positives",
    "reliability",
    "report_at",
]

Array = NDArray[np.float64]
Figure = Callable[[NDArray[np.bool_], Array], float]


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
    truth: NDArray[np.bool_],
    scores: Array,
    groups: NDArray[np.str_],
    draws: int = 500,
    seed: int = 0,
    figure: Figure = area,
) -> tuple[float, float]:
    """95 % interval of a figure (the area) when whole groups (cameras, actors) are drawn again. nan without clips."""
    if not len(groups):
        return float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    rows = [np.flatnonzero(groups == name) for name in np.unique(groups)]
    found = []
    for _ in range(draws):
        chosen = np.concatenate([rows[i] for i in rng.integers(len(rows), size=len(rows))])
        value = figure(truth[chosen], scores[chosen])
        if not np.isnan(value):
            found.append(value)
    if not found:
        return (float("nan"), float("nan"))
    low, high = np.quantile(found, [0.025, 0.975])
    return (float(low), float(high))


def recall_at_false_positives(truth: NDArray[np.bool_], scores: Array, share: float = 0.05) -> float:
    """Share of the positives above the lowest threshold that at most ``share`` of the negatives reach. nan when one
    side is empty."""
    up, down = scores[truth], np.sort(scores[~truth])[::-1]
    if not len(up) or not len(down):
        return float("nan")
    return float((up > down[int(share * len(down))]).mean())


def report_at(truth: NDArray[np.bool_], scores: Array, on: float) -> dict[str, float]:
    """What a threshold finds: counts, precision, recall, F1 (nan where there is nothing to divide by)."""
    found = scores >= on
    right, false, missed = (int(x.sum()) for x in (found & truth, found & ~truth, ~found & truth))
    counts = {"true_positives": right, "false_positives": false, "false_negatives": missed}
    return {
        "threshold": on,
        **counts,
        "true_negatives": int((~found & ~truth).sum()),
        "precision": right / (right + false) if right + false else float("nan"),
        "recall": right / (right + missed) if right + missed else float("nan"),
        "f1": 2 * right / (2 * right + false + missed) if right + false + missed else float("nan"),
    }


def reliability(truth: NDArray[np.bool_], probability: Array, bins: int = 10) -> list[tuple[float, float, int]]:
    """(stated, found frequency, count) of each of ``bins`` equally wide bins that holds something."""
    which = np.clip((probability * bins).astype(int), 0, bins - 1)
    rows = [which == number for number in range(bins)]
    return [(float(probability[r].mean()), float(truth[r].mean()), int(r.sum())) for r in rows if r.any()]


def expected_calibration_error(truth: NDArray[np.bool_], probability: Array, bins: int = 10) -> float:
    """Mean distance of stated and found frequency over equally wide bins, weighted by their counts; nan of nothing."""
    if not len(truth):
        return float("nan")
    return sum(n * abs(found - stated) for stated, found, n in reliability(truth, probability, bins)) / len(truth)


def poisson_upper(count: int, exposure: float) -> float:
    """Upper 95 % bound of a rate of which ``count`` were seen in ``exposure`` (Ulm 1990, by its normal tail)."""
    n = count + 1
    return float(n * (1 - 1 / (9 * n) + 1.645 / (3 * np.sqrt(n))) ** 3 / exposure)
