"""More moves than is usual here at this time of day."""

import random

import pytest

from streamwatch.errors import RuleError
from streamwatch.models.detection import Detection
from streamwatch.rules.anomaly import Anomaly, AnomalyCondition
from streamwatch.rules.condition import Condition
from tests.rules.play import MODEL, condition, detection, rules

HOUR, DAY = 3600.0, 86_400.0
MIDNIGHT = 20_000 * DAY


def seen(at: float, motion: float, zone: str | None = None) -> Detection:
    return Detection("dock", MIDNIGHT + at - 16, MIDNIGHT + at, zone, {}, motion, 1.0, MODEL)


def lived(running: Condition, days: float, busy: tuple[int, int] = (8, 18), start: float = 0.0) -> set[bool | None]:
    """What it says to ``days`` of a place where people walk in the hours ``busy``, a score each 5 s."""
    chance = random.Random(3)
    answers = set()
    for i in range(int(days * DAY / 5)):
        at = start + i * 5.0
        walking = busy[0] <= at % DAY / HOUR < busy[1]
        answers.add(running.observe(seen(at, chance.uniform(1, 9) if walking else chance.uniform(0, 0.3))))
    return answers


def test_unknown_until_it_has_seen_enough() -> None:
    running = AnomalyCondition(Anomaly(0.999, 0.99, 0.5, DAY, None))
    assert lived(running, 0.99) == {None}
    assert running.observe(seen(0.99 * DAY, 50)) is None


def test_what_is_usual_by_day_is_not_by_night() -> None:
    running = AnomalyCondition(Anomaly(0.999, 0.99, 0.5, DAY, None))
    lived(running, 3)
    by_night = [running.observe(seen(3 * DAY + 2 * HOUR + i, 6.0)) for i in range(30)]
    assert by_night[0] is True
    assert running.evidence() is None
    running = AnomalyCondition(Anomaly(0.999, 0.99, 0.5, DAY, None))
    lived(running, 3)
    assert not any(running.observe(seen(3 * DAY + 12 * HOUR + i, 6.0)) for i in range(30))
    assert any(running.observe(seen(3 * DAY + 12 * HOUR + 30 + i, 60.0)) for i in range(30))


def test_days_like_any_other_are_quiet() -> None:
    running = AnomalyCondition(Anomaly(0.9999, 0.999, 0.5, DAY, None))
    lived(running, 2)
    assert True not in lived(running, 3, start=2 * DAY)


def test_noise_is_no_activity() -> None:
    running = AnomalyCondition(Anomaly(0.999, 0.99, 0.5, DAY, None))
    lived(running, 2, busy=(0, 0))
    assert not any(running.observe(seen(2 * DAY + i, 0.45)) for i in range(60))


def test_what_lasts_becomes_usual() -> None:
    running = AnomalyCondition(Anomaly(0.999, 0.99, 0.5, DAY, None))
    lived(running, 2)
    said = [running.observe(seen(2 * DAY + i, 6.0)) for i in range(3600)]
    assert said[60] is True
    assert said[-1] is False


def test_what_was_learnt_survives_a_gap_but_nothing_holds_across_it() -> None:
    running = AnomalyCondition(Anomaly(0.999, 0.99, 0.5, DAY, None))
    lived(running, 2)
    assert running.observe(seen(2 * DAY, 60.0)) in (True, False)
    running.reset()
    assert running.observe(seen(2 * DAY + 1, 0.0, "gate")) is None
    assert running.observe(seen(2 * DAY + 100, 60.0)) is True


def test_a_zone_is_ranked_by_itself() -> None:
    running = condition({"anomaly": 0.99, "warm_up": "1h", "zone": "gate"})
    for i in range(4000):
        running.observe(seen(i, 40.0))
        running.observe(seen(i, 1.0, "gate"))
    assert running.observe(seen(4000, 40.0)) is False
    assert any(running.observe(seen(4001 + i, 40.0, "gate")) for i in range(30))


def test_faulty_numbers_are_refused() -> None:
    running = condition({"anomaly": 0.99})
    with pytest.raises(ValueError, match="camera dock: motion is not a number"):
        running.observe(detection(0, motion=float("nan")))
    assert running.observe(detection(float("inf"))) is None


def test_reads_its_keys() -> None:
    term = rules({"when": {"anomaly": 0.999}})[0].when
    assert isinstance(term, Anomaly)
    assert (term.on, round(term.off, 6), term.least, term.warm_up, term.zone) == (0.999, 0.99, 0.5, DAY, None)


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ({"anomaly": 1}, "less than 1"),
        ({"anomaly": 0.3}, "greater than or equal to 0.5"),
        ({"anomaly": 0.9, "off": 0.95}, r"off \(0.95\) must be below anomaly \(0.9\)"),
        ({"anomaly": 0.9, "warm_up": "10m"}, "warm_up: Input should be greater than or equal to 3600"),
        ({"anomaly": 0.9, "zone": "gat"}, "zone: .*did you mean 'gate'"),
    ],
)
def test_refuses(when: object, said: str) -> None:
    with pytest.raises(RuleError, match=said):
        condition(when)
