"""Incidents held against what really happened."""

import pytest

from streamwatch.rules.backtest import Firing
from streamwatch.rules.sight import Coverage
from streamwatch.rules.truth import SLACK, Truth, judge


def firing(start: float, end: float, event: str = "fall", camera: str = "dock", delay: float = 2.0) -> Firing:
    return Firing(f"{event}_rule", camera, event, None, "warning", start, start + delay, end, "ended", 0.9, 2, False)


def coverage(camera: str = "dock", last: float = 3600.0) -> Coverage:
    return Coverage(camera, 0.0, last, int(last), 0, last, 0.0, None)


def test_recall_false_alarms_and_delay() -> None:
    truths = [Truth("dock", 100, 110, "fall"), Truth("dock", 500, 520, "fall"), Truth("dock", 900, 910, "fight")]
    firings = [firing(104, 115), firing(300, 310), firing(905, 915), firing(108, 130, delay=0)]
    fall, fight = judge(firings, truths, [coverage()])
    assert (fall.label, fall.events, fall.found, fall.false_alarms) == ("fall", 2, 1, 2)
    assert (fall.recall, fall.false_alarms_per_hour) == (0.5, 2.0)
    assert fall.delays == (6.0,)  # the first of two that met it
    assert fall.median_delay == 6.0
    assert (fight.recall, fight.false_alarms, fight.median_delay) == (0.0, 0, None)


@pytest.mark.parametrize(
    ("start", "end", "met"),
    [
        (100, 105, True),
        (90, 99, False),  # over before it began
        (90, 100, True),
        (110 + SLACK, 130, True),  # the window still holds it
        (111 + SLACK, 130, False),
    ],
)
def test_an_incident_meets_what_it_overlaps_and_what_has_just_been(start: float, end: float, met: bool) -> None:
    (found,) = judge([firing(start, end, delay=0)], [Truth("dock", 100, 110, "fall")], [coverage()])
    assert (found.found, found.false_alarms) == ((1, 0) if met else (0, 1))


def test_a_label_may_be_a_rule_and_another_camera_is_another_place() -> None:
    (found,) = judge([firing(100, 110)], [Truth("dock", 100, 110, "fall_rule")], [coverage()])
    assert found.found == 1
    (found,) = judge([firing(100, 110)], [Truth("ward", 100, 110, "fall")], [coverage(), coverage("ward")])
    assert (found.found, found.false_alarms, found.hours) == (0, 1, 2.0)


def test_events_without_scores_are_neither_found_nor_missed() -> None:
    truths = [Truth("dock", 100, 110, "fall"), Truth("dock", 9000, 9010, "fall"), Truth("gone", 5, 6, "fall")]
    (found,) = judge([], truths, [coverage()])
    assert (found.events, found.unseen, found.recall) == (1, 2, 0.0)
    (nothing,) = judge([], truths[2:], [])
    assert (nothing.recall, nothing.false_alarms_per_hour) == (None, None)


def test_what_has_no_label_is_not_judged() -> None:
    (found,) = judge([firing(100, 110, "fight")], [Truth("dock", 500, 510, "fall")], [coverage()])
    assert found.false_alarms == 0


def test_what_touches_is_one_event() -> None:
    truths = [Truth("dock", *span, "fall") for span in [(120, 130), (100, 120), (105, 110), (140, 150)]]
    (found,) = judge([firing(102, 128)], [*truths, Truth("ward", 130, 140, "fall")], [coverage(), coverage("ward")])
    assert (found.events, found.found, found.delays) == (3, 1, (4.0,))


def test_an_event_told_before_it_began_is_found_without_a_delay() -> None:
    (found,) = judge([firing(90, 128)], [Truth("dock", 100, 120, "fall")], [coverage()])
    assert (found.found, found.delays, found.median_delay) == (1, (), None)
