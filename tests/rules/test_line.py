"""Rules asleep must say what rules awake say."""

from math import inf, nan
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamwatch.models.detection import Detection
from streamwatch.rules.alert import Alert
from streamwatch.rules.book import RuleBook
from streamwatch.rules.line import Line
from streamwatch.rules.memory import Learner
from streamwatch.rules.watch import Watch
from tests.rules.play import FALL, T0, book, brief, detection, rules
from tests.rules.test_reference import EXAMPLES
from tests.rules.test_reference import rules as random_rules

FIGHT: dict[str, object] = {"event": "fight", "on": 0.7, "off": 0.5}
MOVES: dict[str, object] = {"motion": 0.5, "off": 0.3}
TWICE = {"count": 2, "in": "1h", "severity": "critical"}
RULES: list[dict[str, object]] = [
    {"for": "1s", "keep_firing_for": "3s", "cooldown": "1h", "escalate": [TWICE]},
    {"alert": "twice", "cooldown": "20s", "when": {"k_of_n": FIGHT, "at_least": 2, "of": 3}},
    {"alert": "alone", "when": {"all": [FALL, {"not": FIGHT}]}, "no_data": "hold"},
    {"alert": "gate", "when": {**FALL, "zone": "gate"}, "inhibited_by": ["twice"]},
    {"alert": "quiet", "when": {"all": [FIGHT, {"absent": FALL, "for": "3s"}]}},
    {"alert": "still", "when": {"sequence": [FALL, {"absent": MOVES, "for": "5s"}], "within": "1m"}},
    {"alert": "often", "when": {"all": [{"count": FIGHT, "in": "20s", "at_least": 2}, {"not": MOVES}]}},
    {"alert": "late", "when": {"all": [{"not": MOVES}, {"schedule": ["22:14-22:15"], "timezone": "UTC"}]}},
    {"alert": "gone", "when": {"not": {"k_of_n": {"not": FALL}, "at_least": 2, "of": 3}}},
    {"alert": "offline", "when": {"camera": "offline"}, "for": "3s"},
    {"alert": "stays", "when": {"all": [{"camera": "offline"}, {"not": {**FALL, "zone": "gate"}}]}, "no_data": "alert"},
]  # fmt: skip


def line(*entries: dict[str, object]) -> Line:
    return Line(tuple(Watch(rule, "dock", "site") for rule in rules(*entries)))


def learnt(watch: Watch) -> list[bytes]:
    return [part.learnt() for part in watch.resting.parts if isinstance(part, Learner)]


def names(found: tuple[Watch, ...]) -> list[str]:
    return [watch.rule.name for watch in found]


def hear(subject: Line, row: Detection) -> list[str]:
    found = subject.listening(row)
    subject.last = row.end
    for watch in found:
        watch.expire(row.end)
        watch.observe(row)
    subject.settle()
    return names(found)


def feed(subject: Line, at: float, fall: float = 0.1, **levels: float) -> list[str]:
    return hear(subject, detection(at, fall, camera="dock", zone=None, **levels))


def test_sleeps_after_low_scores_and_wakes_at_a_high_one() -> None:
    subject = line({}, {"alert": "open", "when": {"not": FIGHT}})
    assert feed(subject, 0) == ["fall", "open"]
    assert feed(subject, 1) == ["open"]
    assert feed(subject, 2, fall=0.79) == ["open"]  # below on
    assert feed(subject, 3, fall=0.8) == ["fall", "open"]
    assert feed(subject, 4, fall=0.7) == ["fall", "open"]  # not below off


def test_sleepers_that_learn_are_told_what_passes() -> None:
    subject = line({}, {"alert": "learns", "when": {"anomaly": 0.9}})
    always = line({"alert": "learns", "when": {"anomaly": 0.9}})
    moves = [0.1, 0.2, 0.3, 0.2, 2.0, 0.1, 0.4]
    heard = [feed(subject, t, fall=0.9 if t == 3 else 0.1, motion=m) for t, m in enumerate(moves)]
    assert heard[:5] == [["fall", "learns"], [], [], ["fall"], ["fall", "learns"]]
    for t, motion in enumerate(moves):
        always.watches[0].observe(detection(t, motion=motion))
    assert learnt(subject.watches[1]) == learnt(always.watches[0])


def test_only_those_wake_that_are_concerned() -> None:
    subject = line({}, {"alert": "fight", "when": FIGHT}, {"alert": "moves", "when": MOVES})
    feed(subject, 0)
    assert feed(subject, 1, fight=0.9) == ["fight"]
    assert feed(subject, 2, motion=0.9) == ["fight", "moves"]  # the former to see its end


def test_stays_awake_while_something_is_open() -> None:
    subject = line({"keep_firing_for": "5s"})
    feed(subject, 0, fall=0.9)
    assert [feed(subject, t) for t in range(1, 8)] == [["fall"]] * 6 + [[]]


def test_stays_awake_while_it_holds() -> None:
    subject = line({"when": {"not": FALL}, "cooldown": "1m"})
    assert [feed(subject, t) for t in range(3)] == [["fall"]] * 3


def test_stays_awake_until_a_cooldown_is_over() -> None:
    running = book({"when": {"not": FALL}, "cooldown": "9s"})
    alerts = [alert for t in range(20) for alert in running.observe(detection(t, 0.9 if t == 1 else 0.1))]
    assert brief(alerts) == [("new", 0), ("end", 1), ("new", 10)]


def test_remembers_as_far_as_its_conditions_do() -> None:
    subject = line({"when": {"k_of_n": FALL, "at_least": 3, "of": 3}})
    feed(subject, 0, fall=0.9)
    assert [feed(subject, t) for t in range(1, 6)] == [["fall"]] * 3 + [[]] * 2


def test_sleeps_while_a_level_stays_high() -> None:
    subject = line({"when": {"all": [FIGHT, {"absent": MOVES, "for": "3s"}]}})
    feed(subject, 0, motion=0.9)
    assert feed(subject, 1, motion=0.31) == []
    assert feed(subject, 2, motion=0.29) == ["fall"]


def test_wakes_when_time_is_up() -> None:
    subject = line({"when": {"not": {"any": [FALL, {"not": {"absent": FALL, "for": "3s"}}]}}})
    assert [feed(subject, t) for t in range(5)] == [["fall"], [], [], ["fall"], ["fall"]]


@pytest.mark.parametrize("scores", [{"fall": nan}, {"fall": 2.0}, {"fall": inf}, {"motion": nan}])
def test_wakes_at_what_is_no_level(scores: dict[str, float]) -> None:
    subject = line({"when": {"any": [FALL, MOVES]}})
    feed(subject, 0)
    assert feed(subject, 1) == []
    assert names(subject.listening(detection(2, camera="dock", zone=None, **scores))) == ["fall"]


def test_wakes_where_an_event_is_not_scored() -> None:
    subject = line({})
    feed(subject, 0)
    row = detection(1)
    found = subject.listening(Detection(row.camera, row.start, row.end, None, {}, 0.0, 1.0, row.model))
    assert names(found) == ["fall"]


def test_wakes_after_a_silence() -> None:
    never = {"not": {"k_of_n": {"not": FALL}, "at_least": 2, "of": 3}}
    running = book({"when": never})
    alerts = [alert for t in (0, 1, 2, 3, 14, 15) for alert in running.observe(detection(t, 0.1))]
    assert brief(alerts) == [("new", 0), ("end", 1), ("new", 14), ("end", 15)]


def test_a_state_that_lasts_need_not_be_repeated() -> None:
    subject = line({"when": {"camera": "offline"}})
    assert not subject.rests(T0)
    row = Detection("dock", T0, T0, "@status", {"online": 1.0}, 0.0, 1.0, detection(0).model)
    hear(subject, row)
    assert subject.rests(T0 + 1)
    assert subject.last == T0 + 1
    assert not subject.rests(T0 + 12)  # a silence: then it is told again
    subject.wake()
    assert not subject.rests(T0 + 2)


def test_a_clock_set_back_in_sleep_begins_anew() -> None:
    running = book({"cooldown": "1h"})
    alerts = [a for t in range(31) for a in running.observe(detection(t, 0.9 if t == 0 else 0.1))]
    alerts += running.observe(detection(15, 0.9))  # 15 s back
    assert brief(alerts) == [("new", 0), ("end", 1), ("new", 15)]


levels = st.sampled_from([0.1, 0.1, 0.1, 0.1, 0.65, 0.9])
moves = st.lists(
    st.tuples(
        st.sampled_from(["observe"] * 20 + ["gap", "tick", "back", "online", "offline", "replace"]),
        st.sampled_from([0.5, 1.0, 1.0, 3.0, 12.0]),
        st.sampled_from([None, None, "gate"]),
        st.tuples(levels, st.sampled_from([0.1, 0.1, 0.1, 0.55, 0.9]), levels),
    ),
    max_size=120,
)
Moves = list[tuple[str, float, str | None, tuple[float, float, float]]]


def play(running: RuleBook, found: Moves) -> list[Alert]:
    alerts: list[Alert] = []
    now = 0.0
    for what, step, zone, (fall, fight, motion) in found:
        now += step if what != "back" else -11 - step
        if what == "gap":
            alerts += running.gap("dock", T0 + now)
        elif what == "tick":
            alerts += running.tick(T0 + now)
        elif what == "replace":
            alerts += running.replace(running.rules, T0 + now)
        elif what in ("online", "offline"):
            alerts += running.camera("dock", what, T0 + now)
        else:
            alerts += running.observe(detection(now, fall, zone=zone, fight=fight, motion=motion))
    return [*alerts, *running.close(T0 + now, "done")]


def asleep_and_awake(entries: list[dict[str, Any]], found: Moves) -> tuple[list[Alert], list[Alert]]:
    asleep = play(book(*entries), found)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Watch, "rests", lambda watch: -inf)
        return asleep, play(book(*entries), found)


@settings(deadline=None, max_examples=max(200, EXAMPLES // 3))
@given(moves)
def test_sleep_changes_nothing(found: Moves) -> None:
    asleep, awake = asleep_and_awake(RULES, found)
    assert asleep == awake


calm = st.lists(
    st.tuples(
        st.sampled_from(["observe"] * 30 + ["gap", "tick", "replace"]),
        st.sampled_from([0.5, 1.0, 1.0, 1.0, 1.0, 3.0, 9.75, 12.0]),
        st.sampled_from([None, None, None, "gate"]),
        st.sampled_from([(0.1, 0.1, 0.1)] * 6 + [(0.9, 0.1, 0.1), (0.1, 0.9, 0.1), (0.5, 0.5, 0.9)]),
    ),
    max_size=80,
)


@settings(deadline=None, max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
@given(st.lists(random_rules, min_size=1, max_size=3), calm)
def test_sleep_changes_nothing_whatever_the_rules(entries: list[dict[str, Any]], found: Moves) -> None:
    """Most of the time nothing happens here, so that sleep is deep."""
    asleep, awake = asleep_and_awake([{"alert": f"r-{i}", **rule} for i, rule in enumerate(entries)], found)
    assert asleep == awake
