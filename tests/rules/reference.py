"""The rules once more, slow and obvious: every question is answered by looking through the whole history.

Nothing is remembered between two detections but the history itself; deadlines are looked for at each instant. Times
never go back here.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from itertools import permutations
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
    return [part for key in ("all", "any", "sequence", "on_cameras") if key in term for part in term[key]] + inner


def across(term: Mapping[str, Any]) -> bool:
    """Whether it joins cameras."""
    return "on_cameras" in term or any(map(across, parts(term)))


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
        self._when = when  # its parts are known by their identity: they must stay
        self._known: dict[tuple[int, int], bool | None] = {}
        self._begun: dict[tuple[int, int], bool] = {}
        self._tracks: dict[tuple[str, str], list[tuple[int, float, bool | None]]] = {}

    def holds(self, term: Mapping[str, Any], i: int) -> bool | None:
        """Whether ``term`` holds after step ``i``."""
        key = id(term), i
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
        return [j for j in range(i + 1) if self._begin(term, j)]

    def _begin(self, term: Mapping[str, Any], j: int) -> bool:
        """Whether what is counted begins at step ``j``."""
        key = id(term), j
        if key not in self._begun:
            known = [k for k in range(j) if self.holds(term["count"], k) is not None]
            held = [k for k in known if self.holds(term["count"], k)]
            goes_on = held and held[-1] == known[-1] and self.steps[j].at - self.steps[held[-1]].at <= SILENCE
            self._begun[key] = self.holds(term["count"], j) is True and not goes_on
        return self._begun[key]

    def _count(self, term: Mapping[str, Any], i: int) -> bool | None:
        after = self.steps[i].at - seconds(term["in"]) + EPSILON
        if sum(self.steps[j].at > after for j in self._beginnings(term, i)) >= term["at_least"]:
            return True
        return None if self.holds(term["count"], i) is None else False

    def _on_cameras(self, term: Mapping[str, Any], i: int) -> bool | None:
        now = self.steps[i].at
        since = now - seconds(term["within"]) - EPSILON
        cells = [
            (k, camera, self._track(step, camera, i))
            for k, step in enumerate(term["on_cameras"])
            for camera in {s.detection.camera for s in self.steps[: i + 1] if s.detection}
            if any(fnmatchcase(camera, glob) for glob in step["cameras"])
        ]
        fresh = [(k, camera) for k, camera, track in cells if now - track[-1][0] <= SILENCE and track[-1][1] is True]
        if term.get("in_order"):
            last = len(term["on_cameras"]) - 1
            tracks = {(k, camera): track for k, camera, track in cells}
            found = any(k == last and self._chained(tracks, k, camera, since) for k, camera in fresh)
        else:
            counted = {(k, c) for k, c, track in cells if any(holds and at >= since for at, holds in track)}
            found = _enough(term, counted) and any(cell in counted for cell in fresh)
        unsure = not cells or any(now - track[-1][0] > SILENCE or track[-1][1] is None for _, _, track in cells)
        return True if found else None if unsure else False

    def _track(self, step: Mapping[str, Any], camera: str, i: int) -> list[tuple[float, bool | None]]:
        """What ``step`` was at each detection of ``camera`` up to ``i``."""
        key = json.dumps(step), camera
        if key not in self._tracks:
            mine = [(j, s) for j, s in enumerate(self.steps) if s.detection and s.detection.camera == camera]
            alone = History(step, [s for _, s in mine])
            known = [alone.holds(step, j) for j, s in enumerate(alone.steps) if s.detection]
            self._tracks[key] = [(j, s.at, holds) for (j, s), holds in zip(mine, known, strict=True)]
        return [(at, holds) for j, at, holds in self._tracks[key] if j <= i]

    def _chained(self, tracks: Mapping[tuple[int, str], Any], k: int, camera: str, since: float) -> bool:
        """Whether step ``k``, which holds at the last detection of ``camera``, ends a chain begun since ``since``."""

        def chains(k: int, camera: str, at: float) -> bool:
            if k == 0:
                return at >= since
            return any(
                step == k - 1 and other != camera and holds and before < at and chains(k - 1, other, before)
                for (step, other), track in tracks.items()
                for before, holds in track
            )

        return chains(k, camera, tracks[k, camera][-1][0])

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
        elif "not" not in term and "absent" not in term and "on_cameras" not in term:
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


@dataclass(frozen=True)
class Told:
    """What is compared of an alert."""

    kind: str
    state: str
    at: float
    since: float
    ended: float | None
    severity: str
    found: Found | None
    peak: float
    reason: str | None
    snoozed: bool
    seq: int


@dataclass(frozen=True)
class Ordered:
    """At ``at`` somebody acknowledges what fires (``span`` None), or snoozes the rule for so many seconds."""

    at: float
    span: float | None


def _enough(term: Mapping[str, Any], counted: set[tuple[int, str]]) -> bool:
    cameras = sorted({camera for _, camera in counted})
    if "at_least" in term:
        return len(cameras) >= int(term["at_least"])
    seatings = permutations(cameras, len(term["on_cameras"]))
    return any(all((k, camera) in counted for k, camera in enumerate(seating)) for seating in seatings)


@dataclass
class _Open:
    since: float
    last: float
    found: Found | None = None
    peak: float = 0.0
    interrupted: tuple[float, str] | None = None
    opened: float | None = None
    sent: float = float("-inf")
    reported: float = 0.0
    severity: str = ""
    announced: bool = False
    heard_of: bool = False
    owed: bool = False
    acknowledged: bool = False
    seq: int = 0


class _Teller:
    """The incidents of one rule, told one after another."""

    def __init__(self, rule: Mapping[str, Any], silenced: Sequence[tuple[float, float]]) -> None:
        self.rule = rule
        self.several = len(zones(rule["when"])) > 1 or across(rule["when"])
        self.times = {key: seconds(rule.get(key, 0)) for key in ("for", "gap", "keep_firing_for", "cooldown")}
        self.silenced = silenced
        self.told: list[Told] = []
        self.past: list[_Open] = []
        self.now: _Open | None = None
        self.until = self.cooled = self.hushed = float("-inf")

    def tell(self, now: _Open, kind: str, at: float, *, withheld: bool = False, reason: str | None = None) -> None:
        at = max(at, now.sent)
        state = "pending" if now.opened is None else "acknowledged" if now.acknowledged else "firing"
        if kind == "end":
            state = "withdrawn" if now.opened is None else "closed"
        ended = now.last if kind == "end" else None
        told = Told(kind, state, at, now.since, ended, now.severity, now.found, now.peak, reason, withheld, now.seq)
        self.told.append(told)
        now.sent, now.reported, now.owed = at, now.peak, withheld
        if not withheld:
            now.seq += 1
            now.heard_of = True

    def due(self, one: _Open) -> tuple[float, str]:
        """When it ends unless something comes before, and why."""
        firing = one.opened is not None
        hold = max(self.times["gap"], self.times["keep_firing_for"]) if firing else self.times["gap"]
        if one.interrupted:
            return one.interrupted[0] + hold, one.interrupted[1]
        held_on = firing and self.rule.get("no_data") == "hold"
        return (float("inf") if held_on else one.last + max(hold, SILENCE)), "no_data"

    def end(self, at: float, reason: str) -> None:
        now, self.now = self.now, None
        if now and now.announced:
            self.past.append(now)
            self.tell(now, "end", at, withheld=not now.heard_of, reason=reason)
            if now.heard_of and now.opened is None:
                self.hushed = at + self.times["cooldown"]
            elif now.heard_of:
                self.cooled = at + self.times["cooldown"]

    def pass_time(self, at: float) -> None:
        """What happens by ``at`` if nothing else does."""
        now = self.now
        if not now:
            return
        due, reason = self.due(now)
        if now.owed and self.until <= at and self.until < due:
            self.tell(now, "update" if now.heard_of else "new", self.until)
        simultaneous = now.interrupted and at == now.interrupted[0] and self.several
        if at >= due and not simultaneous:
            self.end(due, reason)

    def obey(self, order: Ordered) -> None:
        now = self.now
        if order.span is None:
            if now and now.opened is not None and now.heard_of and not now.acknowledged:
                now.acknowledged = True
                self.tell(now, "update", order.at)
            return
        self.until = order.at + order.span
        if now and now.owed and self.until <= order.at:
            self.tell(now, "update" if now.heard_of else "new", order.at)

    def lose(self, at: float) -> None:
        """The stream broke."""
        if self.now and self.now.opened is None:
            self.end(at, "gap")
        elif self.now and not self.now.interrupted and self.rule.get("no_data") != "hold":
            self.now.interrupted = at, "gap"

    def match(self, at: float, found: Found | None, filled: float) -> None:
        now = self.now
        if now is None:
            if at < self.cooled or (self.past and self.past[-1].since == at):
                return
            now = self.now = _Open(at, at)
        now.last, now.interrupted, now.found = at, None, found
        now.peak = max(now.peak, found[2] if found else 0.0)
        if now.opened is None and not any(begin <= at < end for begin, end in self.silenced):
            early = self.rule.get("early")
            if at - now.since >= self.times["for"] - EPSILON and (not early or filled >= early["filled"]):
                now.opened = at
                now.severity = severity(self.rule, [*self.past, now], at)
                self.speak(now, at)
                return
            warns = early and at - now.since >= seconds(early["after"]) - EPSILON
            if warns and not now.announced and at >= self.hushed:
                now.severity = "warning"
                self.speak(now, at)
                return
        if not now.announced or now.acknowledged:
            return
        graver = now.severity if now.opened is None else severity(self.rule, [*self.past, now], at)
        quiet = at - now.sent
        if graver != now.severity or quiet >= 30 or (quiet >= 1 and now.peak >= now.reported + 0.1):
            now.severity = graver
            self.speak(now, at)

    def speak(self, now: _Open, at: float) -> None:
        self.tell(now, "update" if now.announced else "new", at, withheld=at < self.until)
        now.announced = True


def alerts_of(
    rule: Mapping[str, Any],
    stream: Sequence[Seen],
    end: float,
    silenced: Sequence[tuple[float, float]] = (),
    orders: Sequence[Ordered] = (),
) -> list[Told]:
    """What ``rule`` tells of ``stream``, closed at ``end``, long after it. ``silenced``: from, until."""
    history = History(rule["when"], stream)
    teller = _Teller(rule, silenced)
    happened: list[tuple[float, int | Ordered]] = [(step.at, i) for i, step in enumerate(history.steps)]
    for at, what in sorted([*happened, *((order.at, order) for order in orders)], key=lambda one: one[0]):
        teller.pass_time(at)
        if isinstance(what, Ordered):
            teller.obey(what)
            continue
        step = history.steps[what]
        if step.gap:
            teller.lose(at)
        elif step.detection is not None and history.holds(rule["when"], what):
            teller.match(at, history.evidence(rule["when"], what), step.detection.filled)
        elif teller.now and step.detection is not None and not teller.now.interrupted:
            teller.now.interrupted = at, "ended"
    teller.pass_time(end)
    teller.end(end, "done")
    return teller.told


def missing_of(rule: Mapping[str, Any], stream: Sequence[Seen], end: float) -> list[tuple[str, float, float]]:
    """What ``rule`` with ``no_data: alert`` tells of data that are missing: type, time, start."""
    own = sorted({s.at for s in stream if s.detection and s.detection.zone in zones(rule["when"])})
    told = []
    for last, after in zip(own, [*own[1:], end][: len(own)], strict=True):
        if after - last >= SILENCE:
            told += [("new", last + SILENCE, last), ("end", after, last)]
    return told


def fires(told: Sequence[Told]) -> list[tuple[float, float]]:
    """From when until when incidents fired that were heard of."""
    spans, begun = [], None
    for one in told:
        if one.state == "firing" and begun is None and not one.snoozed:
            begun = one.at
        if one.kind == "end":
            if begun is not None:
                spans.append((begun, one.at))
            begun = None
    return spans


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
