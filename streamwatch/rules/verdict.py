"""Incidents expected beside those that came, and what to print about it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf

from streamwatch.rules.alert import Alert, AlertType, IncidentState

__all__ = ["Expected", "Verdict", "compare", "incidents_of"]

_SHOWN = ("from", "at", "until", "severity", "reason")


@dataclass(frozen=True, slots=True)
class Expected:
    """An incident of ``rule`` on ``camera``; ``fields`` are those that matter: times in seconds, words."""

    rule: str
    camera: str
    fields: Mapping[str, object]

    def line(self, shown: Iterable[str]) -> str:
        """It as one line with the fields ``shown``."""
        told = ", ".join(f"{name} {_text(self.fields.get(name, 'none'))}" for name in shown)
        return f"{self.rule} on {self.camera}" + (f": {told}" if told else "")

    def agrees(self, came: "Expected") -> bool:
        """Whether all its fields are those of ``came``; times to the millisecond."""
        return all(_text(value) == _text(came.fields.get(name)) for name, value in self.fields.items())


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of one test: passed if no line of ``diff`` begins with - (missing) or + (too much)."""

    name: str
    diff: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether it came as expected."""
        return all(line.startswith(" ") for line in self.diff)


def incidents_of(alerts: Iterable[Alert], start: float) -> list[Expected]:
    """The incidents that ``alerts`` tell of, with every field; times become seconds after ``start``.

    ``at`` is when it began to fire, ``warned`` when it was told of before that: one that was withdrawn has no ``at``,
    one that was certain at once no ``warned``.
    """
    found: dict[str, Expected] = {}
    for alert in alerts:
        before = dict(found[alert.id].fields) if alert.id in found else {}
        moment = "warned" if alert.state is IncidentState.PENDING else "at"
        if alert.state in (IncidentState.PENDING, IncidentState.FIRING):
            before.setdefault(moment, alert.time - start)
        fields: dict[str, object] = {
            **before,
            "cause": alert.cause.value,
            "from": alert.start_time - start,
            "until": alert.time - start if alert.type is AlertType.END else "open",
            "severity": alert.severity,
            "reason": alert.annotations.get("end_reason", "none"),
            **{f"labels.{name}": value for name, value in alert.labels.items()},
        }
        found[alert.id] = Expected(alert.rule, alert.camera, fields)
    return list(found.values())


def compare(name: str, expected: Iterable[Expected], came: Iterable[Expected]) -> Verdict:
    """A line for each incident: as expected, missing (-), too much (+); one that differs is told as both.

    The incidents of one rule on one camera are matched in order of time, those that agree first.
    """
    rest = sorted(came, key=_when)
    lines: list[tuple[tuple[float, str, str], int, str]] = []
    missing = []
    for wanted in sorted(expected, key=_when):
        match = next((c for c in rest if _same(wanted, c) and wanted.agrees(c)), None)
        if match is None:
            missing.append(wanted)
            continue
        rest.remove(match)
        lines.append((_when(match), 0, f"  {wanted.line(wanted.fields)}"))
    for wanted in missing:
        lines.append((_when(wanted), 1, f"- {wanted.line(wanted.fields)}"))
        near = next((c for c in rest if _same(wanted, c)), None)
        if near is not None:
            rest.remove(near)
            lines.append((_when(wanted), 2, f"+ {near.line(wanted.fields)}"))
    for extra in rest:
        shown = (*_SHOWN, "warned") if "warned" in extra.fields else _SHOWN
        lines.append((_when(extra), 2, f"+ {extra.line(shown)}"))
    return Verdict(name, tuple(line for _, _, line in sorted(lines, key=lambda found: found[:2])))


def _same(one: Expected, other: Expected) -> bool:
    return (one.rule, one.camera) == (other.rule, other.camera)


def _when(incident: Expected) -> tuple[float, str, str]:
    at = incident.fields.get("at", incident.fields.get("from"))
    return round(at, 3) if isinstance(at, float | int) else inf, incident.camera, incident.rule


def _text(value: object) -> str:
    if isinstance(value, float | int):
        return f"{value:.3f}".rstrip("0").rstrip(".") + "s"
    return str(value)
