"""Rules on what has been: the live rule book fed from a log, and what it would have told.

The same rows and rules give the same result, byte for byte: time is that of the rows, nothing reads a clock.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite

from streamwatch.models.detection import CameraState, Detection, Gap
from streamwatch.rules.alert import Alert, AlertType, Cause, IncidentState
from streamwatch.rules.book import RuleBook
from streamwatch.rules.condition import SILENCE
from streamwatch.rules.lull import Lull, begin_of
from streamwatch.rules.rule import Rule
from streamwatch.rules.sight import Coverage, Sight
from streamwatch.rules.tree import events, with_threshold

__all__ = [
    "LEVELS",
    "Change",
    "Entry",
    "Firing",
    "Level",
    "Log",
    "Replay",
    "compare",
    "longest_quiet",
    "replay",
    "sweep",
]

TICK = 2.5  # seconds of event time; with LATENESS and 2 s it must stay below SILENCE, else alerts depend on it
LATENESS = 5.0  # seconds; as in the live book
FAR = 86400.0  # a step of time beyond that is a clock that was set, not time that passed
LEVELS = tuple(round(0.05 * i, 2) for i in range(2, 20))
SALT = "backtest"

Entry = Detection | Gap | CameraState | Lull
Log = Callable[[RuleBook], Iterable[Entry]]
"""What was logged, in order of time, for a book; whoever reads may ask it what it need not hear one by one."""


@dataclass(frozen=True, slots=True)
class Firing:
    """One incident that fired, to its ``end``. Times are those of the log, ``opened`` that of the first alert that
    says so: those withdrawn and those about missing data (``no_data: alert``) are not among them.
    """

    rule: str
    camera: str
    event: str | None
    zone: str | None
    severity: str
    start: float
    opened: float
    end: float
    reason: str
    peak: float
    messages: int
    shadow: bool


@dataclass(frozen=True, slots=True)
class Replay:
    """What the rules told about a log. ``errors`` counts evaluations that raised, by rule."""

    alerts: tuple[Alert, ...]
    firings: tuple[Firing, ...]
    coverage: tuple[Coverage, ...]
    errors: Mapping[str, int]
    late: int

    def days(self) -> float:
        """Camera-days with scores."""
        return sum(camera.seconds for camera in self.coverage) / 86400


@dataclass(frozen=True, slots=True)
class Change:
    """An incident that both sets of rules give, but not the same."""

    old: Firing
    new: Firing


@dataclass(frozen=True, slots=True)
class Level:
    """With the threshold ``on`` the rule ``rule`` would have fired ``firings`` times, ``per_day`` a camera-day."""

    rule: str
    on: float
    firings: int
    per_day: float


def replay(log: Log | Iterable[Entry], rules: Sequence[Rule]) -> Replay:
    """Feed ``log``, in order of time, to a fresh rule book; incidents open at the end are ended there."""
    book = RuleBook(rules, SALT, LATENESS)
    alerts: list[Alert] = []
    sights: dict[str, Sight] = {}
    now = reached = due = -inf  # reached: the newest since the clock was last set back
    for row in log(book) if callable(log) else log:
        at = begin_of(row)
        was_set = SILENCE < reached - at < inf  # back
        if due <= at < inf or was_set:
            alerts += _pass_time(book, due, reached, at)
            due = _next_tick(at)
        if was_set or reached < at < inf:
            reached = at
        if now < (last := row.last if isinstance(row, Lull) else at) < inf:
            now = last
        sight = sights.get(row.camera)
        if sight is None:
            sight = sights[row.camera] = Sight()
        if isinstance(row, Detection):
            if row.zone is None:
                sight.see(at)
            alerts += book.observe(row)
        elif isinstance(row, Lull):
            sight.pass_over(row)
            book.pass_over(row)
        elif isinstance(row, Gap):
            sight.gap()
            alerts += book.gap(row.camera, at)
        else:
            alerts += book.camera(row.camera, row.state, at)
    if isfinite(now):
        alerts += _pass_time(book, due, reached, now + LATENESS)
        alerts += book.tick(now + LATENESS)
        alerts += book.close(now, "end_of_log")
    apart = {rule.name for rule in rules if rule.scope == "camera"}
    # of one incident after another they stay in order, also where a rule about several cameras changes its camera
    alerts.sort(key=lambda alert: (alert.time, alert.camera if alert.rule in apart else "", alert.rule))
    coverage = tuple(sights[camera].coverage(camera) for camera in sorted(sights))
    return Replay(tuple(alerts), _firings(alerts), coverage, dict(sorted(book.errors.items())), sum(book.late.values()))


def compare(old: Sequence[Firing], new: Sequence[Firing]) -> tuple[list[Firing], list[Firing], list[Change]]:
    """Incidents only ``new`` has, only ``old`` has, and those that differ; the same one overlaps in time, in the same
    rule on the same camera.
    """
    added: list[Firing] = []
    changed: list[Change] = []
    left: dict[tuple[str, str], list[Firing]] = {}
    for firing in old:
        left.setdefault((firing.rule, firing.camera), []).append(firing)
    for firing in new:
        candidates = left.get((firing.rule, firing.camera), [])
        match = next((c for c in candidates if c.start <= firing.end and firing.start <= c.end), None)
        if match is None:
            added.append(firing)
            continue
        candidates.remove(match)
        if match != firing:
            changed.append(Change(match, firing))
    gone = [firing for firing in old if firing in left[firing.rule, firing.camera]]
    return added, gone, changed


def longest_quiet(found: Replay) -> tuple[float, float] | None:
    """Since when and for how many seconds no incident was open on any camera, at the longest; None without scores."""
    if not found.coverage:
        return None
    since = min(camera.first for camera in found.coverage)
    best = (since, 0.0)
    edges = [(firing.opened, firing.end) for firing in found.firings if not firing.shadow]
    last = max(camera.last for camera in found.coverage)
    for begin, end in [*edges, (last, last)]:
        if begin - since > best[1]:
            best = (since, begin - since)
        since = max(since, end)
    return best


def sweep(log: Log | Iterable[Entry], rules: Sequence[Rule], levels: Sequence[float] = LEVELS) -> list[Level]:
    """How often each rule with exactly one ``event`` condition would fire if its threshold were another one.

    One pass: the variants are rules like any others.
    """
    swept = [rule for rule in rules if len(events(rule.when)) == 1]
    variants = [
        replace(rule, name=f"{rule.name}@{on}", when=with_threshold(rule.when, on)) for rule in swept for on in levels
    ]
    found = replay(log, [*rules, *variants])  # those in force too: one may inhibit another
    days = found.days()
    counts: dict[str, int] = {}
    for firing in found.firings:
        counts[firing.rule] = counts.get(firing.rule, 0) + 1
    times = {(rule.name, on): counts.get(f"{rule.name}@{on}", 0) for rule in swept for on in levels}
    return [Level(name, on, count, count / days if days else 0.0) for (name, on), count in times.items()]


def _pass_time(book: RuleBook, due: float, reached: float, at: float) -> list[Alert]:
    """Tick from ``due`` to ``at`` as if no row had come: a silent camera's incidents must end.

    If the clock was set meanwhile, time passed up to ``reached`` and goes on at ``at``.
    """
    alerts: list[Alert] = []
    was_set = not -SILENCE <= at - reached < FAR
    until = reached if was_set else at
    while -inf < due <= until:
        alerts += book.tick(due)
        due += TICK
    for moment in (reached, at) if was_set else ():
        alerts += book.tick(moment) if isfinite(moment) else ()
    return alerts


def _next_tick(at: float) -> float:
    """The next after ``at``: at fixed times, whatever rows there are, since rules that join states with detections
    hear both in the order in which they are told.
    """
    return (at // TICK + 1) * TICK


def _firings(alerts: Iterable[Alert]) -> tuple[Firing, ...]:
    opened: dict[str, Alert] = {}
    found: list[Firing] = []
    for alert in alerts:
        if alert.cause is Cause.NO_DATA:  # a log has holes of its own
            continue
        if alert.state is IncidentState.FIRING:
            opened.setdefault(alert.id, alert)
        elif alert.type is AlertType.END and alert.id in opened:  # else it was withdrawn
            found.append(_firing(opened[alert.id], alert))
    return tuple(sorted(found, key=lambda firing: (firing.opened, firing.camera, firing.rule)))


def _firing(new: Alert, end: Alert) -> Firing:
    return Firing(
        rule=new.rule,
        camera=new.camera,
        event=new.event,
        zone=new.zone,
        severity=new.severity,
        start=new.start_time,
        opened=new.time,
        end=new.time if end.end_time is None else end.end_time,
        reason=end.annotations["end_reason"],
        peak=end.peak_score,
        messages=end.seq + 1,
        shadow=new.shadow,
    )
