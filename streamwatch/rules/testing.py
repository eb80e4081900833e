"""Tests of rules: scores at simulated times, and the incidents that they must give. The path is the live one, RuleBook.

::

    rule_files: [fall.yml]        # left out: the file beside it, fall.test.yml → fall.yml
    interval: 1s                  # between two values; 1s if left out
    events: [fall]                # what the model scores; left out: what the series name
    tests:
      - name: a fall
        start: 2026-01-05T00:00:00Z          # for schedules; this Monday if left out
        series:
          - {camera: dock, zone: bed, event: fall, values: "0.05x3 0.95x4 0.05x9"}    # camera, zone may be left out
          - {camera: dock, zone: bed, motion: "0.1x20"}
        states:
          - {camera: dock, state: offline, at: 10s}
        lasts: 1m                            # left out: until the last value or state
        alerts:                              # all incidents that fire, and no others
          - {alert: fall, camera: dock, from: 4s, at: 6s, until: 14s, severity: critical, labels: {floor: "2"}}

All times are lengths of time since ``start``. An alert is an incident: ``at`` is when it began to fire, ``from`` when
its condition began to hold, ``until`` when it ended (``open``: it had not); ``severity`` and ``labels`` are those of
its last message, ``reason`` is why it ended. Of a rule with ``early``, ``warned`` is when it was told of while
pending; one that was withdrawn has no ``at``. ``cause: no_data`` is an incident of ``no_data: alert``. What is left
out is not compared, so a test need not know ``for``; ``camera`` may be left out where there is only one. Values are
those of ``series.py``; where no series of a zone has a value there is no detection, where some have the others score
0. Time passes each second; a camera that goes offline, failed or disabled breaks its stream, as live.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from streamwatch.config import explain
from streamwatch.errors import RuleError
from streamwatch.models.detection import Detection, ModelInfo
from streamwatch.rules.alert import Alert
from streamwatch.rules.book import RuleBook
from streamwatch.rules.duration import Duration
from streamwatch.rules.rule import Rule
from streamwatch.rules.series import parse_series
from streamwatch.rules.verdict import Expected, Verdict, compare, incidents_of
from streamwatch.rules.vocabulary import Vocabulary

__all__ = ["Case", "RuleTests", "parse_tests", "try_case", "vocabulary_of"]

_START = datetime(2026, 1, 5, tzinfo=UTC)
_MODEL = ModelInfo("test", "0", "0" * 64)
_Name = Annotated[str, Field(min_length=1, max_length=64)]
_Series = Annotated[str, AfterValidator(lambda text: parse_series(text) and text)]


class _Keys(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, populate_by_name=True)


class _SeriesKeys(_Keys):
    camera: _Name = "camera"
    zone: _Name | None = None
    event: _Name | None = None
    values: _Series | None = None
    motion: _Series | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> "_SeriesKeys":
        if (self.event is None) != (self.values is None) or (self.event is None) == (self.motion is None):
            raise ValueError("give either event and values, or motion")
        for value in parse_series(self.values) if self.values is not None else ():
            if value is not None and not 0 <= value <= 1:
                raise ValueError(f"values: score {value:g} is not between 0 and 1")
        return self


class _StateKeys(_Keys):
    camera: _Name = "camera"
    state: Literal[
        "connecting", "online", "blurred", "moved", "dark", "covered", "frozen", "offline", "disabled", "failed"
    ]
    at: Duration


class _AlertKeys(_Keys):
    alert: _Name
    at: Duration | None = None
    warned: Duration | None = None
    cause: Literal["condition", "no_data"] | None = None
    camera: _Name | None = None
    since: Duration | None = Field(None, alias="from")
    until: Duration | Literal["open"] | None = None
    severity: str | None = None
    labels: dict[str, str] = {}
    reason: str | None = None


def _moment(value: object) -> object:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(moment, datetime):
        raise ValueError("must be a time such as 2026-01-05T00:00:00Z")
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class Case(_Keys):
    """One test: what happens, and the incidents that it must give."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    start: Annotated[datetime, BeforeValidator(_moment)] = _START
    series: Annotated[tuple[_SeriesKeys, ...], Field(max_length=1000)] = ()
    states: Annotated[tuple[_StateKeys, ...], Field(max_length=1000)] = ()
    lasts: Duration = 0.0
    alerts: Annotated[tuple[_AlertKeys, ...], Field(max_length=1000)]


class RuleTests(_Keys):
    """A file of tests."""

    rule_files: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    interval: Annotated[Duration, Field(gt=0)] = 1.0
    events: tuple[_Name, ...] = ()
    tests: Annotated[tuple[Case, ...], Field(min_length=1, max_length=1000)]


@dataclass(frozen=True, slots=True)
class _Step:
    """Something that happens ``at`` seconds after the start; of one time, states first, then detections."""

    at: float
    what: Detection | _StateKeys


def parse_tests(document: object, where: str) -> RuleTests:
    """The tests in ``document``; ``where`` names its file. Raises RuleError with every fault found."""
    if not isinstance(document, dict):
        raise RuleError(f"{where}: must be a mapping with 'tests:', a list of tests")
    try:
        return RuleTests.model_validate(document)
    except ValidationError as error:
        raise RuleError(explain(error, where, RuleTests)) from None


def vocabulary_of(tests: RuleTests, case: Case) -> Vocabulary:
    """The site that ``case`` plays on: the cameras, zones and events that it names."""
    cameras = dict.fromkeys([*(s.camera for s in case.series), *(s.camera for s in case.states)])
    zones = {
        camera: frozenset(s.zone for s in case.series if s.camera == camera and s.zone is not None)
        for camera in cameras
    }
    events = frozenset(tests.events or (s.event for s in case.series if s.event is not None))
    return Vocabulary(events, tuple(cameras), zones)


def try_case(tests: RuleTests, case: Case, rules: Iterable[Rule]) -> Verdict:
    """Play ``case`` to ``rules`` and compare."""
    vocabulary = vocabulary_of(tests, case)
    alerts = list(_play(tests, case, RuleBook(rules, salt="test", lateness=0.0)))
    return compare(case.name, _expected(case, vocabulary), incidents_of(alerts, case.start.timestamp()))


def _play(tests: RuleTests, case: Case, book: RuleBook) -> Iterator[Alert]:
    start = case.start.timestamp()
    steps = [_Step(state.at, state) for state in case.states]
    steps += _detections(case, tests, start)
    steps.sort(key=lambda step: step.at)
    end = max([case.lasts, *(step.at for step in steps)])
    second = 0
    for step in steps:
        while second < step.at:
            yield from book.tick(start + second)
            second += 1
        yield from _happen(book, step, start)
    while second <= end:
        yield from book.tick(start + second)
        second += 1
    yield from book.tick(start + end)  # rules across cameras wait for it
    if book.errors:
        rule, error = next(iter(book.last_errors.items()))
        raise RuleError(f"{case.name}: rule {rule} failed: {error}")


def _happen(book: RuleBook, step: _Step, start: float) -> tuple[Alert, ...]:
    what = step.what
    if isinstance(what, Detection):
        return book.observe(what)
    alerts: tuple[Alert, ...] = ()
    if what.state in ("offline", "disabled", "failed"):
        alerts = book.gap(what.camera, start + step.at)
    return alerts + book.camera(what.camera, what.state, start + step.at)


def _detections(case: Case, tests: RuleTests, start: float) -> Iterator[_Step]:
    places = dict.fromkeys((series.camera, series.zone) for series in case.series)
    events = vocabulary_of(tests, case).events
    for camera, zone in places:
        here = [series for series in case.series if (series.camera, series.zone) == (camera, zone)]
        columns = {series.event: parse_series(series.values or series.motion or "") for series in here}
        for k in range(max(len(column) for column in columns.values())):
            row = {event: column[k] for event, column in columns.items() if k < len(column)}
            if all(value is None for value in row.values()):
                continue
            scores = {event: row.get(event) or 0.0 for event in events}
            at = k * tests.interval
            end = start + at
            yield _Step(at, Detection(camera, end, end, zone, scores, row.get(None) or 0.0, 1.0, _MODEL))


def _expected(case: Case, vocabulary: Vocabulary) -> list[Expected]:
    found = []
    for i, alert in enumerate(case.alerts):
        camera = alert.camera or (vocabulary.cameras[0] if len(vocabulary.cameras) == 1 else None)
        if camera is None:
            raise RuleError(f"{case.name}: alerts[{i}]: say which camera; there are {len(vocabulary.cameras)}")
        given: dict[str, object] = {
            "from": alert.since, "warned": alert.warned, "at": alert.at, "until": alert.until,
            "cause": alert.cause, "severity": alert.severity, "reason": alert.reason,
        }  # fmt: skip
        fields = {name: value for name, value in given.items() if value is not None}
        fields |= {f"labels.{name}": value for name, value in sorted(alert.labels.items())}
        found.append(Expected(alert.alert, camera, fields))
    return found
