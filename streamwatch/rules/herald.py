"""What is told of an incident: which messages, under which number, in which state, and what a snooze withholds."""

from dataclasses import replace
from math import inf

from streamwatch.rules.alert import Acknowledged, Alert, AlertType, Cause, IncidentState
from streamwatch.rules.part import Part
from streamwatch.rules.rule import Rule
from streamwatch.rules.stretch import Stretch
from streamwatch.rules.template import Template

__all__ = ["Herald"]

_NO_DATA = Template("No data from {camera} for {rule}")


class Herald:
    """Writes the alerts about incidents of ``rule`` on ``camera`` (empty: on that of each incident).

    Before ``until`` (UTC s) they are snoozed: withheld, but for the end of what was told of and acknowledgements.
    Alerts withheld count no ``seq``: those told have no holes.
    """

    __slots__ = ("_camera", "_cause", "_rule", "until")

    def __init__(self, rule: Rule, camera: str, cause: Cause = Cause.CONDITION) -> None:
        self._rule = rule
        self._camera = camera
        self._cause = cause
        self.until = -inf

    def due(self, stretch: Stretch) -> float:
        """When what a snooze withheld of ``stretch`` is to be told; never, if it withheld nothing."""
        return self.until if stretch.owed else inf

    def new(self, at: float, stretch: Stretch, why: Part | None = None) -> Alert:
        """The first word about ``stretch``."""
        stretch.why = why
        stretch.announced = True
        stretch.told = stretch.told or not at < self.until
        return self._say(AlertType.NEW, at, stretch, snoozed=not stretch.told)

    def update(self, at: float, stretch: Stretch, why: Part | None = None) -> Alert:
        """There is something new about ``stretch``."""
        stretch.why = why
        return self._say(AlertType.UPDATE, at, stretch, snoozed=at < self.until)

    def resume(self, at: float, stretch: Stretch) -> Alert:
        """Tell what was withheld; the snooze is over."""
        kind = AlertType.UPDATE if stretch.told else AlertType.NEW
        stretch.told = True
        return self._say(kind, at, stretch)

    def acknowledge(self, by: Acknowledged, stretch: Stretch) -> Alert:
        """Somebody has taken note of ``stretch``."""
        stretch.acknowledged = by
        stretch.why = None
        return self._say(AlertType.UPDATE, by.time, stretch)

    def end(self, at: float, stretch: Stretch, reason: str) -> Alert:
        """The last word about ``stretch``, for ``reason``."""
        stretch.why = None
        alert = self._say(AlertType.END, at, stretch, snoozed=not stretch.told)
        state = IncidentState.WITHDRAWN if stretch.opened is None else IncidentState.CLOSED
        annotations = {**alert.annotations, "end_reason": reason}
        return replace(alert, state=state, end_time=stretch.last_matched, annotations=annotations)

    def _say(self, kind: AlertType, at: float, stretch: Stretch, snoozed: bool = False) -> Alert:
        rule, evidence = self._rule, stretch.evidence
        at = max(at, stretch.sent)  # an acknowledgement bears the time at which it was given
        seq = stretch.seq
        stretch.seq += not snoozed
        stretch.owed = snoozed
        stretch.sent = at
        stretch.reported = stretch.peak
        score = evidence.score if evidence else 0.0
        values = self._values(stretch)
        return Alert(
            id=stretch.id,
            seq=seq,
            type=kind,
            camera=stretch.camera or self._camera,
            rule=rule.name,
            event=evidence.event if evidence else None,
            zone=evidence.zone if evidence else None,
            severity=stretch.severity,
            score=score,
            peak_score=stretch.peak,
            threshold=evidence.threshold if evidence else None,
            start_time=stretch.since,
            time=at,
            end_time=None,
            summary=(rule.summary if self._cause is Cause.CONDITION else _NO_DATA).render(values),
            labels={**dict(rule.labels), **stretch.labels()},
            annotations={name: template.render(values) for name, template in rule.annotations},
            model=stretch.model,
            rule_hash=rule.rule_hash,
            shadow=rule.shadow,
            snoozed=snoozed,
            state=stretch.state(),
            cause=self._cause,
            acknowledged=stretch.acknowledged,
            why=stretch.why,
        )

    def _values(self, stretch: Stretch) -> dict[str, str]:
        evidence = stretch.evidence
        return {
            "camera": stretch.camera or self._camera,
            "rule": self._rule.name,
            "event": (evidence.event or "") if evidence else "",
            "score": f"{evidence.score if evidence else 0.0:.2f}",
            "zone": (evidence.zone or "") if evidence else "",
            "severity": stretch.severity,
        }
