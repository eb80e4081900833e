"""What is known about each second."""

from dataclasses import replace

import numpy as np
import pytest

from streamwatch.training.data import Entry
from streamwatch.training.events import EVENTS
from streamwatch.training.features import Features
from streamwatch.training.labels import Labelling, first_event, now_targets, token_labels, token_weights, truth_of

NAN = float("nan")


def seconds(count: int, entry: int = 0) -> Features:
    """``count`` clips of one second of one file."""
    start = np.arange(count, dtype=np.float64)
    number = np.full(count, entry)
    x, own = np.zeros((count, 2), np.float32), np.zeros((count, 3), np.float32)
    return Features(x, own, number, np.zeros(count, np.int64), start, start + 1)


def entry(label: str, source: str = "s", length: float = 5.0) -> Entry:
    return Entry("a.mp4", source, label, "g", "train", length, "MIT")


def test_a_normal_clip_is_a_negative_of_everything() -> None:
    assert (token_labels(seconds(3), [entry("normal")], {}) == 0).all()


def test_a_fight_without_times_is_a_fight_throughout_and_may_hold_falls() -> None:
    labels = token_labels(seconds(2), [entry("fight")], {})
    np.testing.assert_array_equal(labels, [[1, NAN, 0], [1, NAN, 0]])


def test_a_fight_with_times_is_one_within_them_only() -> None:
    labels = token_labels(seconds(5), [entry("fight")], {"a.mp4": [(1.2, 3.5, "fight", "")]})
    np.testing.assert_array_equal(labels[:, 0], [0, 1, 1, 1, 0])


def test_a_fall_counts_from_its_onset_and_what_follows_is_not_known() -> None:
    labels = token_labels(seconds(6), [entry("fall")], {"a.mp4": [(1.4, 4.0, "fall", "")]})
    np.testing.assert_array_equal(labels[:, 1], [0, 1, 1, NAN, NAN, NAN])
    assert (labels[:, 0] == 0).all()


def test_a_fall_without_times_says_nothing() -> None:
    assert np.isnan(token_labels(seconds(3), [entry("fall")], {})[:, 1]).all()


def test_what_a_source_does_not_annotate_is_not_known() -> None:
    given = Entry("a.mp4", "s", "normal", "g", "train", 5.0, "", annotates=frozenset({"fall"}))
    np.testing.assert_array_equal(token_labels(seconds(1), [given], {}), [[NAN, 0, NAN]])


def test_who_looked_for_falls_in_fights_is_believed() -> None:
    given = Entry("a.mp4", "s", "fight", "g", "train", 5.0, "", annotates=frozenset({"fight", "fall"}))
    np.testing.assert_array_equal(token_labels(seconds(1), [given], {}), [[1, 0, NAN]])


def test_a_clip_may_show_two_events() -> None:
    given = Entry("a.mp4", "s", "fight", "g", "train", 5.0, "", also=("fall",))
    labels = token_labels(seconds(3), [given], {"a.mp4": [(0.0, 3.0, "fight", ""), (1.0, 3.0, "fall", "")]})
    np.testing.assert_array_equal(labels[:, :2], [[1, 0], [1, 1], [1, NAN]])


def test_the_recipe_says_what_labels_leave_unsaid() -> None:
    given = [entry("fight", source="ours")]
    says_all = Labelling(complete=("ours",))
    assert token_labels(seconds(1), given, {}, says_all).tolist() == [[1, 0, 0]]
    np.testing.assert_array_equal(
        token_labels(seconds(1), [entry("fall")], {"a.mp4": [(0, 2, "fall", "")]}, Labelling({"fall": ["fight"]}))[0],
        [NAN, 1, 0],
    )


def test_files_weigh_as_the_root_of_their_seconds() -> None:
    short, long = seconds(4, 0), seconds(16, 1)
    both = Features(*(np.concatenate([getattr(short, n), getattr(long, n)]) for n in Features.__slots__))
    weights = token_weights(both, [entry("normal", length=4.0), entry("normal", length=16.0)])
    assert weights[:4].sum() == pytest.approx(2.0)
    assert weights[4:].sum() == pytest.approx(4.0)


@pytest.mark.parametrize(
    ("fight", "target"),
    [([0, 0, 1], 1.0), ([1, 1, 0], NAN), ([1, 0, 0], 0.0), ([0], 0.0), ([1], 1.0), ([1, NAN, 0], NAN)],
)
def test_now_is_the_newest_second_and_just_over_is_not_known(fight: list[float], target: float) -> None:
    labels = np.zeros((len(fight), len(EVENTS)), np.float32)
    labels[:, 0] = fight
    np.testing.assert_array_equal(now_targets(labels, 1.0)[0], target)


@pytest.mark.parametrize(("drop", "target"), [(3, 1.0), (2, 1.0), (1, 1.0), (0, NAN)])
def test_a_fall_is_now_for_three_seconds(drop: int, target: float) -> None:
    labels = np.zeros((4, len(EVENTS)), np.float32)
    labels[drop, 1] = 1
    labels[drop + 1 :, 1] = NAN
    np.testing.assert_array_equal(now_targets(labels, 1.0)[1], target)


def test_weak_shoplifting_needs_most_of_its_clip_in_sight() -> None:
    labels = np.zeros((4, len(EVENTS)), np.float32)
    labels[:, 2] = 1
    assert now_targets(labels, 0.9)[2] == 1
    assert np.isnan(now_targets(labels, 0.4)[2])


def test_the_first_event_of_a_clip_is_its_kind_wherever_it_stands() -> None:
    assert first_event(entry("normal")) == "normal"
    assert first_event(replace(entry("walking"), also=("fall", "fight"))) == "fall"
    assert first_event(entry("walking")) == "normal"


def test_what_a_clip_shows_anywhere_is_known_where_somebody_looked() -> None:
    both = replace(entry("fight"), also=("fall",), annotates=frozenset({"fight", "fall"}))
    np.testing.assert_array_equal(truth_of(both), [1, 1, NAN])
    np.testing.assert_array_equal(truth_of(entry("normal")), [0, 0, 0])
