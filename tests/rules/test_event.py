"""A threshold with hysteresis."""

from math import nan

import pytest

from streamwatch.errors import RuleError
from streamwatch.rules.condition import Evidence
from streamwatch.rules.event import Event
from streamwatch.rules.operators import parse_condition
from tests.rules.play import SITE, condition, detection


@pytest.mark.parametrize(
    ("scores", "holds"),
    [
        ([0.9], [True]),
        ([0.8], [True]),  # on itself is enough
        ([0.79], [False]),
        ([0.7], [False]),  # between off and on it keeps what it was; at first that is off
        ([0.8, 0.7, 0.6, 0.59, 0.7, 0.8], [True, True, True, False, False, True]),
        ([0.1, 0.7], [False, False]),
    ],
)
def test_hysteresis(scores: list[float], holds: list[bool]) -> None:
    running = condition({"event": "fall", "on": 0.8, "off": 0.6})
    assert [running.observe(detection(t, score)) for t, score in enumerate(scores)] == holds


def test_off_is_three_quarters_of_on_if_left_out() -> None:
    assert parse_condition({"event": "fall", "on": 0.8}, "", SITE, ("*",)) == Event("fall", 0.8, 0.75 * 0.8, None)


def test_names_what_decided_only_while_it_holds() -> None:
    running = condition({"event": "fall", "on": 0.8, "zone": "gate"})
    assert running.evidence() is None
    running.observe(detection(0, 0.9, zone="gate"))
    assert running.evidence() == Evidence("fall", "gate", 0.9, 0.8)
    running.observe(detection(1, 0.1, zone="gate"))
    assert running.evidence() is None


def test_listens_to_its_zone_alone() -> None:
    whole, gate = condition({"event": "fall", "on": 0.8}), condition({"event": "fall", "on": 0.8, "zone": "gate"})
    assert whole.observe(detection(0, 0.9, zone="gate")) is None
    assert gate.observe(detection(0, 0.9)) is None
    assert gate.observe(detection(0, 0.9, zone="ramp")) is None
    assert gate.observe(detection(0, 0.9, zone="gate")) is True
    assert gate.observe(detection(1, 0.0)) is True  # keeps until its zone says otherwise


def test_is_unknown_again_when_its_zone_falls_silent() -> None:
    gate = condition({"event": "fall", "on": 0.8, "zone": "gate"})
    gate.observe(detection(0, 0.9, zone="gate"))
    assert gate.observe(detection(10, 0.0)) is True
    assert gate.observe(detection(10.1, 0.0)) is None


def test_refuses_to_judge_what_is_not_a_number() -> None:
    with pytest.raises(ValueError, match="score of fall is not a number"):
        condition({"event": "fall", "on": 0.8}).observe(detection(0, nan))


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ({"event": "fal", "on": 0.8}, r"when\.event: the model scores no event 'fal'; did you mean 'fall'"),
        ({"event": "fall"}, "on: Field required"),
        ({"event": "fall", "on": 0}, "on: Input should be greater than 0"),
        ({"event": "fall", "on": 1.2}, "on: Input should be less than or equal to 1"),
        ({"event": "fall", "on": 0.8, "off": 0.8}, r"off \(0.8\) must be below on \(0.8\)"),
        ({"event": "fall", "on": 0.8, "zon": "gate"}, "zon: unknown key; did you mean 'zone'"),
        (
            {"event": "fall", "on": 0.8, "zone": "gat"},
            r"when\.zone: camera dock has no zone 'gat'; did you mean 'gate'",
        ),
        ({"event": ["fall"], "on": 0.8}, "event: Input should be a valid string"),
        ({"event": "fall", "on": nan}, "on: "),
    ],
)
def test_refuses(when: object, said: str) -> None:
    with pytest.raises(RuleError, match=said):
        condition(when)
