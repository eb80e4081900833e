"""The encoder's last layer, fitted in closed or convex form: event logits and principal components.

A few hundred clips do not carry more: whatever was tuned through the network itself got worse on other cameras.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

__all__ = ["Heads", "Weighting", "cross_fit", "fit_heads", "weighting"]

Matrix = NDArray[np.float64]
STRENGTH = (6.0, 2.0, 4.0)  # 1 / L2 penalty of each event for all rows together, by grouped cross-validation


NEVER = -4.0  # logit of an event of which there is no example
SCALED_BY = 16  # the first components have about unit variance


@dataclass(frozen=True, slots=True)
class Heads:
    """token = weight @ x + bias, ``weight`` [D, C]; the first E rows are event logits."""

    weight: Matrix
    bias: Matrix

    def __call__(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(x @ self.weight.T + self.bias, np.float32)


@dataclass(frozen=True, slots=True)
class Weighting:
    """``labels`` [n, E] with nan for unknown, ``weights`` [n, E] (0: leave out), ``groups`` [n]."""

    labels: NDArray[np.float32]
    weights: Matrix
    groups: NDArray[np.str_]


def weighting(labels: NDArray[np.float32], tokens: Matrix, shares: Matrix, groups: Sequence[str]) -> Weighting:
    """Each row weighs ``tokens`` [n] times ``shares`` [n, E]; positives are raised until both sides weigh the same,
    four times at most."""
    weights = tokens[:, None] * shares
    weights = np.where(np.isnan(labels), 0.0, weights)
    positive = labels == 1.0
    for event in range(labels.shape[1]):
        up, down = weights[positive[:, event], event].sum(), weights[~positive[:, event], event].sum()
        weights[positive[:, event], event] *= float(np.clip(down / max(up, 1e-9), 0.25, 4.0))
    return Weighting(labels, weights, np.array(groups))


def _standard(x: NDArray[np.float32], mean: Matrix, spread: Matrix) -> NDArray[np.float32]:
    return np.asarray((x - mean) / spread, np.float32)  # float32 halves the time of the fits


def _logistic(x: NDArray[np.float32], known: Weighting, event: int, rows: NDArray[np.bool_]) -> tuple[Matrix, float]:
    rows = rows & (known.weights[:, event] > 0)
    weights = known.weights[rows, event]
    if len(np.unique(known.labels[rows, event])) < 2:  # data of one's own may not show every event
        return np.zeros(x.shape[1]), NEVER
    model = LogisticRegression(C=STRENGTH[event] / rows.sum(), max_iter=100)
    model.fit(x[rows], known.labels[rows, event], sample_weight=weights / weights.mean())
    return model.coef_[0].astype(np.float64), float(model.intercept_[0])


def fit_heads(x: NDArray[np.float32], known: Weighting, dim: int, kept: int = 0) -> Heads:
    """One logistic regression an event, the last ``kept`` features as they are, and principal components.

    The components are not whitened: that would make the noise in the last ones as loud as what is in the first.
    """
    mean, spread = x.mean(0, dtype=np.float64), x.std(0, dtype=np.float64) + 1e-6
    standard = _standard(x, mean, spread)
    rows = np.ones(len(x), bool)
    events = [_logistic(standard, known, e, rows) for e in range(known.labels.shape[1])]
    values, vectors = np.linalg.eigh(standard.T @ standard / len(x))
    count = dim - len(events) - kept
    chosen = vectors[:, ::-1][:, :count] / np.sqrt(values[::-1][:SCALED_BY].mean())
    same = np.eye(x.shape[1])[x.shape[1] - kept :]
    weight = np.concatenate([np.stack([w for w, _ in events]), same, chosen.T])
    bias = np.concatenate([[b for _, b in events], np.zeros(kept + chosen.shape[1])])
    return Heads(weight / spread, bias - weight @ (mean / spread))


def cross_fit(x: NDArray[np.float32], known: Weighting, folds: int = 5, seed: int = 0) -> NDArray[np.float32]:
    """Event logits [n, E] of each row by regressions that have not seen its group."""
    names = np.unique(known.groups)
    fold = dict(zip(names, np.random.default_rng(seed).permutation(len(names)) % folds, strict=True))
    member = np.array([fold[g] for g in known.groups])
    out: NDArray[np.float32] = np.zeros(known.labels.shape, np.float32)
    for number in range(folds):
        inside = member == number
        mean, spread = x[~inside].mean(0, dtype=np.float64), x[~inside].std(0, dtype=np.float64) + 1e-6
        standard = _standard(x, mean, spread)
        for event in range(len(STRENGTH)):
            w, b = _logistic(standard, known, event, ~inside)
            out[inside, event] = standard[inside] @ w + b
    return out
