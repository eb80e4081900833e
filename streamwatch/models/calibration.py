"""From logits to probabilities that mean what they say."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["calibrate", "sigmoid"]


def sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 / (1 + e^-x), without overflow, any shape."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * x)), dtype=np.float64)


def calibrate(
    logits: NDArray[np.float32], scale: NDArray[np.float64], bias: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Probabilities [B, E] of ``logits`` [B, E]: sigmoid(scale · logit + bias) with ``scale``, ``bias`` [E].

    Platt scaling (Platt 1999), one pair per event, fitted on held-out cameras.
    """
    return sigmoid(scale * logits.astype(np.float64) + bias)
