"""Rules that silence others."""

from pathlib import Path

import pytest

from streamwatch.errors import RuleError
from streamwatch.rules.alert import Alert
from streamwatch.rules.book import RuleBook
from streamwatch.rules.inhibition import faults_of_inhibition, in_order
from streamwatch.rules.loading import load_rules
from tests.rules.play import SITE, T0, book, detection, rules

FIGHT: dict[str, object] = {"alert": "fight", "when": {"event": "fight", "on": 0.8, "off": 0.6}}
SILENCED: dict[str, object] = {"inhibited_by": ["fight"]}


def play(running: RuleBook, fall: str, fight: str, camera: str = "dock") -> list[tuple[str, str, float]]:
    levels = {"#": 0.9, ".": 0.1}
    alerts: list[Alert] = []
    for t, (one, other) in enumerate(zip(fall, fight, strict=True)):
        alerts += running.observe(detection(t, levels[one], camera=camera, fight=levels[other]))
    return [(alert.rule, alert.type.value, alert.time - T0) for alert in alerts]


@pytest.mark.parametrize("entries", [(SILENCED, FIGHT), (FIGHT, SILENCED)])  # the order in the file does not matter
def test_begins_when_the_other_is_over(entries: tuple[dict[str, object], ...]) -> None:
    assert play(book(*entries), "####.", "##...") == [
        ("fight", "new", 0), ("fight", "end", 2), ("fall", "new", 2), ("fall", "end", 4),
    ]  # fmt: skip


def test_what_fires_already_goes_on() -> None:
    assert play(book(SILENCED, FIGHT), "###.", ".##.") == [
        ("fall", "new", 0), ("fight", "new", 1), ("fight", "end", 3), ("fall", "end", 3),
    ]  # fmt: skip


def test_a_pending_rule_inhibits_nobody() -> None:
    assert play(book(SILENCED, {**FIGHT, "for": "9s"}), "#", "#") == [("fall", "new", 0)]


def test_an_end_that_was_not_told_yet_counts() -> None:
    """How often ``tick`` is called must make no difference."""
    running = book({**SILENCED, "when": {"event": "fall", "on": 0.8, "zone": "gate"}}, FIGHT)
    running.observe(detection(0, fight=0.9))
    assert running.observe(detection(9, 0.9, zone="gate")) == ()
    (new,) = running.observe(detection(10, 0.9, zone="gate"))
    assert (new.rule, new.start_time - T0) == ("fall", 9)


def test_other_cameras_are_not_silenced() -> None:
    running = book(SILENCED, FIGHT)
    assert play(running, ".", "#", camera="ward-1") == [("fight", "new", 0)]
    assert play(running, "#", ".") == [("fall", "new", 0)]


def test_a_rule_on_trial_silences_only_those_on_trial() -> None:
    running = book(SILENCED, {**SILENCED, "alert": "tried", "shadow": True}, {**FIGHT, "shadow": True})
    assert [rule for rule, _, _ in play(running, "#", "#")] == ["fight", "fall"]


def test_orders_chains() -> None:
    chain = rules(
        {"alert": "c", "inhibited_by": ["b"]}, {"alert": "x"}, {"alert": "b", "inhibited_by": ["a"]}, {"alert": "a"}
    )
    assert [rule.name for rule in in_order(chain)] == ["a", "b", "c", "x"]
    assert faults_of_inhibition(chain) == []


def test_refuses_a_circle() -> None:
    circle = rules({"alert": "a", "inhibited_by": ["b"]}, {"alert": "b", "inhibited_by": ["a"]})
    assert faults_of_inhibition(circle) == ["test.yml: rules[0].inhibited_by: goes round in a circle: a → b → a"]
    with pytest.raises(RuleError, match="circle"):
        RuleBook(circle, salt="site")
    with pytest.raises(RuleError, match="'fall' is this rule itself"):
        rules({"inhibited_by": ["fall"]})


def test_refuses_unknown_names_over_all_files(tmp_path: Path) -> None:
    entry = "rules: [{alert: %s, when: {event: fall, on: 0.8}, inhibited_by: [%s]}]"
    (tmp_path / "a.yml").write_text(entry % ("a", "b"))
    (tmp_path / "b.yml").write_text(entry % ("b", "offlin"))
    (tmp_path / "c.yml").write_text("rules: [{alert: offline, when: {camera: offline}}]")
    with pytest.raises(RuleError, match=r"b\.yml: rules\[0\]\.inhibited_by: no rule is named 'offlin'; did you mean"):
        load_rules([tmp_path], SITE)
    (tmp_path / "b.yml").write_text(entry % ("b", "offline"))
    assert len(load_rules([tmp_path], SITE)) == 3
