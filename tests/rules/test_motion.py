"""Motion against its threshold."""

from math import nan

import pytest

from streamwatch.errors import RuleError
from tests.rules.play import condition, detection, marks


def test_has_hysteresis() -> None:
    running = condition({"motion": 0.4, "off": 0.2})
    levels = [0.3, 0.4, 0.3, 0.2, 0.1, 0.3]
    assert [running.observe(detection(t, motion=m)) for t, m in enumerate(levels)] == [
        False, True, True, True, False, False,
    ]  # fmt: skip
    assert running.evidence() is None


def test_off_is_three_quarters() -> None:
    running = condition({"motion": 0.4})
    assert [running.observe(detection(t, motion=m)) for t, m in enumerate([0.4, 0.31, 0.29])] == [True, True, False]


def test_listens_to_its_zone_and_forgets_in_silence() -> None:
    running = condition({"motion": 0.4, "zone": "gate"})
    assert running.observe(detection(0, motion=0.9)) is None
    assert running.observe(detection(0, motion=0.9, zone="gate")) is True
    assert running.observe(detection(10, motion=0.0)) is True
    assert running.observe(detection(10.5, motion=0.0)) is None


def test_thresholds_are_grey_levels() -> None:
    running = condition({"motion": 12.5, "off": 6})
    assert [running.observe(detection(t, motion=m)) for t, m in enumerate([6, 12.4, 12.5, 6, 5.9])] == [
        False, False, True, True, False,
    ]  # fmt: skip
    assert condition({"motion": 255}).observe(detection(0, motion=255)) is True


def test_reset_forgets() -> None:
    running = condition({"motion": 0.4})
    running.observe(detection(0, motion=0.9))
    running.reset()
    assert running.observe(detection(1, motion=0.35)) is False


def test_what_is_no_number_is_a_fault() -> None:
    with pytest.raises(ValueError, match="camera dock: motion is not a number"):
        condition({"motion": 0.4}).observe(detection(0, motion=nan))


def test_does_not_look_at_scores() -> None:
    assert marks({"motion": 0.5}, "##..", "....", ".#.#") == ".#.#"


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ({"motion": 0.4, "off": 0.4}, r"off \(0.4\) must be below motion \(0.4\)"),
        ({"motion": 0}, "motion: Input should be greater than 0"),
        ({"motion": 256}, "motion: Input should be less than or equal to 255"),
        ({"motion": 0.4, "zone": "gat"}, r"when\.zone: .*did you mean 'gate'"),
        ({"motion": 0.4, "of": 0.1}, "did you mean 'off'"),
    ],
)
def test_refuses(when: object, said: str) -> None:
    with pytest.raises(RuleError, match=said):
        condition(when)
