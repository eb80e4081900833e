"""Random rules on random scores: the rule book must say what the slow evaluator beside this says.

STREAMWATCH_EXAMPLES sets how many (300 if unset).
"""

import contextlib
import dataclasses
import os
from collections.abc import Sequence
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamwatch.errors import OrderError
from streamwatch.rules.alert import Alert, Cause
from streamwatch.rules.book import RuleBook
from streamwatch.rules.camera import status
from streamwatch.rules.order import Acknowledge, Snooze
from tests.rules.play import T0, book, detection
from tests.rules.reference import Ordered, Seen, Told, alerts_of, fires, missing_of, zones

EXAMPLES = int(os.environ.get("STREAMWATCH_EXAMPLES", "300"))
LONG_AFTER = 5000.0
LEVELS = st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.9])
SPANS = st.sampled_from(["1s", "2s", "3.5s", "6s", "12s", "30s"])
ZONES = st.sampled_from([None, None, None, "gate", "ramp"])
Condition = dict[str, Any]


def threshold(kind: Condition, on: float, zone: str | None) -> Condition:
    """``kind`` with hysteresis; ``off`` and, where there is one, ``zone``."""
    return {**kind, "off": round(on - 0.2, 1), **({"zone": zone} if zone else {})}


events = st.builds(
    lambda name, on, zone: threshold({"event": name, "on": on}, on, zone),
    st.sampled_from(["fall", "fight"]), st.sampled_from([0.4, 0.6, 0.8]), ZONES,
)  # fmt: skip
motions = st.builds(lambda on, zone: threshold({"motion": on}, on, zone), st.sampled_from([0.4, 0.8]), ZONES)
schedules = st.just({"schedule": ["22:13-22:14", "22:15-22:16"], "timezone": "UTC"})  # T0 is 22:13:20
counted = st.builds(
    lambda part, least, more: {"k_of_n": part, "at_least": least, "of": max(2, least + more)},
    st.one_of(events, motions, events.map(lambda e: {"not": e})), st.integers(1, 3), st.integers(0, 2),
)  # fmt: skip


def compound(inner: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    several = st.lists(inner, min_size=1, max_size=3)
    steps = st.lists(inner, min_size=2, max_size=3)
    return st.one_of(
        several.map(lambda found: {"all": found}),
        several.map(lambda found: {"any": found}),
        inner.map(lambda part: {"not": part}),
        st.builds(lambda part, span: {"absent": part, "for": span}, inner, SPANS),
        st.builds(lambda found, span: {"sequence": found, "within": span}, steps, SPANS),
        st.builds(lambda part, span, least: {"count": part, "in": span, "at_least": least}, inner, SPANS, st.just(2)),
    )


conditions = st.recursive(st.one_of(events, events, motions, schedules, counted), compound, max_leaves=5).filter(zones)
escalations = st.lists(
    st.one_of(
        st.builds(lambda span: {"after": span, "severity": "critical"}, SPANS),
        st.builds(lambda span: {"count": 2, "in": span, "severity": "critical"}, SPANS),
    ),
    max_size=2,
)
holds = st.sampled_from([(0, 0), (0, 0), ("1s", 0), ("2s", "1s"), ("3.5s", "2s"), ("12s", "11s")])
earlies = st.sampled_from([None, None, ("0s", 0.5), ("0s", 1.0), ("0.5s", 0.5)])


def rule_of(when: Condition, early: tuple[str, float] | None, times: Condition, rest: Condition) -> Condition:
    warns = {"early": {"after": early[0], "filled": early[1]}} if early else {}
    return {"when": when, **times, **rest, **warns}


rules = st.builds(
    rule_of, conditions, earlies,
    st.builds(
        lambda hold, keep, cool: {"for": hold[0], "gap": hold[1], "keep_firing_for": keep, "cooldown": cool},
        holds, st.sampled_from([0, 0, "2s", "13s"]), st.sampled_from([0, 0, "5s"]),
    ),
    st.fixed_dictionaries(
        {"no_data": st.sampled_from(["close", "close", "hold", "alert"]), "escalate": escalations}
    ),
)  # fmt: skip
scores = st.tuples(LEVELS, LEVELS, LEVELS)
instants = st.tuples(
    st.sampled_from([0.5, 1.0, 1.0, 1.0, 1.0, 2.0, 4.0, 9.75, 11.0]),
    st.sampled_from([False] * 9 + [True]),
    st.dictionaries(st.sampled_from([None, None, "gate", "ramp"]), scores, min_size=1, max_size=3),
    st.sampled_from([1.0, 1.0, 0.5, 0.2]),
)
commands = st.lists(
    st.tuples(st.sampled_from([0.5, 1.0, 2.0, 5.0]), st.sampled_from([None, None, 0.0, 2.2, 5.2, 40.2])), max_size=6
)
streams = st.lists(instants, min_size=1, max_size=40)
Instants = list[tuple[float, bool, dict[str | None, tuple[float, float, float]], float]]


def heard(found: Instants) -> list[Seen]:
    stream: list[Seen] = []
    now = 0.0
    for step, gap, here, filled in found:
        now += step
        if gap:
            stream.append(Seen(T0 + now - step / 2, None, gap=True))
        for zone, (fall, fight, motion) in here.items():
            row = detection(now, fall, zone=zone, fight=fight, motion=motion)
            stream.append(Seen(T0 + now, dataclasses.replace(row, filled=filled)))
    return stream


def told(alert: Alert) -> Told:
    found = None
    if alert.event is not None and alert.threshold is not None:
        found = alert.event, alert.zone, alert.score, alert.threshold
    return Told(
        alert.type.value, alert.state.value, alert.time, alert.start_time, alert.end_time, alert.severity, found,
        alert.peak_score, alert.annotations.get("end_reason"), alert.snoozed, alert.seq,
    )  # fmt: skip


def obey(running: RuleBook, order: Ordered) -> list[Alert]:
    alerts = list(running.tick(order.at))
    for one in [one for one in running.incidents() if order.span is None]:
        with contextlib.suppress(OrderError):
            alerts += running.acknowledge(Acknowledge(one.id), order.at)
    if order.span is not None:
        with contextlib.suppress(OrderError):  # there is none to end
            alerts += running.snooze(Snooze("a", None, span=order.span), order.at)
    return alerts


def live(
    entries: list[dict[str, Any]], stream: list[Seen], ticks: bool, orders: Sequence[Ordered] = ()
) -> dict[str, list[Told]]:
    return {
        name: [told(alert) for alert in alerts if alert.cause is Cause.CONDITION]
        for name, alerts in spoken(entries, stream, ticks, orders).items()
    }


def spoken(
    entries: list[dict[str, Any]], stream: list[Seen], ticks: bool, orders: Sequence[Ordered] = ()
) -> dict[str, list[Alert]]:
    running = book(*entries)
    alerts: list[Alert] = []
    happened: list[Seen | Ordered] = [*stream, *orders]
    for step in sorted(happened, key=lambda one: one.at):
        if isinstance(step, Ordered):
            alerts += obey(running, step)
        elif step.detection is None:
            alerts += running.gap("dock", step.at)
        else:
            if ticks:
                alerts += running.tick(step.at - 0.25)
            alerts += running.observe(step.detection)
    alerts += running.tick(T0 + LONG_AFTER)
    alerts += running.close(T0 + LONG_AFTER, "done")
    assert running.errors == {}
    assert running.late == {}
    return {entry["alert"]: [alert for alert in alerts if alert.rule == entry["alert"]] for entry in entries}


@settings(deadline=None, max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
@given(rules, streams, st.booleans())
def test_says_what_the_slow_evaluator_says(rule: dict[str, Any], found: Instants, ticks: bool) -> None:
    stream = heard(found)
    assert live([{"alert": "a", **rule}], stream, ticks)["a"] == alerts_of(rule, stream, T0 + LONG_AFTER)


@settings(deadline=None, max_examples=EXAMPLES // 3, suppress_health_check=list(HealthCheck))
@given(rules, rules, streams)
def test_inhibits_as_the_slow_evaluator_does(first: dict[str, Any], second: dict[str, Any], found: Instants) -> None:
    stream = [s for s in heard(found) if s.detection is None or s.detection.zone is None]
    end = T0 + LONG_AFTER
    by = alerts_of(first, stream, end)
    expected = alerts_of(second, stream, end, fires(by))
    entries = [{"alert": "b", **second, "inhibited_by": ["a"]}, {"alert": "a", **first}]
    assert live(entries, stream, False) == {"a": by, "b": expected}


@settings(deadline=None, max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
@given(rules, streams, st.booleans(), commands)
def test_obeys_as_the_slow_evaluator_does(
    rule: dict[str, Any], found: Instants, ticks: bool, given_orders: list[tuple[float, float | None]]
) -> None:
    stream = heard(found)
    orders, at = [], T0 + 0.013  # no order at the time of a detection: which is first would be chance
    for step, span in given_orders:
        at += step
        orders.append(Ordered(at, span))
    expected = alerts_of(rule, stream, T0 + LONG_AFTER, orders=orders)
    assert live([{"alert": "a", **rule}], stream, ticks, orders)["a"] == expected


@settings(deadline=None, max_examples=EXAMPLES // 3, suppress_health_check=list(HealthCheck))
@given(rules, streams, st.booleans())
def test_misses_data_as_the_slow_evaluator_does(rule: dict[str, Any], found: Instants, ticks: bool) -> None:
    stream = heard(found)
    alerts = spoken([{"alert": "a", **rule, "no_data": "alert"}], stream, ticks)["a"]
    missing = [(a.type.value, a.time, a.start_time) for a in alerts if a.cause is Cause.NO_DATA]
    assert missing == missing_of(rule, stream, T0 + LONG_AFTER)


alone = st.recursive(
    st.builds(lambda on: threshold({"event": "fall", "on": on}, on, None), st.sampled_from([0.4, 0.8])),
    lambda inner: st.one_of(
        inner.map(lambda part: {"not": part}),
        st.builds(lambda part, span: {"absent": part, "for": span}, inner, SPANS),
        st.builds(lambda part, span: {"count": part, "in": span, "at_least": 2}, inner, SPANS),
    ),
    max_leaves=2,
)
globs = st.sampled_from([["*"], ["*"], ["ward-*"], ["dock*", "ward-1"]])
steps = st.lists(st.builds(lambda part, found: {**part, "cameras": found}, alone, globs), min_size=2, max_size=3)
joined = st.one_of(
    st.builds(lambda found, span: {"on_cameras": found, "within": span}, steps, SPANS),
    st.builds(lambda found, span: {"on_cameras": found, "within": span, "in_order": True}, steps, SPANS),
    st.builds(lambda found, span, n: {"on_cameras": found, "within": span, "at_least": n}, steps, SPANS, st.just(2)),
).filter(lambda term: {glob for step in term["on_cameras"] for glob in step["cameras"]} != {"dock"})
rules_across = st.tuples(st.recursive(joined, compound, max_leaves=2), rules).map(
    lambda two: {**two[1], "when": two[0]}
)
feeds = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.5, 1.0, 1.0, 2.0, 4.0, 9.75, 11.0]),
        st.sampled_from(["dock", "ward-1", "ward-2"]),
        st.sampled_from([0.1, 0.5, 0.9, 0.9]),
    ),
    min_size=1,
    max_size=20,
)


@settings(deadline=None, max_examples=EXAMPLES // 3, suppress_health_check=list(HealthCheck))
@given(rules_across, feeds, st.booleans())
def test_joins_cameras_as_the_slow_evaluator_does(
    rule: dict[str, Any], found: list[tuple[float, str, float]], ticks: bool
) -> None:
    """When incidents begin and end; what is told in between depends on which of equal matches is shown."""
    now, heard = 0.0, dict[tuple[float, str], float]()
    for step, camera, score in found:
        now += step
        heard.setdefault((now, camera), score)
    running = book({"alert": "a", **rule})
    mine = {camera for camera in ("dock", "ward-1", "ward-2") if running.rules[0].watches(camera)}
    every = [Seen(T0 + at, detection(at, score, camera)) for (at, camera), score in sorted(heard.items())]
    stream = [seen for seen in every if seen.detection and seen.detection.camera in mine]
    alerts: list[Alert] = []
    for seen in every:
        assert seen.detection
        if ticks:
            alerts += running.tick(seen.at - 0.25)
        alerts += running.observe(seen.detection)
    alerts += running.tick(T0 + LONG_AFTER)
    alerts += running.close(T0 + LONG_AFTER, "done")
    assert running.errors == {}
    assert running.late == {}
    expected = alerts_of(rule, stream, T0 + LONG_AFTER)
    about = [told(alert) for alert in alerts if alert.cause is Cause.CONDITION]
    edges = [(t.kind, t.at, t.since, t.ended, t.reason) for t in expected if t.kind != "update"]
    assert [(t.kind, t.at, t.since, t.ended, t.reason) for t in about if t.kind != "update"] == edges


states = st.sampled_from(["online", "offline"])
changes = st.lists(st.tuples(st.sampled_from([0.25, 1.0, 2.5, 7.0, 20.0]), states), min_size=1, max_size=12)
pauses = st.lists(st.sampled_from([0.25, 1.0, 2.0, 5.0]), min_size=1)
about_states = st.recursive(
    st.just({"camera": "offline"}) | schedules.map(lambda s: {"all": [s, {"camera": "online"}]}), compound, max_leaves=3
)
rules_on_states = st.tuples(about_states, rules.filter(lambda rule: rule.get("no_data") != "alert")).map(
    lambda two: {**two[1], "when": two[0]}
)


@settings(deadline=None, max_examples=EXAMPLES // 3, suppress_health_check=list(HealthCheck))
@given(rules_on_states, changes, pauses)
def test_hears_states_as_the_slow_evaluator_does(
    rule: dict[str, Any], found: list[tuple[float, str]], pauses: list[float]
) -> None:
    times = [0.1 + sum(step for step, _ in found[: i + 1]) for i in range(len(found))]  # never a whole second
    end = times[-1] + 40.0
    stream: list[Seen] = []
    alerts: list[Alert] = []
    now = 0.0
    running = book({"alert": "a", **rule})
    for (_, state), at, until in zip(found, times, [*times[1:], end + 1], strict=True):
        seconds = [float(s) for s in range(int(end) + 1) if at < s < until]
        stream += [Seen(T0 + s, status("dock", state, T0 + s)) for s in (at, *seconds)]
    for i in range(10_000):
        for at, (_, state) in zip(times, found, strict=True):
            if now <= at < now + pauses[i % len(pauses)]:
                alerts += running.camera("dock", state, T0 + at)
        now = min(end, now + pauses[i % len(pauses)])
        alerts += running.tick(T0 + now)
        if now == end:
            break
    alerts += running.close(T0 + end, "done")
    assert [told(alert) for alert in alerts] == alerts_of(rule, stream, T0 + end)
