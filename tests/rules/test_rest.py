"""How long each condition stays as it is, and what may not happen meanwhile."""

from math import inf

import pytest

from streamwatch.models.detection import Detection
from streamwatch.rules.condition import Evidence
from streamwatch.rules.rest import ALWAYS, NEVER, Band, Resting, narrowest, rest_of
from tests.rules.play import FALL, T0, condition, detection

FIGHT: dict[str, object] = {"event": "fight", "on": 0.7, "off": 0.5}
MOVES: dict[str, object] = {"motion": 0.5, "off": 0.3}
NIGHT: dict[str, object] = {"schedule": ["22:00-06:00"], "timezone": "UTC"}
ABSENT = {"absent": FALL, "for": "3s"}
TWICE = {"k_of_n": FALL, "at_least": 2, "of": 3}
COUNT = {"count": FALL, "in": "8s", "at_least": 2}
STEPS = {"sequence": [FALL, ABSENT], "within": "1m"}
MINUTE_END = 40.0  # seconds after T0, which is 22:13:20
Times = tuple[float, float]


def fed(when: object, falls: list[float]) -> Times:
    """Its rest, in seconds after T0, once it was fed with scores of fall, one a second from T0 on."""
    running = condition(when)
    for t, fall in enumerate(falls):
        running.observe(detection(t, fall))
    same, deaf = rest_of(running)
    return round(same - T0, 1), round(deaf - T0, 1)


@pytest.mark.parametrize(
    ("when", "falls", "expected"),
    [
        (FALL, [], (-inf, -inf)),
        (FALL, [0.1], (inf, inf)),
        (FALL, [0.9], (inf, inf)),
        (MOVES, [0.1], (inf, inf)),
        ({"not": FALL}, [0.1], (inf, inf)),
        (NIGHT, [0.1], (MINUTE_END, inf)),
        ({"all": [FALL, NIGHT]}, [0.1], (inf, inf)),  # it does not fall, whatever the time
        ({"all": [FALL, NIGHT]}, [0.9], (MINUTE_END, inf)),
        ({"any": [FALL, NIGHT]}, [0.1], (MINUTE_END, inf)),
        ({"any": [{"not": FALL}, {"not": NIGHT}]}, [0.1], (inf, inf)),
        (ABSENT, [0.1], (3.0, inf)),
        (ABSENT, [0.9, 0.1, 0.1], (4.0, inf)),
        (ABSENT, [0.1] * 4, (inf, inf)),
        (ABSENT, [0.9], (inf, inf)),
        ({"absent": {"all": [FALL, NIGHT]}, "for": "9s"}, [0.9], (MINUTE_END, MINUTE_END)),
        ({"all": [FALL, ABSENT]}, [0.1], (inf, inf)),
        ({"all": [FALL, {"absent": {"all": [NIGHT, FIGHT]}, "for": "3s"}]}, [0.1], (inf, inf)),
        ({"all": [FALL, {"absent": NIGHT, "for": "3s"}]}, [0.1], (inf, MINUTE_END)),  # it must hear when it is day
        (TWICE, [0.1] * 2, (-inf, -inf)),
        (TWICE, [0.1] * 3, (inf, inf)),
        (TWICE, [0.9, 0.1, 0.1], (-inf, -inf)),
        (TWICE, [0.9] * 3, (-inf, -inf)),  # the strongest of three is another each time
        ({"k_of_n": {"not": FALL}, "at_least": 2, "of": 3}, [0.1] * 3, (inf, inf)),
        (COUNT, [0.1], (inf, inf)),
        (COUNT, [0.9], (inf, inf)),
        (COUNT, [0.9, 0.1], (inf, inf)),
        (COUNT, [0.9, 0.1, 0.9, 0.1], (8.0, inf)),
        (COUNT, [0.9, 0.1, 0.9] + [0.1] * 8, (inf, inf)),
        (STEPS, [0.1], (3.0, 3.0)),
        (STEPS, [0.1] * 4, (inf, inf)),
        (STEPS, [0.9], (-inf, -inf)),  # the fall that began last is another each time
        ({"sequence": [{"not": FALL}, FALL], "within": "9s"}, [0.1], (inf, inf)),
        ({"sequence": [{"not": FALL}, {"not": FIGHT}], "within": "9s"}, [0.1], (-inf, -inf)),
        ({"sequence": [FIGHT, {"not": FALL}, FALL], "within": "9s"}, [0.1], (inf, inf)),
        (STEPS, [0.9, 0.1], (4.0, 4.0)),
        (STEPS, [0.9] + [0.1] * 5, (-inf, -inf)),
        ({"anomaly": 0.9}, [0.1] * 3, (86_399.0, 86_399.0)),  # cold for a day
        ({"anomaly": 0.9, "least": 0.1}, [0.1] * 3, (-inf, -inf)),  # as much moves: it takes the rank
        ({"all": [FALL, {"anomaly": 0.9}]}, [0.1] * 3, (inf, 86_399.0)),
    ],
)
def test_rests(when: object, falls: list[float], expected: Times) -> None:
    same, deaf = fed(when, falls)
    assert same == pytest.approx(expected[0], abs=0.1)  # an early end of rest costs little, a late one an alert
    assert same <= expected[0]
    assert deaf == expected[1]


@pytest.mark.parametrize("when", [FALL, MOVES, NIGHT, ABSENT, TWICE, COUNT, STEPS, {"all": [FALL, NIGHT]}])
def test_knows_nothing_after_a_reset(when: object) -> None:
    running = condition(when)
    for t in range(5):
        running.observe(detection(t, 0.1))
    assert rest_of(running) != NEVER
    running.reset()
    assert min(rest_of(running)) == -inf


def test_looks_at_the_levels_inside() -> None:
    running = condition({"any": [ABSENT, {"all": [FIGHT, {"not": MOVES}]}]})
    running.observe(detection(0, 0.9, motion=0.4))
    assert list(Resting(running).sleep(inf).bands) == [
        Band("fall", 0.6, inf),
        Band("fight", -inf, 0.7),
        Band(None, -inf, 0.5),
    ]


@pytest.mark.parametrize(
    "when",
    [
        {"count": {"not": FALL}, "in": "10m", "at_least": 2},
        {"sequence": [{"not": FALL}, FALL], "within": "5s"},
        {"sequence": [{"absent": FALL, "for": "2s"}, {"k_of_n": FALL, "at_least": 2, "of": 2}], "within": "5s"},
        {"count": {"sequence": [{"not": FALL}, FALL], "within": "2s"}, "in": "1m", "at_least": 2},
    ],
)
def test_what_was_not_heard_is_made_up_for(when: object) -> None:
    """A rest of half a minute, then a fall, once more: the answers are as if all had been heard."""
    rested, awake = condition(when), condition(when)
    answers: list[bool | None] = []
    others: list[bool | None] = []
    for t in range(80):
        row = detection(t, 0.9 if t % 40 > 36 else 0.1)
        others.append(awake.observe(row))
        if t % 40 in range(3, 35):
            assert min(rest_of(rested)) > T0 + t
            continue
        if t % 40 == 35:
            Resting(rested).catch_up(T0 + t - 1)
        assert rested.observe(row) is others[-1]
        assert rested.evidence() == awake.evidence()
        answers.append(others[-1])
    assert True in answers
    assert False in answers


def test_the_narrowest_of_several_bands() -> None:
    several = [Band("a", 0.2, inf), Band(None, -inf, 2.0), Band("a", -inf, 0.8), Band("a", 0.3, 0.9)]
    assert narrowest(several) == (Band("a", 0.3, 0.8), Band(None, -inf, 2.0))
    assert narrowest([]) == ()


class Foreign:
    """A condition that knows nothing of rest."""

    def observe(self, detection: Detection) -> bool | None:
        return False

    def evidence(self) -> Evidence | None:
        return None

    def reset(self) -> None:
        pass


def test_what_cannot_say_never_rests() -> None:
    assert rest_of(Foreign()) == NEVER
    assert Resting(Foreign()).until() == -inf
    assert NEVER < ALWAYS
