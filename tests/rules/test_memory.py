"""What is learnt goes on where it stopped, for the same rule on the same camera and nobody else."""

import dataclasses

import pytest

from streamwatch.rules.anomaly import AnomalyCondition
from streamwatch.rules.book import RuleBook
from streamwatch.rules.memory import Learner, Learnt
from tests.rules.play import FALL, T0, book, brief, detection

USUAL: dict[str, object] = {"anomaly": 0.99, "warm_up": "1h"}
WALK: dict[str, object] = {"alert": "walk", "when": {"all": [USUAL, {"anomaly": 0.9, "warm_up": "1h"}]}}


def lived(*entries: dict[str, object], camera: str = "dock") -> RuleBook:
    """A book that has seen an hour and a bit of a place where hardly anything moves."""
    running = book(*entries)
    for t in range(0, 4000, 2):
        running.observe(detection(t, camera=camera, motion=0.6 + t % 7 / 100))
    return running


def test_a_restart_forgets_nothing() -> None:
    before = lived(WALK)
    known = before.learnt()
    assert [(each.rule, each.camera, len(each.states)) for each in known] == [("walk", "dock", 2)]
    after = book(WALK)
    after.remember(known)
    assert after.learnt() == known  # also before the camera says anything
    for running in (before, after):
        alerts = [alert for t in (4100, 4101) for alert in running.observe(detection(t, motion=40))]
        assert brief(alerts) == [("new", 4100)]
    assert before.learnt() == after.learnt()
    assert [a for t in (4100, 4101) for a in book(WALK).observe(detection(t, motion=40))] == []


@pytest.mark.parametrize("entry", [{"alert": "walk", "when": USUAL}, {**WALK, "for": "0.1s"}, {**WALK, "alert": "run"}])
def test_another_rule_learns_anew(entry: dict[str, object]) -> None:
    after = book(entry)
    after.remember(lived(WALK).learnt())
    assert after.learnt() == ()
    assert after.observe(detection(4100, motion=40)) == ()


def test_another_camera_learns_anew() -> None:
    after = book(WALK)
    after.remember(lived(WALK).learnt())
    assert after.observe(detection(4100, camera="ward-1", motion=40)) == ()


@pytest.mark.parametrize("state", [b"", b"x" * 9, b"\xff" * 14_984])
def test_what_cannot_be_read_is_forgotten(state: bytes) -> None:
    (known,) = lived(WALK).learnt()
    after = book(WALK)
    after.remember([dataclasses.replace(known, states=(state, known.states[1]))])
    assert after.observe(detection(4100, motion=40)) == ()
    after = book(WALK)
    after.remember([dataclasses.replace(known, states=known.states[:1])])
    assert after.observe(detection(4100, motion=40)) == ()


def test_a_reload_forgets_what_waits_of_rules_that_are_gone() -> None:
    after = book(WALK)
    after.remember([*lived(WALK).learnt(), Learnt("walk", "0" * 16, "ward-1", ())])
    assert len(after.learnt()) == 1
    assert len(after.learnt()) == 1
    after.replace(book({}).rules, T0)
    assert after.learnt() == ()


def test_a_group_learns_on_each_camera() -> None:
    grouped = {**WALK, "group_by": ["rule"]}
    running = lived(grouped)
    running.tick(T0 + 4010)
    known = running.learnt()
    assert [each.camera for each in known] == ["dock"]
    after = book(grouped)
    after.remember(known)
    after.observe(detection(4100, motion=40))
    assert brief(after.tick(T0 + 4109)) == [("new", 4100)]


def test_rules_that_do_not_learn_say_nothing() -> None:
    running = book({"when": FALL})
    running.observe(detection(0))
    assert running.learnt() == ()
    assert issubclass(AnomalyCondition, Learner)
