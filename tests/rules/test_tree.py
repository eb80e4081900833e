"""Terms as trees, whatever their operators."""

import pytest

from streamwatch.rules.condition import Term
from streamwatch.rules.operators import parse_condition
from streamwatch.rules.tree import children, describe, events, operator, reach, with_threshold
from tests.rules.play import SITE


def term(when: object) -> Term:
    return parse_condition(when, "test.yml: when", SITE, ("dock",))


FALL = {"event": "fall", "on": 0.8, "off": 0.6}
FIGHT = {"event": "fight", "on": 0.5}


@pytest.mark.parametrize(
    ("when", "text", "inside"),
    [
        (FALL, "event fall, on 0.8, off 0.6", []),
        ({"event": "fall", "on": 0.5, "zone": "gate"}, "event fall, on 0.5, off 0.375, zone gate", []),
        ({"all": [FALL, FIGHT]}, "all", ["all[0]", "all[1]"]),
        ({"camera": ["offline", "failed"]}, "camera failed or offline", []),
        ({"motion": 0.2}, "motion on 0.2, off 0.15", []),
        ({"not": FALL}, "not", ["not"]),
        ({"k_of_n": FALL, "at_least": 2, "of": 3}, "k_of_n at_least 2, of 3", ["k_of_n"]),
        ({"absent": FALL, "for": "20s"}, "absent for 20", ["absent"]),
        ({"sequence": [FALL, FIGHT], "within": "60s"}, "sequence within 60", ["sequence[0]", "sequence[1]"]),
        ({"count": FALL, "in": "1h", "at_least": 3}, "count in 3600, at_least 3", ["count"]),
    ],
)
def test_a_term_is_named_and_opened(when: object, text: str, inside: list[str]) -> None:
    assert describe(term(when)) == text
    assert [place for place, _ in children(term(when))] == inside
    assert operator(term(when)) == text.split(maxsplit=1)[0]


def test_every_event_is_found_and_changed_wherever_it_stands() -> None:
    whole = term({"all": [{"not": FALL}, {"sequence": [FIGHT, {"k_of_n": FALL, "at_least": 1, "of": 2}], "within": 9}]})
    assert [(event.name, event.on) for event in events(whole)] == [("fall", 0.8), ("fight", 0.5), ("fall", 0.8)]
    other = with_threshold(whole, 0.4)
    assert [(event.on, round(event.off, 9)) for event in events(other)] == [(0.4, 0.3), (0.4, 0.3), (0.4, 0.3)]
    assert with_threshold(other, 0.4) == other
    assert other.zones == whole.zones


def test_a_term_without_events_stays_as_it_is() -> None:
    motion = term({"motion": 0.2})
    assert with_threshold(motion, 0.9) is motion
    assert events(motion) == []


@pytest.mark.parametrize(
    ("when", "seconds"),
    [
        (FALL, 0),
        ({"absent": FALL, "for": "20s"}, 20),
        ({"k_of_n": FALL, "at_least": 2, "of": 3}, 30),
        (
            {"count": {"sequence": [FALL, {"absent": FIGHT, "for": "5s"}], "within": "1m"}, "in": "2d", "at_least": 3},
            172_865,
        ),
        ({"all": [{"absent": FALL, "for": "20s"}, {"count": FIGHT, "in": "1h", "at_least": 2}]}, 3600),
        ({"anomaly": 0.99, "warm_up": "3h"}, 3 * 3600),
    ],
)
def test_how_far_back_it_matters(when: object, seconds: float) -> None:
    assert reach(term(when)) == seconds
