"""Rules asleep must say what rules awake say."""

from math import nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamwatch.rules import line as module
from streamwatch.rules.alert import Alert
from streamwatch.rules.book import RuleBook
from streamwatch.rules.line import Line
from streamwatch.rules.watch import Watch
from tests.rules.play import FALL, T0, book, brief, detection, rules

FIGHT: dict[str, object] = {"event": "fight", "on": 0.7, "off": 0.5}
TWICE = {"count": 2, "in": "1h", "severity": "critical"}
RULES: list[dict[str, object]] = [
    {"for": "1s", "keep_firing_for": "3s", "cooldown": "1h", "escalate": [TWICE]},
    {"alert": "twice", "cooldown": "20s", "when": {"k_of_n": FIGHT, "at_least": 2, "of": 3}},
    {"alert": "alone", "when": {"all": [FALL, {"not": FIGHT}]}, "no_data": "hold"},
    {"alert": "gate", "when": {**FALL, "zone": "gate"}, "inhibited_by": ["twice"]},
    {"alert": "quiet", "when": {"all": [FIGHT, {"absent": FALL, "for": "3s"}]}},
]  # fmt: skip
LOW = {"fall": 0.1, "fight": 0.1}


def line(*entries: dict[str, object]) -> Line:
    return Line(tuple(Watch(rule, "dock", "site") for rule in rules(*entries)))


def names(found: tuple[Watch, ...]) -> list[str]:
    return [watch.rule.name for watch in found]


def feed(subject: Line, at: float, **scores: float) -> list[str]:
    every = LOW | scores
    found = subject.listening(every)
    subject.last = T0 + at
    for watch in found:
        watch.expire(T0 + at)
        watch.observe(detection(at, every["fall"], fight=every["fight"]))
    subject.settle(every)
    return names(found)


def test_sleeps_after_low_scores_and_wakes_at_a_high_one() -> None:
    subject = line({}, {"alert": "lively", "when": {"absent": FALL, "for": "3s"}})
    assert feed(subject, 0) == ["fall", "lively"]
    assert feed(subject, 1) == ["lively"]
    assert feed(subject, 2, fall=0.79) == ["lively"]  # below on
    assert feed(subject, 3, fall=0.8) == ["fall", "lively"]
    assert feed(subject, 4, fall=0.7) == ["fall", "lively"]  # not below off


def test_stays_awake_while_something_is_open() -> None:
    subject = line({"keep_firing_for": "5s"})
    feed(subject, 0, fall=0.9)
    assert [feed(subject, t) for t in range(1, 8)] == [["fall"]] * 6 + [[]]


def test_remembers_as_far_as_its_conditions_do() -> None:
    subject = line({"when": {"k_of_n": FALL, "at_least": 1, "of": 3}})
    feed(subject, 0, fall=0.9)
    assert [feed(subject, t) for t in range(1, 6)] == [["fall"]] * 4 + [[]]


def test_only_low_scores_in_a_row_count() -> None:
    subject = line({"when": {"k_of_n": FALL, "at_least": 1, "of": 3}})
    for t, fall in enumerate([0.1, 0.1, 0.1, 0.7, 0.1]):  # 0.7 is not below off
        feed(subject, t, fall=fall)
    assert feed(subject, 5) == ["fall"]


@pytest.mark.parametrize("scores", [{"fall": nan}, {"fall": 2.0}])
def test_wakes_at_what_is_no_score(scores: dict[str, float]) -> None:
    subject = line({})
    feed(subject, 0)
    assert feed(subject, 1) == []
    assert names(subject.listening(LOW | scores)) == ["fall"]
    feed(subject, 2)
    assert names(subject.listening({})) == ["fall"]


def test_a_clock_set_back_in_sleep_begins_anew() -> None:
    running = book({"cooldown": "1h"})
    alerts = [a for t in range(31) for a in running.observe(detection(t, 0.9 if t == 0 else 0.1))]
    alerts += running.observe(detection(15, 0.9))  # 15 s back
    assert brief(alerts) == [("new", 0), ("end", 1), ("new", 15)]


moves = st.lists(
    st.tuples(
        st.sampled_from(["observe"] * 20 + ["gap", "tick", "back"]),
        st.sampled_from([0.5, 1.0, 1.0, 3.0, 12.0]),
        st.sampled_from([None, None, "gate"]),
        st.sampled_from([0.1, 0.1, 0.1, 0.1, 0.65, 0.9]),
        st.sampled_from([0.1, 0.1, 0.1, 0.55, 0.9]),
    ),
    max_size=120,
)
Moves = list[tuple[str, float, str | None, float, float]]


def play(running: RuleBook, found: Moves) -> list[Alert]:
    alerts: list[Alert] = []
    now = 0.0
    for what, step, zone, fall, fight in found:
        now += step if what != "back" else -11 - step
        if what == "gap":
            alerts += running.gap("dock", T0 + now)
        elif what == "tick":
            alerts += running.tick(T0 + now)
        else:
            alerts += running.observe(detection(now, fall, zone=zone, fight=fight))
    return [*alerts, *running.close(T0 + now, "done")]


@settings(deadline=None, max_examples=200)
@given(moves)
def test_sleep_changes_nothing(found: Moves) -> None:
    asleep = play(book(*RULES), found)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "may_sleep", lambda term: None)
        awake = play(book(*RULES), found)
    assert asleep == awake
