"""What happened again."""

import pytest

from streamwatch.errors import RuleError
from streamwatch.rules.condition import Evidence
from tests.rules.play import FALL, condition, detection, marks

TWICE = {"count": FALL, "in": "5s", "at_least": 2}


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ("#.#......", "..###...."),  # less than 5 s after the first beginning
        ("####.....", "........."),  # one that lasts
        ("##.##.#..", "...##.##."),
        ("#.....#..", "........."),
        ("# #", ". ."),  # a missing score is no end
    ],
)
def test_counts_beginnings(scores: str, expected: str) -> None:
    assert marks(TWICE, scores) == expected


def test_the_evidence_is_that_of_the_last_beginning() -> None:
    running = condition(TWICE)
    for t, score in enumerate([0.9, 0.1, 0.85, 0.95]):
        running.observe(detection(t, score))
    assert running.evidence() == Evidence("fall", None, 0.85, 0.8)
    assert running.observe(detection(5, 0.1)) is False
    assert running.evidence() is None


def test_a_gap_neither_undoes_nor_repeats() -> None:
    running = condition({**TWICE, "in": "1h"})
    running.observe(detection(0, 0.9))
    running.reset()
    assert running.observe(detection(3, 0.9)) is False  # goes on
    running.reset()
    assert running.observe(detection(20, 0.9)) is True  # silent for longer than 10 s: another one


def test_what_was_unknown_for_a_moment_has_not_begun_anew() -> None:
    part = {"all": [FALL, {"not": {**FALL, "zone": "gate"}}]}
    running = condition({"count": part, "in": "1h", "at_least": 2})
    running.observe(detection(0, zone="gate"))
    running.observe(detection(0, 0.9))
    running.reset()
    assert running.observe(detection(1, 0.9)) is None  # the gate is not known
    assert running.observe(detection(1, zone="gate")) is False


def test_a_clock_set_back_forgets() -> None:
    running = condition({**TWICE, "in": "1h"})
    for t, score in enumerate([0.9, 0.1, 0.9]):
        running.observe(detection(5000 + t, score))
    running.reset()
    assert running.observe(detection(0, 0.9)) is False
    assert running.observe(detection(1, 0.1)) is False
    assert running.observe(detection(2, 0.9)) is True


def test_is_unknown_before_anything_was_seen() -> None:
    running = condition({"count": {**FALL, "zone": "gate"}, "in": "5s", "at_least": 2})
    assert running.observe(detection(0)) is None


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ({"count": FALL, "in": "1h"}, "at_least: Field required"),
        ({"count": FALL, "in": "1h", "at_least": 1}, "greater than or equal to 2"),
        ({"count": FALL, "in": 0, "at_least": 2}, "in: Input should be greater than 0"),
        ({"count": FALL, "within": "1h", "in": 1, "at_least": 2}, "within: unknown key"),
    ],
)
def test_refuses(when: object, said: str) -> None:
    with pytest.raises(RuleError, match=said):
        condition(when)
