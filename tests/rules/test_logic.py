"""all, any and not over true, false and unknown."""

from dataclasses import dataclass

import pytest

from streamwatch.errors import RuleError
from streamwatch.models.detection import Detection
from streamwatch.rules.condition import Evidence
from streamwatch.rules.logic import AllCondition, AnyCondition, NotCondition
from tests.rules.play import condition, detection

Value = bool | None


@dataclass
class Fixed:
    """A condition with a given answer."""

    value: Value
    score: float = 0.5

    def observe(self, detection: Detection) -> Value:
        return self.value

    def evidence(self) -> Evidence | None:
        return Evidence("fall", None, self.score, 0.5) if self.value else None

    def reset(self) -> None:
        self.value = None


@pytest.mark.parametrize(
    ("a", "b", "both", "either"),
    [
        (True, True, True, True),
        (True, False, False, True),
        (False, False, False, False),
        (None, True, None, True),
        (None, False, False, None),
        (None, None, None, None),
    ],
)
def test_truth_table(a: Value, b: Value, both: Value, either: Value) -> None:
    for one, other in ((a, b), (b, a)):
        assert AllCondition((Fixed(one), Fixed(other))).observe(detection(0)) is both
        assert AnyCondition((Fixed(one), Fixed(other))).observe(detection(0)) is either


@pytest.mark.parametrize(("value", "negated"), [(True, False), (False, True), (None, None)])
def test_not(value: Value, negated: Value) -> None:
    running = NotCondition(Fixed(value))
    assert running.observe(detection(0)) is negated
    assert running.evidence() is None


def test_all_is_as_strong_as_its_weakest_part_and_any_as_its_strongest() -> None:
    parts = (Fixed(True, 0.7), Fixed(True, 0.6), Fixed(True, 0.9))
    weakest, strongest = AllCondition(parts), AnyCondition(parts)
    assert weakest.observe(detection(0))
    assert strongest.observe(detection(0))
    assert (weakest.evidence(), strongest.evidence()) == (
        Evidence("fall", None, 0.6, 0.5),
        Evidence("fall", None, 0.9, 0.5),
    )


def test_all_has_no_evidence_while_a_part_fails() -> None:
    running = AllCondition((Fixed(True), Fixed(False)))
    running.observe(detection(0))
    assert running.evidence() is None


def test_the_event_beside_a_not_is_the_evidence() -> None:
    running = condition({"all": [{"event": "fall", "on": 0.8}, {"not": {"event": "fight", "on": 0.5}}]})
    assert running.observe(detection(0, 0.9, fight=0.6)) is False
    assert running.observe(detection(1, 0.9, fight=0.1)) is True
    assert running.evidence() == Evidence("fall", None, 0.9, 0.8)


def test_each_part_sees_each_detection() -> None:
    running = condition({"all": [{"event": "fight", "on": 0.5}, {"event": "fall", "on": 0.8, "off": 0.3}]})
    assert running.observe(detection(0, fall=0.9, fight=0.1)) is False
    assert running.observe(detection(1, fall=0.4, fight=0.9)) is True  # fall stays on only if it saw the 0.9


def test_not_of_what_was_never_scored_is_not_true() -> None:
    running = condition({"not": {"event": "fall", "on": 0.5, "zone": "gate"}})
    assert running.observe(detection(0)) is None
    assert running.observe(detection(0, zone="gate")) is True


@pytest.mark.parametrize(
    "when", [{"all": []}, {"any": {}}, {"all": "fall"}, {"any": [{"event": "fall", "on": 0.5}] * 65}]
)
def test_refuses_what_is_no_list(when: object) -> None:
    with pytest.raises(RuleError, match="must be a list of 1 to 64 conditions"):
        condition(when)


@pytest.mark.parametrize("key", ["all", "any"])
def test_refuses_a_second_key(key: str) -> None:
    with pytest.raises(RuleError, match=f"unknown key 'within' beside '{key}'"):
        condition({key: [{"event": "fall", "on": 0.5}], "within": "3s"})


def test_refuses_a_list_under_not() -> None:
    with pytest.raises(RuleError, match=r"when\.not: must be a mapping"):
        condition({"not": [{"event": "fall", "on": 0.5}]})
