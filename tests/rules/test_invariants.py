"""Whatever happens – reloads, snoozes, acknowledgements, cameras that come and go – each incident is told whole."""

from collections.abc import Mapping
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from streamwatch.errors import OrderError
from streamwatch.rules.alert import Alert, Cause, IncidentState
from streamwatch.rules.book import RuleBook
from streamwatch.rules.order import Acknowledge, Snooze
from streamwatch.rules.rule import Rule
from tests.rules.play import FALL, T0, detection, rules

Entry = Mapping[str, object]
GROUP: Entry = {"group_by": ["rule"]}
LOUD: Entry = {"alert": "loud", "when": {"event": "fight", "on": 0.5}}
GONE: Entry = {"alert": "gone", "when": {"camera": ["offline", "disabled"]}}
TWO: Entry = {
    "alert": "two",
    "when": {"on_cameras": [{"cameras": "*", **FALL}], "at_least": 2, "within": "2s"},
    "keep_firing_for": "1s",
}
# Of each name one is in force, or none; ``loud`` inhibits some of them, by camera or as a group.
CHOICES: list[list[Entry]] = [
    [LOUD, {**LOUD, **GROUP}, {**LOUD, "cooldown": "2s"}],
    [{"inhibited_by": ["loud"]}, {**GROUP, "early": True, "for": "2s"}, {**GROUP, "inhibited_by": ["loud"]}],
    [GONE, {**GONE, **GROUP}, {**GONE, **GROUP, "for": "2s"}],
    [TWO, {**TWO, "inhibited_by": ["loud"]}],
    [{"alert": "eye", "no_data": "alert"}, {"alert": "eye", "no_data": "alert", **GROUP, "early": True, "for": "1s"}],
]
moves = st.tuples(
    st.sampled_from(["observe"] * 8 + ["tick", "gap", "offline", "online", "disabled", "replace", "ack", "snooze"]),
    st.sampled_from([0.0, 0.0, 0.25, 1.0, 1.0, 2.5, 12.0]),
    st.sampled_from(["dock", "ward-1"]),
    st.sampled_from([0.1, 0.7, 0.95]),
    st.sampled_from([0.1, 0.9]),
    st.tuples(*[st.integers(-1, len(choices) - 1) for choices in CHOICES]),
)
Move = tuple[str, float, str, float, float, tuple[int, ...]]


@cache
def in_force(chosen: tuple[int, ...]) -> tuple[Rule, ...]:
    entries = [choices[i] for choices, i in zip(CHOICES, chosen, strict=True) if i >= 0]
    known = {entry.get("alert", "fall") for entry in entries}
    if not entries:
        return ()
    return rules(*({k: v for k, v in e.items() if k != "inhibited_by" or "loud" in known} for e in entries))


def order(running: RuleBook, move: Move, now: float) -> tuple[Alert, ...]:
    what, _, camera, _, _, chosen = move
    try:
        if what == "snooze":
            rule = [None, "fall", "two", "eye"][chosen[0] + 1]
            return running.snooze(Snooze(rule, None if rule else camera, span=[0.0, 1.0, 4.0][chosen[1]]), now)
        firing = [found for found in running.incidents() if found.state is IncidentState.FIRING]
        return running.acknowledge(Acknowledge(firing[chosen[0]].id), now) if firing[chosen[0] :] else ()
    except OrderError:
        return ()


def run(script: list[Move]) -> list[Alert]:
    running = RuleBook(in_force((0,) * len(CHOICES)), salt="site")
    alerts: list[Alert] = []
    now = T0
    for move in script:
        what, step, camera, fall, fight, chosen = move
        now += step
        if what == "tick":
            alerts += running.tick(now)
        elif what == "replace":
            alerts += running.replace(in_force(chosen), now)
        elif what in ("ack", "snooze"):
            alerts += order(running, move, now)
        elif what == "gap":
            alerts += running.gap(camera, now)
        elif what == "observe":
            alerts += running.observe(detection(now - T0, fall, camera, fight=fight))
        else:
            alerts += running.camera(camera, what, now)
    alerts += running.tick(now)
    return alerts + list(running.close(now, "done"))


@settings(deadline=None, max_examples=150)
@given(st.lists(moves, max_size=40))
def test_each_incident_is_told_from_its_new_to_its_end(script: list[Move]) -> None:
    told: dict[str, list[Alert]] = {}
    for alert in run(script):
        if not alert.snoozed:
            told.setdefault(alert.id, []).append(alert)
    for alerts in told.values():
        kinds = ["new", *["update"] * (len(alerts) - 2), "end"]
        assert [(alert.seq, alert.type.value) for alert in alerts] == list(enumerate(kinds))
        assert [alert.time for alert in alerts] == sorted(alert.time for alert in alerts)
        states = [alert.state for alert in alerts]
        fired = any(state not in (IncidentState.PENDING, IncidentState.WITHDRAWN) for state in states[:-1])
        assert states[-1] is (IncidentState.CLOSED if fired else IncidentState.WITHDRAWN)
        assert states.count(IncidentState.ACKNOWLEDGED) in (
            0,
            sum(alert.acknowledged is not None for alert in alerts[:-1]),
        )
        assert len({(alert.rule, alert.camera, alert.cause, alert.rule_hash) for alert in alerts}) == 1


@settings(deadline=None, max_examples=30)
@given(st.lists(moves, max_size=20))
def test_a_camera_that_is_disabled_is_not_missed(script: list[Move]) -> None:
    running = RuleBook(in_force((0, 0, 0, 0, 0)), salt="site")
    for move in script:
        if move[0] == "observe":
            running.observe(detection(0, move[3], move[2]))
    for camera in ("dock", "ward-1"):
        running.camera(camera, "disabled", T0)
        running.observe(detection(0, 0.1, camera))
    alerts = [alert for second in range(40) for alert in running.tick(T0 + second)]
    assert [alert for alert in alerts if alert.cause is Cause.NO_DATA] == []
