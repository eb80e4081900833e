"""A rule, and how rules are read from a document: every fault found is named with file, path and nearest right word."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from streamwatch.config import explain
from streamwatch.errors import RuleError
from streamwatch.rules.camera import STATUS
from streamwatch.rules.condition import Term
from streamwatch.rules.duration import Duration
from streamwatch.rules.early import Early, EarlyChoice
from streamwatch.rules.on_cameras import fault_of_join, hears, joins
from streamwatch.rules.operators import parse_condition
from streamwatch.rules.severity import Escalation, EscalationKeys, Severity, gravest, severity_named
from streamwatch.rules.template import Template
from streamwatch.rules.vocabulary import Vocabulary

__all__ = ["Rule", "RuleFile", "hash_of", "parse_rules"]

_SUMMARY = "{rule} at {camera}"


def _template(value: str) -> str:
    Template(value)
    return value


Glob = Annotated[str, Field(pattern=r"^[a-z0-9_*?\[\]!-]{1,64}$")]
RuleName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
LabelName = Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]{0,63}$")]
LabelValue = Annotated[str, Field(max_length=256)]
Annotation = Annotated[str, Field(max_length=1024), AfterValidator(_template)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    alert: RuleName
    cameras: Annotated[tuple[Glob, ...], Field(min_length=1, max_length=256)] = ("*",)
    when: object
    hold: Duration = Field(0.0, alias="for")
    gap: Duration = 0.0
    keep_firing_for: Duration = 0.0
    cooldown: Duration = 0.0
    no_data: Literal["close", "hold", "alert"] = "close"
    early: EarlyChoice = None
    inhibited_by: Annotated[tuple[RuleName, ...], Field(max_length=64)] = ()
    group_by: Annotated[tuple[Literal["camera", "rule"], ...], Field(min_length=1)] | None = None
    severity: Severity | None = None
    escalate: Annotated[tuple[EscalationKeys, ...], Field(max_length=16)] = ()
    labels: Annotated[dict[LabelName, LabelValue], Field(max_length=32)] = {}
    annotations: Annotated[dict[LabelName, Annotation], Field(max_length=32)] = {}
    shadow: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> "_Entry":
        if self.gap and self.gap >= self.hold:
            raise ValueError(f"gap ({self.gap:g}s) must be below for ({self.hold:g}s); with for: 0, gap must be 0")
        label = self.labels.get("severity")
        if label is not None and severity_named(label) != (self.severity or label):
            raise ValueError(f"severity is {self.severity!r}, but labels.severity is {label!r}; give one")
        if self.alert in self.inhibited_by:
            raise ValueError(f"inhibited_by: {self.alert!r} is this rule itself")
        if self.early is not None and 0 < self.hold <= self.early.after:
            raise ValueError(f"early.after ({self.early.after:g}s) must be below for ({self.hold:g}s)")
        for step in self.escalate:
            if gravest(step.severity, self.gravity) == self.gravity:
                raise ValueError(f"escalate: {step.severity!r} is not above the rule's severity, {self.gravity!r}")
        return self

    @property
    def gravity(self) -> str:
        """The severity, wherever it was given."""
        return self.severity or self.labels.get("severity", "warning")


class RuleFile(BaseModel):
    """A rule file as written; ``when`` is read by the operators."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    rules: Annotated[list[_Entry], Field(min_length=1, max_length=1000)]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule ready to run. ``hold`` is the file's ``for``; durations are seconds; ``labels`` hold the severity too.

    ``scope`` says what an incident belongs to: a ``camera``; a ``group``, the rule on all its cameras, on each of which
    it is evaluated by itself; the ``site``, if its condition joins cameras.

    ``rule_hash`` is the start of the SHA-256 of its canonical JSON: equal exactly if nothing in it changed.
    """

    name: str
    cameras: tuple[str, ...]
    when: Term
    hold: float
    gap: float
    keep_firing_for: float
    cooldown: float
    no_data: str
    early: Early | None
    inhibited_by: tuple[str, ...]
    scope: str
    severity: str
    escalate: tuple[Escalation, ...]
    labels: tuple[tuple[str, str], ...]
    summary: Template
    annotations: tuple[tuple[str, Template], ...]
    shadow: bool
    rule_hash: str
    where: str

    def watches(self, camera: str) -> bool:
        """Whether one of its globs matches the name, and its condition is about that camera if it joins several."""
        mine = any(fnmatchcase(camera, pattern) for pattern in self.cameras)
        return mine and (self.scope != "site" or hears(self.when, camera))


def hash_of(rules: Iterable[Rule]) -> str:
    """The start of the SHA-256 of what ``rules`` say: equal exactly if the same are in force, in whatever files."""
    hashes = sorted(rule.rule_hash for rule in rules)
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()[:16]


def parse_rules(document: object, where: str, vocabulary: Vocabulary) -> tuple[Rule, ...]:
    """The rules in ``document``; ``where`` names its file. Raises RuleError with every fault found, one a line."""
    if not isinstance(document, dict):
        raise RuleError(f"{where}: must be a mapping with 'rules:', a list of rules")
    try:
        entries = RuleFile.model_validate(document).rules
    except ValidationError as error:
        raise RuleError(explain(error, where, RuleFile)) from None
    rules: list[Rule] = []
    faults: list[str] = []
    names: set[str] = set()
    for i, entry in enumerate(entries):
        place = f"{where}: rules[{i}]"
        if entry.alert in names:
            faults.append(f"{place}.alert: name {entry.alert!r} is used twice")
        names.add(entry.alert)
        faults += [f"{place}.cameras: {fault}" for g in entry.cameras if (fault := vocabulary.fault_of_camera(g))]
        try:
            when = parse_condition(entry.when, f"{place}.when", vocabulary, entry.cameras)
            rules.append(_rule(entry, when, place))
        except RuleError as error:
            faults.append(str(error))
    if faults:
        raise RuleError("\n".join(faults))
    return tuple(rules)


def _scope(entry: _Entry, when: Term, where: str) -> str:
    if not when.zones:
        raise RuleError(f"{where}.when: hears no detection; join it with an event, motion or camera by all")
    if entry.no_data == "alert" and when.zones == {STATUS}:
        raise RuleError(f"{where}.no_data: alert: the rule needs no data; it looks only at the camera's state")
    grouped = entry.group_by is not None and "camera" not in entry.group_by
    if not joins(when):
        return "group" if grouped else "camera"
    if fault := fault_of_join(when):
        raise RuleError(f"{where}.when: {fault}")
    if entry.group_by is not None and not grouped:
        raise RuleError(f"{where}.group_by: on_cameras has one incident for all its cameras; leave group_by out")
    return "site"


def _rule(entry: _Entry, when: Term, where: str) -> Rule:
    return Rule(
        name=entry.alert,
        cameras=entry.cameras,
        when=when,
        hold=entry.hold,
        gap=entry.gap,
        keep_firing_for=entry.keep_firing_for,
        cooldown=entry.cooldown,
        no_data=entry.no_data,
        early=None if entry.early is None else Early(entry.early.after, entry.early.filled),
        inhibited_by=entry.inhibited_by,
        scope=_scope(entry, when, where),
        severity=entry.gravity,
        escalate=tuple(step.escalation() for step in entry.escalate),
        labels=tuple(sorted({**entry.labels, "severity": entry.gravity}.items())),
        summary=Template(entry.annotations.get("summary", _SUMMARY)),
        annotations=tuple((name, Template(text)) for name, text in sorted(entry.annotations.items())),
        shadow=entry.shadow,
        rule_hash=_hash(entry),
        where=where,
    )


def _written(entry: _Entry) -> dict[str, object]:
    """What differs from the defaults: a key that a later version adds changes no hash."""
    return entry.model_dump(mode="json", exclude_defaults=True)


def _hash(entry: _Entry) -> str:
    canonical = json.dumps(_written(entry), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]
