"""Each condition as it was when the alert was decided."""

import json

import pytest

from streamwatch.rules.alert import Alert, AlertType, to_json
from streamwatch.rules.condition import Reasoned
from streamwatch.rules.operators import parse_condition
from streamwatch.rules.part import Part
from streamwatch.rules.why import MAX_PARTS, MAX_TEXT, Reasons
from tests.rules.play import FALL, SITE, T0, book, condition, detection
from tests.rules.test_condition import EXAMPLES

FIGHT = {"event": "fight", "on": 0.5, "off": 0.4}


def new(when: object, *rows: tuple[float, float, float]) -> Part:
    """Why the first alert of ``when`` came; ``rows`` are time, fall, fight."""
    running = book({"when": when})
    for at, fall, fight in rows:
        for alert in running.observe(detection(at, fall, fight=fight)):
            assert alert.why is not None
            return alert.why
    raise AssertionError("no alert")


def test_an_event() -> None:
    expected = Part("when", "event fall, on 0.8, off 0.6", True, T0 + 1, 0.9, 0.8)
    assert new(FALL, (0, 0.1, 0), (1, 0.9, 0)) == expected


def test_all_since_the_last_part_any_since_the_first() -> None:
    rows = [(0.0, 0.9, 0.1), (1.0, 0.9, 0.9)]
    found = new({"all": [FALL, FIGHT]}, *rows)
    assert (found.holds, found.since) == (True, T0 + 1)
    assert [(part.path, part.holds, part.since, part.score) for part in found.parts] == [
        ("when.all[0]", True, T0, 0.9), ("when.all[1]", True, T0 + 1, 0.9),
    ]  # fmt: skip
    found = new({"all": [{"any": [FALL, FIGHT]}, FIGHT]}, *rows)
    assert [part.since for part in found.parts] == [T0, T0 + 1]


def test_not_and_absent() -> None:
    rows = [(float(t), 0.9 if t == 5 else 0.1, 0.1) for t in range(6)]
    found = new({"all": [FALL, {"not": FIGHT}, {"absent": FIGHT, "for": "4s"}]}, *rows)
    assert [(part.holds, part.since) for part in found.parts] == [(True, T0 + 5), (True, T0), (True, T0)]
    assert found.parts[2].parts[0].path == "when.all[2].absent"
    assert found.parts[2].parts[0].holds is False


def test_a_sequence_names_the_time_of_each_step() -> None:
    found = new({"sequence": [FIGHT, FALL], "within": "1m"}, (0, 0.1, 0.9), (1, 0.1, 0.1), (7, 0.9, 0.1))
    assert (found.since, found.times) == (T0, (T0, T0 + 7))


def test_count_and_k_of_n_say_how_many() -> None:
    rows = [(float(t), 0.9 if t % 2 else 0.1, 0.0) for t in range(9)]
    found = new({"count": FALL, "in": "1h", "at_least": 3}, *rows)
    assert (found.score, found.threshold, found.times) == (3, 3, (T0 + 1, T0 + 3, T0 + 5))
    found = new({"k_of_n": FALL, "at_least": 2, "of": 3}, *rows)
    assert (found.score, found.threshold) == (2, 2)


def test_a_camera_and_a_schedule() -> None:
    running = book({"when": {"all": [{"camera": "offline"}, {"schedule": ["00:00-24:00"], "timezone": "UTC"}]}})
    (alert,) = running.camera("dock", "offline", T0)
    assert alert.why is not None
    assert [part.holds for part in alert.why.parts] == [True, True]


@pytest.mark.parametrize("when", EXAMPLES.values(), ids=EXAMPLES)
def test_every_operator_can_say_why(when: dict[str, object]) -> None:
    running = condition(when)
    assert isinstance(running, Reasoned)
    for t in range(30):
        holds = running.observe(detection(t, 0.9 if t % 3 else 0.1, fight=0.9 if t % 5 else 0.1, motion=9))
        assert running.standing().holds is holds


def test_is_bounded() -> None:
    deep: object = {"any": [FALL] * 8}
    found = new({"all": [deep] * 12}, (0, 0.9, 0))

    def size(part: Part) -> int:
        return 1 + sum(size(inner) for inner in part.parts)

    assert size(found) == MAX_PARTS
    assert len(json.dumps(found.to_payload())) < 2 * MAX_PARTS * MAX_TEXT


def test_long_texts_are_cut() -> None:
    names = [f"2026-{month:02d}-{day:02d}" for month in range(1, 13) for day in range(1, 29)]
    when = {"all": [FALL, {"schedule": ["00:00-24:00"], "timezone": "UTC", "except": names}]}
    assert all(len(part.text) <= MAX_TEXT for part in new(when, (0, 0.9, 0)).parts)


def test_is_told_with_new_and_update_and_not_with_the_end() -> None:
    running = book({})
    alerts: list[Alert] = []
    for t in range(33):
        alerts += running.observe(detection(t, 0.9 if t < 32 else 0.1))
    assert [(alert.type, alert.why is None) for alert in alerts] == [
        (AlertType.NEW, False), (AlertType.UPDATE, False), (AlertType.END, True),
    ]  # fmt: skip
    assert json.loads(to_json(alerts[0], "site", 1))["why"]["path"] == "when"


def test_what_cannot_say_why_is_named_all_the_same() -> None:
    class Silent:
        def observe(self, detection: object) -> bool:
            return True

        def evidence(self) -> None:
            return None

        def reset(self) -> None: ...

    term = parse_condition(FALL, "x: when", SITE, ("dock",))
    assert Reasons(term, Silent()).now() == Part("when", "event fall, on 0.8, off 0.6", None)
