"""Who watches, and what stays of it over a reload."""

from streamwatch.rules.crew import Crew
from streamwatch.rules.inhibition import evaluated
from streamwatch.rules.rule import Rule
from tests.rules.play import FALL, detection, rules


def crew(*entries: dict[str, object], across: bool = False) -> Crew:
    given = rules(*entries)
    return Crew(given, evaluated(given, across)[0], "site")


def first_id(found: Crew, camera: str = "dock") -> str:
    """Of the incident that the first rule would tell of at T0."""
    watch = found.watches(camera)[0]
    (alert,) = watch.observe(detection(0, 0.9, camera))
    return alert.id


def order(given: tuple[Rule, ...]) -> tuple[Rule, ...]:
    return evaluated(given, False)[0]


def test_each_rule_about_a_camera_has_a_watch_there() -> None:
    found = crew({}, {"alert": "wards", "cameras": ["ward-*"]}, {"alert": "kept", "no_data": "alert"})
    assert [watch.rule.name for watch in found.watches("dock")] == ["fall", "kept"]
    assert [watch.rule.name for watch in found.watches("ward-1")] == ["fall", "wards", "kept"]
    assert [vigil.rule.name for vigil in found.vigils("dock")] == ["kept"]


def test_a_reload_keeps_those_whose_rule_is_unchanged() -> None:
    found = crew({}, {"alert": "other", "no_data": "alert"})
    before, vigils = found.watches("dock"), found.vigils("dock")
    changed = rules({"for": "1s"}, {"alert": "other", "no_data": "alert"})
    found.replace(changed, order(changed))
    after = found.watches("dock", before)
    assert after[0] is not before[0]
    assert after[1] is before[1]
    assert found.vigils("dock", vigils) == vigils


def test_a_rule_that_comes_again_uses_no_id_twice() -> None:
    found = crew({})
    known = first_id(found)
    assert first_id(crew({})) == known
    found.replace((), ())
    found.replace(rules({}), order(rules({})))
    assert first_id(found) != known


def test_what_follows_another_counts_its_reloads() -> None:
    found, other = crew({}), crew({})
    other.replace((), ())
    other.replace(rules({}), order(rules({})))
    found.follow(other)
    assert first_id(found) == first_id(other)


def test_a_rule_that_joins_cameras_has_one_watch() -> None:
    joined: dict[str, object] = {"on_cameras": [{"cameras": "*", **FALL}], "at_least": 2, "within": "6s"}
    found = crew({"when": joined}, across=True)
    assert found.watches("dock")[0] is found.watches("ward-1")[0]
    assert list(found.shared) == ["fall"]
    found.replace((), ())
    assert found.shared == {}
