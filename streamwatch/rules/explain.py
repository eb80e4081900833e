"""Why a rule fired, or why it did not: each of its conditions at one time, and since when it has been so."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf, nextafter

from streamwatch.models.detection import CameraState, Detection, Gap
from streamwatch.rules.alert import Alert, AlertType, Incident, IncidentState
from streamwatch.rules.anomaly import Anomaly
from streamwatch.rules.book import RuleBook
from streamwatch.rules.camera import status
from streamwatch.rules.condition import SILENCE, Term
from streamwatch.rules.event import Event
from streamwatch.rules.motion import Motion
from streamwatch.rules.on_cameras import OnCameras
from streamwatch.rules.part import Part
from streamwatch.rules.places import LOST, lost
from streamwatch.rules.rule import Rule
from streamwatch.rules.tree import children, describe, reach

__all__ = ["Explanation", "explain", "horizon", "missing"]

DAY = 86_400.0
LEARNING = 14 * DAY  # in which what ``anomaly`` has learnt fades by half


Row = Detection | Gap | CameraState


@dataclass(frozen=True, slots=True)
class Explanation:
    """``rule`` on ``camera`` at ``at``. ``seen`` is the last detection before; ``cooled`` the time until which no new
    incident begins; ``ended`` the reason for which the last one ended.
    """

    rule: Rule
    camera: str
    at: float
    seen: float | None
    incident: Incident | None
    cooled: float | None
    ended: str | None
    when: Part

    def state(self) -> str:
        """Prometheus' word, or ``cooldown``."""
        if self.incident is not None:
            return self.incident.state.value
        return "inactive" if self.cooled is None else "cooldown"

    def lacks(self) -> list[str]:
        """What would have to be otherwise for it to fire, one thing a line; empty if it fires."""
        found = [f"{part.path}: {part.text}" for part in missing(self.when)]
        incident = self.incident
        if incident is not None and incident.state is IncidentState.PENDING:
            held = incident.last_matched - incident.since
            found.append(f"for: has held for {held:.3g} of {self.rule.hold:g} s")
        if self.cooled is not None:
            found.append(f"cooldown: {self.cooled - self.at:.3g} s are left")
        return [] if self.state() == "firing" else found


class _Probe:
    """A condition of its own for one term, fed with what the rule hears; ``camera``: only with what that one says."""

    __slots__ = ("_camera", "_condition", "_holds", "_path", "_probes", "_score", "_since", "_term")

    def __init__(self, term: Term, path: str, camera: str = "") -> None:
        self._term = term
        self._path = path
        self._camera = camera
        self._condition = term.start()
        inside = [] if isinstance(term, OnCameras) else children(term)
        self._probes = [_Probe(inner, f"{path}.{place}") for place, inner in inside]
        self._holds: bool | None = None
        self._since: float | None = None
        self._score: float | None = None

    def observe(self, detection: Detection) -> None:
        if self._camera not in ("", detection.camera):
            return
        if self._camera and detection.zone == LOST:
            self.reset(detection.end)
            return
        if isinstance(self._term, OnCameras):
            self._place(self._term, detection.camera)
        self._set(self._condition.observe(detection), detection.end)
        if detection.zone in self._term.zones:
            self._score = _number(self._term, detection)
        for probe in self._probes:
            probe.observe(detection)

    def reset(self, at: float) -> None:
        self._condition.reset()
        self._score = None
        self._set(None, at)
        for probe in self._probes:
            probe.reset(at)

    def _place(self, term: OnCameras, camera: str) -> None:
        """A probe for each step that is about ``camera``, when it is first heard."""
        if all(probe._camera != camera for probe in self._probes):
            about = dict(term.started(camera))
            places = enumerate(children(term))
            self._probes += [_Probe(step, f"{self._path}.{place}", camera) for i, (place, step) in places if i in about]
            self._probes.sort(key=lambda probe: (probe._path, probe._camera))

    def part(self) -> Part:
        threshold = self._term.on if isinstance(self._term, Event | Motion) else None
        parts = tuple(probe.part() for probe in self._probes)
        text = describe(self._term) + (f" on {self._camera}" if self._camera else "")
        return Part(self._path, text, self._holds, self._since, self._score, threshold, parts=parts)

    def _set(self, holds: bool | None, at: float) -> None:
        if holds is not self._holds or self._since is None:
            self._holds, self._since = holds, at


class _Story:
    """What the rule and each of its conditions made of the rows so far."""

    def __init__(self, rule: Rule, others: Sequence[Rule]) -> None:
        self.book = RuleBook([rule, *(other for other in others if other.name != rule.name)], "explain", lateness=0.0)
        self.probe = _Probe(rule.when, "when")
        self.seen = -inf
        self.cooled = -inf
        self.ended: str | None = None
        self._rule = rule
        self._states: dict[str, str] = {}

    def take(self, row: Row) -> None:
        if isinstance(row, Gap):
            self.hear(self.book.gap(row.camera, row.at))
            if self._rule.scope == "site":
                self.probe.observe(lost(row.camera, row.at))
            else:
                self.probe.reset(row.at)
        elif isinstance(row, CameraState):
            self._states[row.camera] = row.state
            self.hear(self.book.camera(row.camera, row.state, row.at))
            self._probe(status(row.camera, row.state, row.at))
        else:
            if (state := self._states.get(row.camera)) is not None:  # it goes on
                self._probe(status(row.camera, state, row.end))
            self.hear(self.book.tick(nextafter(row.end, -inf)))
            self.hear(self.book.observe(row))
            self._probe(row)

    def hear(self, alerts: Iterable[Alert]) -> None:
        for alert in alerts:
            if alert.type is AlertType.END and alert.rule == self._rule.name:
                self.cooled, self.ended = alert.time + self._rule.cooldown, alert.annotations["end_reason"]

    def _probe(self, detection: Detection) -> None:
        if detection.zone not in self._rule.when.zones:
            return
        if abs(detection.end - self.seen) > SILENCE:
            self.probe.reset(detection.end)
            self.seen = detection.end
        self.seen = max(self.seen, detection.end)
        self.probe.observe(detection)


def explain(rows: Iterable[Row], rule: Rule, others: Sequence[Rule], camera: str, at: float) -> Explanation:
    """What ``rule`` knew of ``camera`` at ``at``. ``rows`` are in order of time; later ones are ignored, and those of
    other cameras unless the rule joins them. ``others`` are the rules beside it, one of which may inhibit it.

    Each condition is followed by itself, so those inside a ``sequence`` are shown as they are, not as they were when
    their step matched.
    """
    story = _Story(rule, others)
    for row in rows:
        mine = rule.watches(row.camera) if rule.scope == "site" else row.camera == camera
        if mine and (row.end if isinstance(row, Detection) else row.at) <= at:
            story.take(row)
    story.hear(story.book.tick(at))
    if at - story.seen > SILENCE:
        story.probe.reset(story.seen + SILENCE if story.seen > -inf else at)
    incident = next((found for found in story.book.incidents() if found.rule == rule.name), None)
    cooled = story.cooled if incident is None and story.cooled > at else None
    seen = story.seen if story.seen > -inf else None
    return Explanation(rule, camera, at, seen, incident, cooled, story.ended, story.probe.part())


def horizon(rule: Rule, others: Sequence[Rule]) -> float:
    """Seconds before the moment in question that are to be looked at: a day, and what the rule and those of ``others``
    that inhibit it may remember. Of what ``anomaly`` has learnt that is the greater part, not all.
    """
    return DAY + max(_memory(each) for each in [rule, *(other for other in others if other.name in rule.inhibited_by)])


def _memory(rule: Rule) -> float:
    policy = rule.hold + rule.keep_firing_for + rule.cooldown
    repetition = max((step.span or step.after or 0.0 for step in rule.escalate), default=0.0)
    return policy + repetition + reach(rule.when) + (LEARNING if _learns(rule.when) else 0.0)


def _learns(term: Term) -> bool:
    return isinstance(term, Anomaly) or any(_learns(inner) for _, inner in children(term))


def missing(part: Part, wanted: bool = True) -> list[Part]:
    """The innermost conditions that keep ``part`` from being as ``wanted``."""
    if part.holds is wanted:
        return []
    if part.operator == "not":
        return missing(part.parts[0], not wanted)
    if part.operator in ("all", "any"):
        return [found for inner in part.parts for found in missing(inner, wanted)]
    return [part]


def _number(term: Term, detection: Detection) -> float | None:
    if isinstance(term, Event):
        return detection.scores.get(term.name)
    return detection.motion if isinstance(term, Motion) else None
