"""Heads fitted in convex form, on data whose answer is known."""

import numpy as np
import pytest
from numpy.typing import NDArray

from streamwatch.training.heads import Weighting, cross_fit, fit_heads, weighting


def made(rows: int = 600, seed: int = 0) -> tuple[NDArray[np.float32], Weighting]:
    rng = np.random.default_rng(seed)
    x = np.asarray(rng.normal(size=(rows, 12)) * np.arange(1, 13), np.float32)
    labels = np.stack([x[:, 0] > 0, x[:, 3] > 4, x[:, 5] + x[:, 6] > 0], 1).astype(np.float32)
    labels[::7, 1] = np.nan
    groups = [f"g{i % 20}" for i in range(rows)]
    return x, weighting(labels, np.ones(rows), np.ones((rows, 3)), groups)


def test_tokens_are_event_logits_kept_features_and_components() -> None:
    x, known = made()
    tokens = fit_heads(x, known, dim=8, kept=2)(x)
    assert tokens.shape == (600, 8)
    for event in range(3):
        sure = ~np.isnan(known.labels[:, event])
        right = (tokens[sure, event] > 0) == (known.labels[sure, event] > 0.5)
        assert right.mean() > 0.8
    np.testing.assert_allclose(tokens[:, 3:5] * x[:, 10:].std(0), x[:, 10:] - x[:, 10:].mean(0), rtol=1e-3, atol=1e-3)
    spread = np.cov(tokens[:, 5:].T)
    assert spread - np.diag(np.diag(spread)) == pytest.approx(np.zeros((3, 3)), abs=0.02), "components"
    assert np.diag(spread).tolist() == sorted(np.diag(spread), reverse=True), "the first are the loudest"


def test_unknown_labels_weigh_nothing_and_sides_are_balanced() -> None:
    _, known = made()
    assert (known.weights[np.isnan(known.labels)] == 0).all()
    rare = known.labels[:, 1] == 1
    ratio = known.weights[rare, 1].sum() / known.weights[~rare, 1].sum()
    assert 0.3 < ratio <= 1.01


def test_cross_fitted_logits_have_not_seen_their_group() -> None:
    """Where the label is noise, logits fitted on the same rows look good and cross-fitted ones do not."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 60)).astype(np.float32)
    labels = (rng.random((80, 3)) > 0.5).astype(np.float32)
    known = weighting(labels, np.ones(80), np.ones((80, 3)), [f"g{i % 16}" for i in range(80)])
    seen = (fit_heads(x, known, 4)(x)[:, 0] > 0) == (labels[:, 0] > 0.5)
    unseen = (cross_fit(x, known)[:, 0] > 0) == (labels[:, 0] > 0.5)
    assert seen.mean() > 0.85
    assert unseen.mean() < 0.7
