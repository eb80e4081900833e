"""Some of the last detections."""

import pytest

from streamwatch.errors import RuleError
from streamwatch.rules.condition import Evidence
from tests.rules.play import condition, detection

PART = {"event": "fall", "on": 0.8, "off": 0.79}


@pytest.mark.parametrize(
    ("scores", "holds"),
    [
        ([0.9, 0.9], [False, True]),  # two of three need no third
        ([0.9, 0.1, 0.9], [False, False, True]),
        ([0.9, 0.1, 0.1, 0.9], [False, False, False, False]),
        ([0.9, 0.9, 0.1, 0.1], [False, True, True, False]),
        ([0.1], [False]),
    ],
)
def test_two_of_three(scores: list[float], holds: list[bool]) -> None:
    running = condition({"k_of_n": PART, "at_least": 2, "of": 3})
    assert [running.observe(detection(t, score)) for t, score in enumerate(scores)] == holds


def test_the_evidence_is_the_strongest_counted() -> None:
    running = condition({"k_of_n": PART, "at_least": 2, "of": 3})
    for t, score in enumerate([0.95, 0.85, 0.1]):
        running.observe(detection(t, score))
    assert running.evidence() == Evidence("fall", None, 0.95, 0.8)
    running.observe(detection(3, 0.9))  # the 0.95 is no longer among the last three
    assert running.evidence() == Evidence("fall", None, 0.9, 0.8)
    running.observe(detection(4, 0.1))
    running.observe(detection(5, 0.1))
    assert running.evidence() is None


def test_reset_reaches_its_part() -> None:
    running = condition({"k_of_n": {**PART, "off": 0.2}, "at_least": 1, "of": 2})
    assert running.observe(detection(0, 0.9)) is True
    running.reset()
    assert running.observe(detection(1, 0.5)) is False  # 0.5 holds only if the 0.9 is remembered


def test_counts_the_detections_of_its_zone() -> None:
    running = condition({"k_of_n": {**PART, "zone": "gate"}, "at_least": 2, "of": 2})
    assert running.observe(detection(0, 0.9)) is None
    assert running.observe(detection(0, 0.9, zone="gate")) is False
    assert running.observe(detection(1, 0.0)) is False
    assert running.observe(detection(1, 0.9, zone="gate")) is True
    assert running.observe(detection(2, 0.0)) is True
    assert running.observe(detection(12, 0.0)) is None  # the zone has been silent for 11 s


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ({"k_of_n": PART, "of": 3}, "at_least: Field required"),
        ({"k_of_n": PART, "at_least": 4, "of": 3}, r"at_least \(4\) must not be above of \(3\)"),
        ({"k_of_n": PART, "at_least": 0, "of": 3}, "at_least: Input should be greater than or equal to 1"),
        ({"k_of_n": PART, "at_last": 2, "of": 3}, "at_last: unknown key; did you mean 'at_least'"),
        ({"k_of_n": PART, "at_least": 2, "of": 100_000}, "of: Input should be less than"),
        ({"k_of_n": {"event": "fal", "on": 1}, "at_least": 2, "of": 3}, r"when\.k_of_n\.event: .* did you mean 'fall'"),
        (
            {"k_of_n": {"all": [PART, {**PART, "zone": "gate"}]}, "at_least": 2, "of": 3},
            "counts the detections of one zone",
        ),
    ],
)
def test_refuses(when: object, said: str) -> None:
    with pytest.raises(RuleError, match=said):
        condition(when)
