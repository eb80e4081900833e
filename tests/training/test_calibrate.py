"""Probabilities that mean what they say; thresholds that keep quiet."""

import numpy as np
import pytest

from streamwatch.training.calibrate import Calibration, fit_platt, thresholds
from streamwatch.training.metrics import expected_calibration_error


def test_platt_scaling_finds_the_scale_and_bias_that_made_the_data() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=20_000) * 3
    truth = rng.random(20_000) < 1 / (1 + np.exp(-(0.5 * logits - 1.0)))
    found = fit_platt(logits, truth, np.ones(20_000))
    assert (found.scale, found.bias) == pytest.approx((0.5, -1.0), abs=0.05)
    assert expected_calibration_error(truth, found(logits)) < 0.02


def test_weights_count_as_repetition() -> None:
    logits, truth = np.array([-1.0, 0.5, 1.0, 2.0]), np.array([False, True, False, True])
    twice = fit_platt(np.repeat(logits, 2), np.repeat(truth, 2), np.ones(8))
    weighted = fit_platt(logits, truth, np.full(4, 2.0))
    assert (twice.scale, twice.bias) == pytest.approx((weighted.scale, weighted.bias), abs=1e-6)


def test_separable_and_backward_data_stay_usable() -> None:
    logits = np.array([-2.0, -1.0, 1.0, 2.0])
    sure = fit_platt(logits, logits > 0, np.ones(4))
    assert np.isfinite(sure.scale) and np.isfinite(sure.bias)
    assert fit_platt(logits, logits < 0, np.ones(4)).scale > 0


def test_extreme_logits_do_not_overflow() -> None:
    assert Calibration(1.0, 0.0)(np.array([-1e4, 1e4])) == pytest.approx([0.0, 1.0])


def test_thresholds_are_the_lowest_that_keep_quiet() -> None:
    quiet, loud = np.full(50, 0.1), np.full(20, 0.62)
    assert thresholds([quiet, loud], [], loud=0) == pytest.approx((0.63, 0.43))
    assert thresholds([quiet, loud], [], loud=1) == pytest.approx((0.6, 0.4))


def test_a_share_of_hard_files_may_be_loud() -> None:
    hard = [np.full(5, 0.1)] * 9 + [np.full(5, 0.8)]
    assert thresholds([], hard)[0] == pytest.approx(0.6)
    assert thresholds([], hard, share=0.05)[0] == pytest.approx(0.81)


def test_nothing_is_quiet_enough() -> None:
    assert thresholds([np.ones(9)], [], loud=0)[0] == pytest.approx(0.95)
