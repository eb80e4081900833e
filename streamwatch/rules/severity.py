"""How grave an alert is, and what makes it graver.

``escalate: [{after: 30s, severity: critical}, {count: 3, in: 1h, severity: critical}]``: an incident that has fired
for ``after`` and still matches, or that is the ``count``-th on its camera to begin to fire within less than ``in``,
has that severity from then on. Of several the gravest counts; within one incident severity never falls.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from streamwatch.document import nearest
from streamwatch.rules.condition import EPSILON
from streamwatch.rules.duration import Duration

__all__ = ["SEVERITIES", "Escalation", "EscalationKeys", "Severity", "gravest", "severity_named"]

SEVERITIES = ("info", "warning", "critical")


def severity_named(value: str) -> str:
    """``value`` if it is one of SEVERITIES. Raises ValueError."""
    if value not in SEVERITIES:
        raise ValueError(f"severity {value[:64]!r} is not one of {', '.join(SEVERITIES)}{nearest(value, SEVERITIES)}")
    return value


def gravest(*severities: str) -> str:
    """The last of these in SEVERITIES."""
    return max(severities, key=SEVERITIES.index)


Severity = Annotated[str, AfterValidator(severity_named)]


@dataclass(frozen=True, slots=True)
class Escalation:
    """Raise to ``severity`` after so many seconds of firing, or at the ``count``-th incident within ``span`` seconds.

    Either ``after`` is given, or ``count`` and ``span``; the others are None.
    """

    severity: str
    after: float | None
    count: int | None
    span: float | None

    def due(self, at: float, begun: float, opened: Sequence[float]) -> bool:
        """Whether an incident that began to fire at ``begun`` is so grave at ``at``; ``opened`` ends with ``begun`` and
        holds when those before it began to fire, as many as are to be counted.
        """
        if self.after is not None:
            return at - begun >= self.after - EPSILON
        if self.count is None or self.span is None or len(opened) < self.count:
            return False
        return begun - opened[-self.count] < self.span - EPSILON


class EscalationKeys(BaseModel):
    """One entry of ``escalate`` as written."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    severity: Severity
    after: Annotated[Duration, Field(gt=0)] | None = None
    count: Annotated[int, Field(ge=2, le=1000)] | None = None
    span: Annotated[Duration, Field(gt=0)] | None = Field(None, alias="in")

    @model_validator(mode="after")
    def _one_reason(self) -> "EscalationKeys":
        if (self.after is None) == (self.count is None) or (self.count is None) != (self.span is None):
            raise ValueError("give either after, or count and in")
        return self

    def escalation(self) -> Escalation:
        """The same, ready to run."""
        return Escalation(self.severity, self.after, self.count, self.span)
