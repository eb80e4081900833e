"""Why a rule fired, or why it did not: each of its conditions at one time, and since when it has been so."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf

from streamwatch.models.detection import CameraState, Detection, Gap
from streamwatch.rules.alert import Alert, AlertType, Incident, IncidentState
from streamwatch.rules.book import RuleBook
from streamwatch.rules.camera import status
from streamwatch.rules.condition import SILENCE, Term
from streamwatch.rules.event import Event
from streamwatch.rules.motion import Motion
from streamwatch.rules.part import Part
from streamwatch.rules.rule import Rule
from streamwatch.rules.tree import children, describe

__all__ = ["Explanation", "explain", "missing"]


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
    """A condition of its own for one term, fed with what the rule hears."""

    __slots__ = ("_condition", "_holds", "_path", "_probes", "_score", "_since", "_term")

    def __init__(self, term: Term, path: str) -> None:
        self._term = term
        self._path = path
        self._condition = term.start()
        self._probes = tuple(_Probe(inner, f"{path}.{place}") for place, inner in children(term))
        self._holds: bool | None = None
        self._since: float | None = None
        self._score: float | None = None

    def observe(self, detection: Detection) -> None:
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

    def part(self) -> Part:
        threshold = self._term.on if isinstance(self._term, Event | Motion) else None
        parts = tuple(probe.part() for probe in self._probes)
        text = describe(self._term)
        return Part(self._path, text, self._holds, self._since, self._score, threshold, parts=parts)

    def _set(self, holds: bool | None, at: float) -> None:
        if holds is not self._holds or self._since is None:
            self._holds, self._since = holds, at


class _Story:
    """What the rule and each of its conditions made of the rows so far."""

    def __init__(self, rule: Rule, others: Sequence[Rule], camera: str) -> None:
        self.book = RuleBook([rule, *(other for other in others if other.name != rule.name)], "explain", lateness=0.0)
        self.probe = _Probe(rule.when, "when")
        self.seen = -inf
        self.cooled = -inf
        self.ended: str | None = None
        self._rule = rule
        self._camera = camera
        self._state: str | None = None

    def take(self, row: Row) -> None:
        if isinstance(row, Gap):
            self.hear(self.book.gap(self._camera, row.at))
            self.probe.reset(row.at)
        elif isinstance(row, CameraState):
            self._state = row.state
            self.hear(self.book.camera(self._camera, row.state, row.at))
            self._probe(status(self._camera, row.state, row.at))
        else:
            if self._state is not None:  # it goes on
                self._probe(status(self._camera, self._state, row.end))
            self.hear(self.book.tick(row.end))
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
    """What ``rule`` knew of ``camera`` at ``at``. ``rows`` are in order of time; those of other cameras and later ones
    are ignored. ``others`` are the rules beside it, one of which may inhibit it.

    Each condition is followed by itself, so those inside a ``sequence`` are shown as they are, not as they were when
    their step matched.
    """
    story = _Story(rule, others, camera)
    for row in rows:
        if row.camera == camera and (row.end if isinstance(row, Detection) else row.at) <= at:
            story.take(row)
    story.hear(story.book.tick(at))
    if at - story.seen > SILENCE:
        story.probe.reset(story.seen + SILENCE if story.seen > -inf else at)
    incident = next((found for found in story.book.incidents() if found.rule == rule.name), None)
    cooled = story.cooled if incident is None and story.cooled > at else None
    seen = story.seen if story.seen > -inf else None
    return Explanation(rule, camera, at, seen, incident, cooled, story.ended, story.probe.part())


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
