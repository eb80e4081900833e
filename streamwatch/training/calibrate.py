"""Logits → probabilities and thresholds, from clips that training has not seen."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamwatch.training.evaluate import alarms

__all__ = ["Calibration", "fit_platt", "thresholds"]

Array = NDArray[np.float64]
PRIOR = np.array([1.0, 0.0])
STEPS = np.round(np.arange(0.6, 0.96, 0.01), 2)


@dataclass(frozen=True, slots=True)
class Calibration:
    """p = sigmoid(scale · logit + bias)."""

    scale: float
    bias: float

    def __call__(self, logits: Array) -> Array:
        return np.asarray(1.0 / (1.0 + np.exp(-np.clip(self.scale * logits + self.bias, -60, 60))), np.float64)


def fit_platt(logits: Array, truth: NDArray[np.bool_], weights: Array) -> Calibration:
    """Platt scaling (Platt 1999, with his targets against over-confidence), damped Newton. Scale stays > 0."""
    up, down = weights[truth].sum(), weights[~truth].sum()
    target = np.where(truth, (up + 1) / (up + 2), 1 / (down + 2))
    x = np.stack([logits, np.ones_like(logits)], 1)

    def loss(theta: Array) -> float:
        z = x @ theta
        data = float(np.sum(weights * (np.logaddexp(0.0, z) - target * z)))
        return data + 5e-4 * float(np.sum((theta - PRIOR) ** 2))

    theta = np.array([0.0, np.log((up + 1) / (down + 1))])
    for _ in range(100):
        p = 1.0 / (1.0 + np.exp(-np.clip(x @ theta, -60, 60)))
        slope = x.T @ (weights * (p - target)) + 1e-3 * (theta - PRIOR)
        curve = (x * (weights * p * (1 - p))[:, None]).T @ x + 1e-3 * np.eye(2)
        step = np.linalg.solve(curve, slope)
        while loss(theta - step) > loss(theta) and np.abs(step).max() > 1e-9:
            step = step / 2
        theta = theta - step
        if np.abs(step).max() < 1e-8:
            break
    return Calibration(max(float(theta[0]), 0.05), float(theta[1]))


def thresholds(
    ordinary: Sequence[Array], hard: Sequence[Array], loud: int = 1, share: float = 0.1
) -> tuple[float, float]:
    """(on, off): the lowest ``on`` at which alarms start in at most ``loud`` of the ``ordinary`` files and in at most
    ``share`` of the ``hard`` ones, normal files of the places in which the event was filmed. ``off`` lies 0.2 below.

    One loud file is allowed, because otherwise the one hardest of all clips alone would set the threshold.
    """
    for on in STEPS:
        off = round(float(on) - 0.2, 2)
        quiet = sum(bool(alarms(scores, float(on), off)) for scores in ordinary) <= loud
        if quiet and sum(bool(alarms(scores, float(on), off)) for scores in hard) <= share * len(hard):
            return float(on), off
    return float(STEPS[-1]), round(float(STEPS[-1]) - 0.2, 2)
