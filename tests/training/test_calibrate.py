"""Probabilities that mean what they say; thresholds that keep quiet."""

from dataclasses import replace

import numpy as np
import pytest

from streamwatch.training.calibrate import Calibration, fit_event, fit_platt, fit_thresholds, thresholds, truth_of
from streamwatch.training.data import Entry
from streamwatch.training.evaluate import Scored
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


def test_where_logits_say_the_opposite_all_is_as_likely_as_it_is_frequent() -> None:
    """A model that knows nothing of an event must not report it all the time, or never, whatever its logits are."""
    logits = np.array([-33.0, -31.0, -29.0, -27.0])
    backward = fit_platt(logits, logits < -30, np.ones(4))
    assert backward.scale == pytest.approx(0.05)
    assert backward(logits) == pytest.approx(0.5, abs=0.1)


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


def scored(label: str, probability: list[float], source: str = "street", split: str = "val") -> Scored:
    """One file; the events that it does not show are as likely as not."""
    scores = np.full((len(probability), 3), 0.5)
    scores[:, 0] = probability
    return Scored(Entry(f"{label}.mp4", source, label, "g", split, float(len(probability)), ""), scores)


def test_an_event_is_fitted_to_files_that_show_it_and_normal_ones() -> None:
    """Evidence is even in the middle between both sides, wherever the model puts them."""
    held_out = [scored("fight", [0.98] * 9), scored("normal", [0.6] * 30), scored("fall", [0.99] * 9)]
    fitted = fit_event(held_out, "fight", {})
    high, low, middle = fitted(np.log(np.array([0.98, 0.6, 0.88]) / np.array([0.02, 0.4, 0.12])))
    assert high > 0.6 and low < 0.4 and middle == pytest.approx(0.5, abs=0.1)


def test_thresholds_keep_quiet_at_home_by_held_out_files_and_elsewhere_by_all() -> None:
    same = Calibration(1.0, 0.0)
    held_out = [scored("fight", [0.9] * 5), scored("normal", [0.7] * 5)]
    away = [scored("normal", [0.75] * 5, "market", "train"), scored("normal", [0.8] * 5, "market", "train")]
    learnt = [scored("normal", [0.94] * 5, split="train")] * 3
    normal = [held_out[1], *away, *learnt]
    shown = frozenset({"street"})
    assert fit_thresholds(same, "fight", [], [], shown)[0] == pytest.approx(0.6)
    assert fit_thresholds(same, "fight", learnt, held_out, shown) == pytest.approx((0.71, 0.51))
    assert fit_thresholds(same, "fight", normal, held_out, shown) == pytest.approx((0.76, 0.56)), "one may be loud"
    unsaid = replace(away[1], entry=replace(away[1].entry, annotates=frozenset({"fall"})))
    loud = [held_out[1], away[1], away[1]]
    assert fit_thresholds(same, "fight", loud, held_out, shown)[0] == pytest.approx(0.81)
    assert fit_thresholds(same, "fight", [held_out[1], away[1], unsaid], held_out, shown)[0] == pytest.approx(0.71)


NOTHING = float("nan")


def seconds(label: str, also: tuple[str, ...] = (), annotates: frozenset[str] | None = None, count: int = 8) -> Scored:
    return Scored(Entry("a.mp4", "street", label, "g", "val", 8.0, "", also, annotates), np.zeros((count, 3)))


@pytest.mark.parametrize(
    ("starts", "expected"),
    [
        ([2.5], [0, 0, NOTHING, 1, 1, NOTHING, NOTHING, NOTHING]),
        ([1.0, 5.2], [0, NOTHING, 1, 1, NOTHING, NOTHING, 1, 1]),
        ([5.2, 1.0], [0, NOTHING, 1, 1, NOTHING, NOTHING, 1, 1]),
        ([0.0, 1.0], [NOTHING, 1, 1, 1, NOTHING, NOTHING, NOTHING, NOTHING]),
        ([6.9], [0, 0, 0, 0, 0, 0, NOTHING, 1]),
        ([30.0], [0, 0, 0, 0, 0, 0, 0, 0]),
    ],
)
def test_timed_events_are_there_from_their_starts_and_not_before_the_first(
    starts: list[float], expected: list[float]
) -> None:
    told = [(start, start + 1, "fall", "") for start in starts] + [(0.0, 8.0, "", "two men talk")]
    np.testing.assert_array_equal(truth_of(seconds("fall"), "fall", told), expected)
    np.testing.assert_array_equal(truth_of(seconds("fight", ("fall",)), "fall", told), expected)


def test_without_times_the_whole_file_shows_it_or_for_weak_labels_its_end() -> None:
    assert truth_of(seconds("fight"), "fight", ()).tolist() == [1.0] * 8
    np.testing.assert_array_equal(truth_of(seconds("shoplifting"), "shoplifting", ()), [NOTHING] * 7 + [1])
    assert truth_of(seconds("fall", ("fight",)), "fight", [(1.0, 2.0, "fall", "")]).tolist() == [1.0] * 8


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (seconds("normal"), 0),
        (seconds("normal", annotates=frozenset({"fight"})), 0),
        (seconds("normal", annotates=frozenset({"fall"})), NOTHING),  # nobody looked for fights
        (seconds("normal", annotates=frozenset()), NOTHING),
        (seconds("fall"), NOTHING),  # people fall in fights
        (seconds("fall", annotates=frozenset({"fall", "fight"})), 0),
        (seconds("fall", annotates=frozenset({"fall"})), NOTHING),
        (seconds("traffic_accident"), NOTHING),
    ],
)
def test_it_is_absent_only_where_somebody_looked(one: Scored, expected: float) -> None:
    np.testing.assert_array_equal(truth_of(one, "fight", ()), [expected] * 8)
