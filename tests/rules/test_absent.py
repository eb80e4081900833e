"""What has not held for a while."""

import pytest

from streamwatch.errors import RuleError
from tests.rules.play import FALL, condition, detection, marks

ABSENT = {"absent": FALL, "for": "3s"}


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ("......", "...###"),
        ("#......", "....###"),
        ("..#....", "......#"),
        ("#.#.#.", "......"),
        (".  .", ".  #"),  # a missing score is no break
    ],
)
def test_holds_after_a_while(scores: str, expected: str) -> None:
    assert marks(ABSENT, scores) == expected


def test_for_nothing_it_is_not() -> None:
    assert marks({"absent": FALL, "for": 0}, ".#.") == "#.#"


def test_what_was_not_looked_at_may_have_been_there() -> None:
    running = condition({"absent": {**FALL, "zone": "gate"}, "for": "3s"})
    assert running.observe(detection(0)) is None
    assert [running.observe(detection(t, zone="gate")) for t in (1, 2, 3)] == [False, False, False]
    assert running.observe(detection(4)) is True  # known of the gate since 3
    assert running.observe(detection(13.5)) is None
    assert running.observe(detection(14, zone="gate")) is False


def test_reset_begins_anew() -> None:
    running = condition(ABSENT)
    assert [running.observe(detection(t)) for t in range(4)] == [False, False, False, True]
    running.reset()
    assert [running.observe(detection(t)) for t in range(3, 7)] == [False, False, False, True]
    assert running.evidence() is None


def test_a_zone_that_lags_does_not_turn_time_back() -> None:
    running = condition({"absent": {"any": [FALL, {**FALL, "zone": "gate"}]}, "for": "3s"})
    running.observe(detection(5, zone="gate"))
    assert running.observe(detection(4)) is False
    assert running.observe(detection(7)) is False
    assert running.observe(detection(8)) is True


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ({"absent": FALL}, r"when: for: Field required"),
        ({"absent": FALL, "fro": "3s", "for": 1}, "unknown key; did you mean 'for'"),
        ({"absent": {"event": "fal", "on": 1}, "for": 1}, r"when\.absent\.event: .*did you mean 'fall'"),
    ],
)
def test_refuses(when: object, said: str) -> None:
    with pytest.raises(RuleError, match=said):
        condition(when)
