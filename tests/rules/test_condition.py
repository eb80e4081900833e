"""What every operator promises, whichever it is."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamwatch.rules.camera import STATUS
from streamwatch.rules.operators import OPERATORS, parse_condition
from tests.rules.play import SITE, condition, detection

EVENT: dict[str, object] = {"event": "fall", "on": 0.6}
GATE: dict[str, object] = {"event": "fight", "on": 0.5, "zone": "gate"}
EXAMPLES: dict[str, dict[str, object]] = {
    "event": EVENT,
    "all": {"all": [EVENT, GATE]},
    "any": {"any": [EVENT, {"not": GATE}]},
    "not": {"not": EVENT},
    "k_of_n": {"k_of_n": EVENT, "at_least": 2, "of": 4},
    "motion": {"motion": 0.05, "off": 0.04},
    "anomaly": {"anomaly": 0.9, "warm_up": "1h"},
    "camera": {"camera": "offline"},
    "absent": {"absent": EVENT, "for": "3s"},
    "sequence": {"sequence": [EVENT, {"event": "fight", "on": 0.5}], "within": "6s"},
    "count": {"count": EVENT, "in": "8s", "at_least": 2},
    "schedule": {"schedule": ["22:13-22:14"], "timezone": "UTC"},
    "on_cameras": {"on_cameras": [{"cameras": "*", **EVENT}, {"cameras": "ward-*", **EVENT}], "within": "6s"},
}
KNOWS_WITHOUT_LOOKING = ("schedule", "count")
SCORE = st.floats(0, 1)
SEEN = st.lists(st.tuples(st.sampled_from([None, "gate", "ramp"]), SCORE, SCORE), min_size=1, max_size=30)


def test_each_operator_has_an_example_here() -> None:
    assert EXAMPLES.keys() == OPERATORS.keys()


@pytest.mark.parametrize("operator", OPERATORS)
@settings(deadline=None)
@given(seen=SEEN)
def test_promises(operator: str, seen: list[tuple[str | None, float, float]]) -> None:
    running, again = condition(EXAMPLES[operator]), condition(EXAMPLES[operator])
    for t, (zone, fall, fight) in enumerate(seen):
        holds = running.observe(detection(t, fall, zone=zone, fight=fight))
        found = running.evidence()
        assert holds in (True, False, None)
        assert found is None or (holds and found.score <= 1)
        assert again.observe(detection(t, fall, zone=zone, fight=fight)) is holds  # no hidden state
    running.reset()
    assert running.evidence() is None
    if operator not in KNOWS_WITHOUT_LOOKING:
        assert running.observe(detection(len(seen), 1.0, zone="nowhere")) is None


@pytest.mark.parametrize("operator", OPERATORS)
def test_names_the_zones_it_needs(operator: str) -> None:
    zones = parse_condition(EXAMPLES[operator], "", SITE, ("dock",)).zones
    expected: dict[str, set[str | None]] = {
        "all": {None, "gate"},
        "any": {None, "gate"},
        "schedule": set(),
        "camera": {STATUS},
    }
    assert set(zones) == expected.get(operator, {None})
