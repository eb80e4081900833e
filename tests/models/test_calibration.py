"""Logits to probabilities."""

import numpy as np
import pytest

from streamwatch.models.calibration import calibrate, sigmoid


@pytest.mark.parametrize(("x", "p"), [(0.0, 0.5), (np.log(3), 0.75), (-np.log(3), 0.25), (1e4, 1.0), (-1e4, 0.0)])
def test_sigmoid(x: float, p: float) -> None:
    assert sigmoid(np.array([x]))[0] == pytest.approx(p)


def test_each_event_has_its_own_scale_and_bias() -> None:
    logits = np.array([[0.0, 1.0], [2.0, -1.0]], np.float32)
    p = calibrate(logits, scale=np.array([1.0, 2.0]), bias=np.array([0.0, -2.0]))
    assert p == pytest.approx(sigmoid(np.array([[0.0, 0.0], [2.0, -4.0]])))


def test_order_is_kept() -> None:
    logits = np.linspace(-9, 9, 50, dtype=np.float32)[:, None]
    p = calibrate(logits, np.array([0.3]), np.array([1.0]))
    assert (np.diff(p[:, 0]) > 0).all()
