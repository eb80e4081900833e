"""Why a rule fired, or did not."""

from collections.abc import Mapping

import pytest

from streamwatch.models.detection import CameraState, Gap
from streamwatch.rules.explain import Explanation, Row, explain, horizon, missing
from streamwatch.rules.part import Part
from tests.rules.play import FALL, T0, detection, rules


def story(at: float, *rows: Row, others: tuple[Mapping[str, object], ...] = (), **entry: object) -> Explanation:
    rule, *beside = rules({"alert": "r"} | {"for" if key == "hold" else key: entry[key] for key in entry}, *others)
    return explain(rows, rule, beside, "dock", T0 + at)


def falls(*scores: float) -> list[Row]:
    return [detection(float(at), score) for at, score in enumerate(scores)]


def seen(part: Part) -> tuple[bool | None, float | None, float | None]:
    return part.holds, part.since and part.since - T0, part.score


def test_firing() -> None:
    found = story(5.0, *falls(0.1, 0.9, 0.7, 0.65, 0.9, 0.85), hold="2s")
    assert found.state() == "firing"
    assert found.lacks() == []
    assert seen(found.when) == (True, 1, 0.85)
    assert (found.when.threshold, found.when.text) == (0.8, "event fall, on 0.8, off 0.6")
    assert found.incident is not None
    assert (found.incident.opened or 0) - T0 == 3


def test_rows_after_the_moment_and_of_other_cameras_do_not_count() -> None:
    rows = [*falls(0.1, 0.9), detection(1.0, 0.1, "ward-1"), detection(2.0, 0.1)]
    assert story(1.0, *rows).state() == "firing"
    assert seen(story(2.0, *rows).when) == (False, 2, 0.1)


def test_pending_lacks_time() -> None:
    found = story(3.0, *falls(0.1, 0.1, 0.9, 0.9), hold="5s")
    assert (found.state(), found.lacks()) == ("pending", ["for: has held for 1 of 5 s"])


def test_too_low_says_by_how_much() -> None:
    found = story(2.0, *falls(0.1, 0.7, 0.79))
    assert (found.state(), seen(found.when)) == ("inactive", (False, 0, 0.79))
    assert found.lacks() == ["when: event fall, on 0.8, off 0.6"]


def test_cooldown_is_a_state_of_its_own() -> None:
    found = story(4.0, *falls(0.9, 0.9, 0.1, 0.9, 0.9), cooldown="30s")
    assert (found.state(), found.ended) == ("cooldown", "ended")
    assert found.lacks() == ["cooldown: 28 s are left"]


def test_the_missing_one_of_several_is_named() -> None:
    fight = {"event": "fight", "on": 0.5}
    found = story(1.0, *falls(0.9, 0.9), when={"all": [FALL, fight, {"any": [fight, {"not": FALL}]}]})
    assert [part.path for part in missing(found.when)] == [
        "when.all[1]",
        "when.all[2].any[0]",
        "when.all[2].any[1].not",
    ]
    assert [seen(part)[0] for part in found.when.parts] == [True, False, False]


def test_unknown_is_neither() -> None:
    found = story(5.0, detection(5.0, 0.9), when={"all": [FALL, {**FALL, "zone": "gate"}]})
    whole, zone = found.when.parts
    assert (whole.holds, zone.holds, zone.score) == (True, None, None)
    assert [part.path for part in missing(found.when)] == ["when.all[1]"]


@pytest.mark.parametrize("end", [[Gap("dock", T0 + 2)], []])
def test_a_gap_and_silence_make_it_unknown(end: list[Row]) -> None:
    found = story(20.0, *falls(0.9, 0.9), *end)
    assert found.when.holds is None
    assert found.when.since == T0 + (2 if end else 11)
    assert (found.state(), found.seen) == ("inactive", T0 + 1)
    assert found.ended in ("gap", "no_data")


def test_nothing_seen_at_all() -> None:
    found = story(20.0)
    assert (found.seen, found.when.holds, found.state()) == (None, None, "inactive")


def test_a_sequence_shows_its_steps() -> None:
    when = {"sequence": [FALL, {"absent": FALL, "for": "2s"}], "within": "60s"}
    found = story(5.0, *falls(0.1, 0.9, 0.9, 0.1, 0.1, 0.1), when=when)
    step, absent = found.when.parts
    assert (found.when.holds, step.holds, absent.holds) == (True, False, True)
    assert absent.parts[0].score == 0.1


def test_the_state_of_a_camera_goes_on() -> None:
    rows = [CameraState("dock", "offline", T0), *falls(*[0.1] * 25)]
    found = story(24.0, *rows, when={"camera": "offline"})
    assert (found.incident.since if found.incident else 0) == T0
    assert (found.state(), found.when.holds, (found.when.since or 0) - T0) == ("firing", True, 0)


def test_a_rule_beside_it_may_inhibit_it() -> None:
    loud = {"alert": "loud", "when": FALL}
    assert story(1.0, *falls(0.9, 0.9), others=(loud,), inhibited_by=["loud"]).state() == "pending"
    assert story(1.0, *falls(0.9, 0.9), others=(loud,)).state() == "firing"


def test_a_rule_across_cameras_is_explained_camera_by_camera() -> None:
    steps = [{"cameras": "dock", **FALL}, {"cameras": "ward-*", **FALL}]
    (rule,) = rules({"when": {"on_cameras": steps, "within": "5s"}})
    rows: list[Row] = [
        detection(t, 0.9 if t > 3 and c == "dock" else 0.1, c) for t in range(8) for c in ("dock", "ward-1")
    ]
    found = explain(rows, rule, [], "dock, ward-1", T0 + 7)
    assert found.state() == "inactive"
    assert [(part.text, part.holds, part.score) for part in found.when.parts] == [
        ("event fall, on 0.8, off 0.6 on dock", True, 0.9),
        ("event fall, on 0.8, off 0.6 on ward-1", False, 0.1),
    ]
    rows.append(detection(8, 0.9, "ward-1"))
    rows.append(Gap("dock", T0 + 8.5))
    found = explain(rows, rule, [], "dock, ward-1", T0 + 8.75)
    assert found.incident is not None
    assert (found.state(), found.incident.camera) == ("firing", "ward-1")
    assert [part.holds for part in found.when.parts] == [None, True]


def test_looks_as_far_back_as_it_may_matter() -> None:
    day = 86_400.0
    plain, week, gated, learns = rules(
        {},
        {"alert": "week", "when": {"count": FALL, "in": "7d", "at_least": 2}},
        {"alert": "gated", "cooldown": "1h", "inhibited_by": ["week"]},
        {"alert": "learns", "when": {"anomaly": 0.99}, "escalate": [{"count": 2, "in": "2h", "severity": "critical"}]},
    )
    every = (plain, week, gated, learns)
    spans = [horizon(rule, every) for rule in every]
    assert spans == [day, 8 * day, 8 * day, 16 * day + 7200]
