"""Which rules may sleep, and how lightly."""

import pytest

from streamwatch.rules.idle import Calm, calm_of, may_sleep
from streamwatch.rules.operators import parse_condition
from tests.rules.play import SITE

FALL = {"event": "fall", "on": 0.8, "off": 0.6}
FIGHT = {"event": "fight", "on": 0.7, "off": 0.5}
GATE = {**FALL, "zone": "gate"}


@pytest.mark.parametrize(
    ("when", "calm"),
    [
        (FALL, Calm(False, 1, {"fall": 0.6}, {"fall": 0.8})),
        ({"k_of_n": FALL, "at_least": 2, "of": 5}, Calm(False, 6, {"fall": 0.6}, {"fall": 0.8})),
        ({"all": [FALL, {"not": FIGHT}]}, Calm(False, 1, {"fall": 0.6, "fight": 0.5}, {"fall": 0.8, "fight": 0.7})),
        ({"any": [FALL, {**FALL, "on": 0.9, "off": 0.3}]}, Calm(False, 1, {"fall": 0.3}, {"fall": 0.8})),
    ],
)
def test_may_sleep(when: object, calm: Calm) -> None:
    assert may_sleep(parse_condition(when, "", SITE, ("dock",))) == calm


@pytest.mark.parametrize(
    "when",
    [
        {"not": FALL},  # holds while all is low
        {"any": [FIGHT, {"not": FALL}]},
        {"k_of_n": {"not": FALL}, "at_least": 2, "of": 5},
        {"all": [FALL, GATE]},  # two zones
        {"motion": 0.5},
        {"camera": "offline"},
        {"absent": FALL, "for": "3s"},
        {"sequence": [FALL, FIGHT], "within": "3s"},
        {"count": FALL, "in": "3s", "at_least": 2},
        {"all": [FALL, {"absent": FALL, "for": "3s"}]},
        {"any": [FALL, {"schedule": ["22:00-06:00"], "timezone": "UTC"}]},
    ],
)
def test_must_be_evaluated(when: object) -> None:
    assert may_sleep(parse_condition(when, "", SITE, ("dock",))) is None


def test_what_changes_with_time_is_not_calm() -> None:
    assert calm_of(parse_condition({"not": {"absent": FALL, "for": "3s"}}, "", SITE, ("dock",))) is None
