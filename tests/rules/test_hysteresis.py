from math import nan

import pytest

from streamwatch.rules.condition import Evidence, Standing
from streamwatch.rules.hysteresis import Hysteresis, Threshold, fault_of_off, off_of
from tests.rules.play import T0, detection

FALL = Threshold("fall", None, 0.8, 0.6)


def answers(running: Hysteresis, *scores: float, zone: str | None = None) -> list[bool | None]:
    return [running.observe(detection(t, score, zone=zone, motion=score)) for t, score in enumerate(scores)]


@pytest.mark.parametrize("threshold", [FALL, Threshold(None, None, 0.8, 0.6)])
def test_is_on_from_on_until_below_off(threshold: Threshold) -> None:
    levels = (0.7, 0.8, 0.7, 0.6, 0.59, 0.7)
    assert answers(Hysteresis(threshold), *levels) == [False, True, True, True, False, False]


def test_knows_nothing_before_its_zone_was_heard_nor_after_its_silence() -> None:
    running = Hysteresis(FALL)
    assert answers(running, 0.9, zone="gate") == [None]
    assert answers(running, 0.9) == [True]
    assert running.observe(detection(10, zone="gate"))
    assert running.observe(detection(10.5, zone="gate")) is None
    assert running.observe(detection(11, 0.7)) is False


def test_only_an_event_is_evidence() -> None:
    score, motion = Hysteresis(FALL), Hysteresis(Threshold(None, None, 0.8, 0.6))
    answers(score, 0.9)
    answers(motion, 0.9)
    assert score.evidence() == Evidence("fall", None, 0.9, 0.8)
    assert motion.evidence() is None
    answers(score, 0.1)
    assert score.evidence() is None


def test_says_since_when_it_is_as_it_is() -> None:
    running = Hysteresis(FALL)
    assert running.standing() == Standing(None)
    answers(running, 0.1, 0.9, 0.7)
    assert running.standing() == Standing(True, T0 + 1, 0.7, 0.8)
    answers(running, 0.1)
    assert running.standing() == Standing(False, T0, 0.1, 0.8)


def test_forgets_at_a_reset() -> None:
    running = Hysteresis(FALL)
    answers(running, 0.9)
    running.reset()
    assert running.standing() == Standing(None)
    assert answers(running, 0.7) == [False]


def test_what_is_no_number_is_a_fault() -> None:
    with pytest.raises(ValueError, match="camera dock: score of fall is not a number"):
        answers(Hysteresis(FALL), nan)


def test_off_lies_below_on() -> None:
    assert fault_of_off("motion", 2.0, 2.0) == "off (2) must be below motion (2)"
    assert fault_of_off("on", 0.8, 0.79) is None
    assert fault_of_off("on", 0.8, None) is None
    assert off_of(0.8, None) == pytest.approx(0.6)
    assert off_of(0.8, 0.1) == 0.1
