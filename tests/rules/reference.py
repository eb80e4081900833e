"""The rules once more, slow and obvious: every question is answered by looking through the whole history.

Nothing is remembered between two detections but the history itself; deadlines are looked for at each instant. Times
never go back here.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from streamwatch.models.detection import Detection
from streamwatch.rules.duration import parse_duration as seconds

Found = tuple[str, str | None, float, float]
"""Event, zone, score, threshold."""
EPSILON = 1e-3
SILENCE = 10.0
GRAVITY = ("info", "warning", "critical")


@dataclass(frozen=True)
class Seen:
    """A step of the history that a rule hears: a detection, or (None) a break, after which nothing is known.

    ``gap``: the break is one of the stream, not a mere silence.
    """

    at: float
    detection: Detection | None
    gap: bool = False


def zones(term: Mapping[str, Any]) -> set[str | None]:
    """The zones that a condition names."""
    found: set[str | None] = set()
    if "event" in term or "motion" in term:
        found.add(term.get("zone"))
    if "camera" in term:
        found.add("@status")
    for inner in parts(term):
        found |= zones(inner)
    return found


def parts(term: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The conditions inside one."""
    inner = [term[key] for key in ("not", "absent", "count", "k_of_n") if key in term]
    return [part for key in ("all", "any", "sequence") if key in term for part in term[key]] + inner


class History:
    """What a rule with condition ``when`` heard, in order."""

    def __init__(self, when: Mapping[str, Any], stream: Sequence[Seen]) -> None:
        heard = [s for s in stream if s.detection is None or s.detection.zone in zones(when)]
        self.steps: list[Seen] = []
        for step in heard:
            before = [s.at for s in self.steps if s.detection]
            if step.detection and before and step.at - before[-1] > SILENCE:
                self.steps.append(Seen(step.at, None))
            self.steps.append(step)
        self._known: dict[tuple[str, int], bool | None] = {}

    def holds(self, term: Mapping[str, Any], i: int) -> bool | None:
        """Whether ``term`` holds after step ``i``."""
        key = json.dumps(term, sort_keys=True), i
        if key not in self._known:
            self._known[key] = self._holds(term, i)
        return self._known[key]

    def _holds(self, term: Mapping[str, Any], i: int) -> bool | None:
        if i < 0 or self.steps[i].detection is None:
            return None
        kind = next(k for k in term if hasattr(self, f"_{k}"))
        answer: bool | None = getattr(self, f"_{kind}")(term, i)
        return answer

    def _event(self, term: Mapping[str, Any], i: int) -> bool | None:
        return self._threshold(term, i, lambda d: d.scores[term["event"]], term["on"])

    def _motion(self, term: Mapping[str, Any], i: int) -> bool | None:
        return self._threshold(term, i, lambda d: d.motion, term["motion"])

    def _camera(self, term: Mapping[str, Any], i: int) -> bool | None:
        detection = self.steps[i].detection
        assert detection
        return term["camera"] in detection.scores

    def _threshold(self, term: Mapping[str, Any], i: int, level: Any, on: float) -> bool | None:
        own = self._own(term.get("zone"), i)
        if not own or self.steps[i].at - self.steps[own[-1]].at > SILENCE:
            return None
        for j in reversed(own):  # the last that was clear decides
            value = level(self.steps[j].detection)
            if value >= on:
                return True
            if value < term["off"]:
                return False
        return False

    def _own(self, zone: str | None, i: int) -> list[int]:
        """Steps of ``zone`` up to ``i``, back to the last break or to a silence of the zone that others noticed."""
        own: list[int] = []
        since = max((j for j in range(i + 1) if self.steps[j].detection is None), default=-1)
        for j in range(since + 1, i + 1):
            detection = self.steps[j].detection
            assert detection
            if detection.zone == zone:
                own.append(j)
            elif own and self.steps[j].at - self.steps[own[-1]].at > SILENCE and j < i:
                own = []
        return own

    def _all(self, term: Mapping[str, Any], i: int) -> bool | None:
        values = [self.holds(part, i) for part in term["all"]]
        return False if False in values else None if None in values else True

    def _any(self, term: Mapping[str, Any], i: int) -> bool | None:
        values = [self.holds(part, i) for part in term["any"]]
        return True if True in values else None if None in values else False

    def _not(self, term: Mapping[str, Any], i: int) -> bool | None:
        return {True: False, False: True, None: None}[self.holds(term["not"], i)]

    def _counted(self, term: Mapping[str, Any], i: int) -> list[int]:
        (zone,) = zones(term)
        own = self._own(zone, i)
        return [] if not own or self.steps[i].at - self.steps[own[-1]].at > SILENCE else own[-term["of"] :]

    def _k_of_n(self, term: Mapping[str, Any], i: int) -> bool | None:
        counted = self._counted(term, i)
        if not counted:
            return None
        return bool(sum(self.holds(term["k_of_n"], j) is True for j in counted) >= term["at_least"])

    def _absent(self, term: Mapping[str, Any], i: int) -> bool | None:
        if self.holds(term["absent"], i) is not False:
            return None if self.holds(term["absent"], i) is None else False
        since = i
        while self.holds(term["absent"], since - 1) is False:
            since -= 1
        return self.steps[i].at - self.steps[since].at >= seconds(term["for"]) - EPSILON

    def _sequence(self, term: Mapping[str, Any], i: int) -> bool | None:
        last = self.holds(term["sequence"][-1], i)
        if not last:
            return last
        return self._begins(term, len(term["sequence"]) - 1, i, self.steps[i].at - seconds(term["within"]) - EPSILON)

    def _begins(self, term: Mapping[str, Any], k: int, i: int, earliest: float) -> bool:
        """Whether some choice of earlier steps makes ``i`` a match of step ``k``, the first not before ``earliest``."""
        if not self.holds(term["sequence"][k], i) or self.steps[i].at < earliest:
            return False
        earlier = [j for j in range(i) if self.steps[j].at < self.steps[i].at]
        return k == 0 or any(self._begins(term, k - 1, j, earliest) for j in earlier)

    def _beginnings(self, term: Mapping[str, Any], i: int) -> list[int]:
        found = []
        for j in range(i + 1):
            known = [k for k in range(j) if self.holds(term["count"], k) is not None]
            held = [k for k in known if self.holds(term["count"], k)]
            goes_on = held and held[-1] == known[-1] and self.steps[j].at - self.steps[held[-1]].at <= SILENCE
            if self.holds(term["count"], j) and not goes_on:
                found.append(j)
        return found

    def _count(self, term: Mapping[str, Any], i: int) -> bool | None:
        after = self.steps[i].at - seconds(term["in"]) + EPSILON
        if sum(self.steps[j].at > after for j in self._beginnings(term, i)) >= term["at_least"]:
            return True
        return None if self.holds(term["count"], i) is None else False

    def _schedule(self, term: Mapping[str, Any], i: int) -> bool | None:
        clock = datetime.fromtimestamp(self.steps[i].at, UTC).strftime("%H:%M")
        spans: list[str] = term["schedule"]
        return any(span[:5] <= clock < span[6:] for span in spans)

    def evidence(self, term: Mapping[str, Any], i: int) -> Found | None:
        """What made ``term`` hold at step ``i``."""
        if not self.holds(term, i):
            return None
        if "event" in term:
            detection = self.steps[self._own(term.get("zone"), i)[-1]].detection
            assert detection
            return term["event"], term.get("zone"), detection.scores[term["event"]], term["on"]
        inner: list[Found | None] = []
        if "sequence" in term:
            inner = [self._proof(term, len(term["sequence"]) - 1, i)]
        elif "count" in term:
            inner = [self.evidence(term["count"], self._beginnings(term, i)[-1])]
        elif "k_of_n" in term:
            inner = [self.evidence(term["k_of_n"], j) for j in self._counted(term, i)]
        elif "not" not in term and "absent" not in term:
            inner = [self.evidence(part, i) for part in parts(term)]
        best = min if "all" in term else max
        return best((found for found in inner if found), key=lambda found: found[2], default=None)

    def _proof(self, term: Mapping[str, Any], k: int, i: int) -> Found | None:
        found = self.evidence(term["sequence"][k], i)
        if found or k == 0:
            return found
        at = self.steps[i].at
        span = seconds(term["within"]) + EPSILON
        matched = [
            j for j in range(i)
            if self.steps[j].at < at and self._begins(term, k - 1, j, self.steps[j].at - span)
        ]  # fmt: skip
        return self._proof(term, k - 1, matched[-1])


@dataclass
class _Open:
    since: float
    last: float
    found: Found | None = None
    peak: float = 0.0
    interrupted: tuple[float, str] | None = None
    opened: float | None = None
    sent: float = 0.0
    reported: float = 0.0
    severity: str = ""


Told = tuple[str, float, float, float | None, str, Found | None, float, str | None]
"""Type, time, start, end, severity, evidence, peak, reason."""


def alerts_of(  # noqa: PLR0912 - in one piece, so that it can be read from top to bottom
    rule: Mapping[str, Any], stream: Sequence[Seen], end: float, silenced: Sequence[tuple[float, float]] = ()
) -> list[Told]:
    """What ``rule`` tells of ``stream``, closed at ``end``, long after it. ``silenced``: from, until."""
    history = History(rule["when"], stream)
    times = {key: seconds(rule.get(key, 0)) for key in ("for", "gap", "keep_firing_for", "cooldown")}
    told: list[Told] = []
    past: list[_Open] = []
    now: _Open | None = None

    def tell(kind: str, at: float, reason: str | None = None) -> None:
        assert now
        ended = now.last if kind == "end" else None
        told.append((kind, at, now.since, ended, now.severity, now.found, now.peak, reason))
        now.sent, now.reported = at, now.peak

    def due(one: _Open) -> tuple[float, str]:
        """When it ends unless something comes before, and why."""
        firing = one.opened is not None
        hold = max(times["gap"], times["keep_firing_for"]) if firing else times["gap"]
        if one.interrupted:
            return one.interrupted[0] + hold, one.interrupted[1]
        held_on = firing and rule.get("no_data") == "hold"
        return (float("inf") if held_on else one.last + max(hold, SILENCE)), "no_data"

    for i, step in enumerate(history.steps):
        simultaneous = now and now.interrupted and step.at == now.interrupted[0] and len(zones(rule["when"])) > 1
        if now and not simultaneous and step.at >= due(now)[0]:
            at, reason = due(now)
            if now.opened is not None:
                tell("end", at, reason)
                past.append(now)
            now = None
        if step.gap:
            if now and now.opened is None:
                now = None
            elif now and not now.interrupted and rule.get("no_data") != "hold":
                now.interrupted = step.at, "gap"
        elif step.detection is not None and history.holds(rule["when"], i):
            if now is None:
                cooled = (told[-1][1] + times["cooldown"]) if past else float("-inf")
                if step.at < cooled or (past and past[-1].since == step.at):
                    continue
                now = _Open(step.at, step.at)
            now.last, now.interrupted = step.at, None
            now.found = history.evidence(rule["when"], i)
            now.peak = max(now.peak, now.found[2] if now.found else 0.0)
            if now.opened is None:
                silent = any(begin <= step.at < end for begin, end in silenced)
                if step.at - now.since >= times["for"] - EPSILON and not silent:
                    now.opened = step.at
                    now.severity = severity(rule, [*past, now], step.at)
                    tell("new", step.at)
                continue
            graver = severity(rule, [*past, now], step.at)
            quiet = step.at - now.sent
            if graver != now.severity or quiet >= 30 or (quiet >= 1 and now.peak >= now.reported + 0.1):
                now.severity = graver
                tell("update", step.at)
        elif now and step.detection is not None and not now.interrupted:
            now.interrupted = step.at, "ended"
    if now and now.opened is not None:
        at, reason = due(now)
        tell(*(("end", at, reason) if at <= end else ("end", end, "done")))
    return told


def severity(rule: Mapping[str, Any], incidents: Sequence[_Open], at: float) -> str:
    """That of the last of ``incidents``, which fires at ``at``."""
    opened = [one.opened for one in incidents if one.opened is not None]
    reached = [incidents[-1].severity or "warning"]
    for step in rule.get("escalate", ()):
        if "after" in step and at - opened[-1] >= seconds(step["after"]) - EPSILON:
            reached.append(step["severity"])
        if "count" in step:
            since = opened[-1] - seconds(step["in"]) + EPSILON
            if sum(one > since for one in opened) >= step["count"]:
                reached.append(step["severity"])
    return max(reached, key=GRAVITY.index)
