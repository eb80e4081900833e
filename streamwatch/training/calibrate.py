"""Logits → probabilities and thresholds, from clips that training has not seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamwatch.training.data import Segment
from streamwatch.training.evaluate import Scored, alarms
from streamwatch.training.events import EVENTS

__all__ = ["Calibration", "fit_event", "fit_platt", "fit_thresholds", "thresholds", "truth_of"]

Array = NDArray[np.float64]
PRIOR = np.array([1.0, 0.0])
LEAST = 0.05  # scale
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
    if theta[0] >= LEAST:
        return Calibration(float(theta[0]), float(theta[1]))
    return Calibration(LEAST, _bias(LEAST * logits, target, weights))


def _bias(z: Array, target: Array, weights: Array) -> float:
    """What fits best once the scale is set: that of another scale may put all files on one side."""
    low, high = -100.0, 100.0
    for _ in range(60):
        middle = (low + high) / 2
        p = 1.0 / (1.0 + np.exp(-np.clip(z + middle, -60, 60)))
        high, low = (middle, low) if float(np.sum(weights * (p - target))) + 1e-3 * middle > 0 else (high, middle)
    return (low + high) / 2


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


def _known_seconds(
    scored: Sequence[Scored], event: str, segments: Mapping[str, Sequence[Segment]]
) -> tuple[Array, NDArray[np.bool_], Array]:
    """Logits, truth and weights of the seconds whose truth is known. A file weighs as the root of its seconds, and
    both sides weigh the same: p = 0.5 is where the evidence is even."""
    column, logits, truth, weights = EVENTS.index(event), [], [], []
    for one in scored:
        known = truth_of(one, event, segments.get(one.entry.path, ()))
        rows = ~np.isnan(known)
        logits.append(_logit(one.scores[rows, column]))
        truth.append(known[rows] > 0.5)
        weights.append(np.full(int(rows.sum()), 1 / np.sqrt(max(1, len(one.scores)))))
    side, weight = np.concatenate(truth), np.concatenate(weights)
    for which in (side, ~side):
        weight[which] *= len(scored) / 2 / max(weight[which].sum(), 1e-9)
    return np.concatenate(logits), side, weight


def _logit(probability: Array) -> Array:
    p = np.clip(probability, 1e-9, 1 - 1e-9)
    return np.asarray(np.log(p / (1 - p)), np.float64)


def truth_of(one: Scored, event: str, segments: Sequence[Segment]) -> Array:
    """1, 0 or nan for each second: a timed event from its start for three seconds, and not before the first; else the
    whole file, or, for weak labels, its end. In files that show something else nothing is known of it, unless somebody
    looked for just this."""
    entry, known = one.entry, np.full(len(one.scores), np.nan)
    if not entry.says(event):
        return known
    if not entry.shows(event):
        return np.zeros_like(known) if entry.label == "normal" or entry.annotates is not None else known
    starts = [int(a) for a, _, label, _ in segments if label == event]
    if not starts:
        known[-1 if event == "shoplifting" else 0 :] = 1.0
        return known
    known[: min(starts)] = 0.0
    for start in starts:
        known[start + 1 : start + 3] = 1.0
    return known


def fit_event(held_out: Sequence[Scored], event: str, segments: Mapping[str, Sequence[Segment]]) -> Calibration:
    """Of one event, from files that training has not seen."""
    return fit_platt(*_known_seconds(held_out, event, segments))


def fit_thresholds(
    fitted: Calibration, event: str, normal: Sequence[Scored], held_out: Sequence[Scored], shown: frozenset[str]
) -> tuple[float, float]:
    """:func:`thresholds` that keep quiet in ``normal`` files of which it is known. ``shown`` are the sources that show
    the event and its absence alike: of these only ``held_out`` files are looked at, as the others were learnt by
    heart."""
    column = EVENTS.index(event)
    home = [s for s in held_out if s.entry.label == "normal" and s.entry.says(event) and s.entry.source in shown]
    away = [s for s in normal if s.entry.says(event) and s.entry.source not in shown]
    hard, ordinary = ([fitted(_logit(s.scores[:, column])) for s in some] for some in (home, away))
    return thresholds(ordinary, hard)
