"""``schedule``: only at some hours of some days.

``{schedule: ["22:00-06:00"], timezone: Europe/Berlin, days: [mon, tue, wed, thu, fri], except: [2026-12-24]}``. It
holds at a detection whose time, on a clock on the wall of ``timezone`` (an IANA name), lies in one of the spans: from
the first minute named up to, but without, the second. A span that ends before it begins runs over midnight and
belongs to the day on which it begins; ``days`` (all, if left out) and ``except`` name that day; ``only`` names the
sole dates on which it holds. ``"00:00-24:00"`` is the whole day.

In the night in which clocks are put back, the hour that comes twice counts twice; an hour that is left out does not
come. A schedule hears no detections of its own, so it only stands beside others.

Spans may begin or end with the sun: ``{schedule: ["sunset-30m-sunrise"], latitude: 52.5, longitude: 13.4, timezone:
Europe/Berlin}``: half an hour before sunset until sunrise (see ``daylight.py``).
"""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import inf
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from streamwatch.document import nearest
from streamwatch.models.detection import Detection
from streamwatch.rules.condition import Condition, Evidence, Standing
from streamwatch.rules.daylight import Place, SunSpan, parse_sun_span
from streamwatch.rules.node import Node
from streamwatch.rules.rest import NEVER, Rest

__all__ = ["DAYS", "Schedule", "ScheduleCondition", "parse_schedule"]

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SPAN = re.compile(r"([01][0-9]|2[0-4]):([0-5][0-9])-([01][0-9]|2[0-4]):([0-5][0-9])")
_MIDNIGHT = 24 * 60
_NO_ZONES = frozenset(("localtime", "posix", "right"))  # can be read, but: another on each machine; by leap seconds
_EARLIEST, _LATEST = -6e10, 2.5e11  # what a calendar can name


def _span(value: object) -> tuple[int, int] | SunSpan:
    if isinstance(value, str) and "sun" in value:
        return parse_sun_span(value)
    found = _SPAN.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("must be hours such as '22:00-06:00'")
    start, end = (int(found[i]) * 60 + int(found[i + 1]) for i in (1, 3))
    if start >= _MIDNIGHT or end > _MIDNIGHT or start == end:
        raise ValueError(f"{value!r} is no span of hours; from 00:00 to 24:00, two different times")
    return start, end


def _day(value: str) -> str:
    if value not in DAYS:
        raise ValueError(f"{value[:16]!r} is not one of {', '.join(DAYS)}{nearest(value, DAYS)}")
    return value


def _zone(value: str) -> str:
    try:
        if value.partition("/")[0] in _NO_ZONES:
            raise ZoneInfoNotFoundError(value)
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        hint = nearest(value, available_timezones() - _NO_ZONES)
        raise ValueError(f"{value[:64]!r} is no IANA time zone such as Europe/Berlin{hint}") from None
    return value


def _date(value: object) -> date:
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        return date.fromisoformat(value)
    if not isinstance(value, date) or isinstance(value, datetime):
        raise ValueError("must be a date such as 2026-12-24")
    return value


_Dates = Annotated[tuple[Annotated[date, BeforeValidator(_date)], ...], Field(max_length=1000)]


class _ScheduleKeys(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    schedule: Annotated[
        tuple[Annotated[tuple[int, int] | SunSpan, BeforeValidator(_span)], ...], Field(min_length=1, max_length=64)
    ]
    timezone: Annotated[str, AfterValidator(_zone)]
    latitude: Annotated[float, Field(ge=-90, le=90)] | None = None
    longitude: Annotated[float, Field(ge=-180, le=180)] | None = None
    days: Annotated[tuple[Annotated[str, AfterValidator(_day)], ...], Field(min_length=1)] = DAYS
    but: _Dates = Field((), alias="except")
    only: _Dates | None = None

    @model_validator(mode="after")
    def _somewhere(self) -> "_ScheduleKeys":
        known = self.latitude is not None and self.longitude is not None
        if any(isinstance(span, SunSpan) for span in self.schedule) and not known:
            raise ValueError("sunrise and sunset need latitude and longitude (degrees north and east)")
        return self


@dataclass(frozen=True, slots=True)
class Schedule:
    """The parsed operator. ``spans`` are minutes of the day; ``only`` None: any date but those of ``but``; ``suns``
    are spans with the sun, at ``place``.
    """

    spans: tuple[tuple[int, int], ...]
    zone: ZoneInfo
    days: frozenset[int]
    but: frozenset[date]
    only: frozenset[date] | None
    suns: tuple[SunSpan, ...] = ()
    place: Place | None = None

    @property
    def zones(self) -> frozenset[str | None]:
        return frozenset()

    def start(self) -> Condition:
        return ScheduleCondition(self)

    def holds(self, at: float) -> bool:
        """Whether it holds at ``at`` (UTC seconds)."""
        local = datetime.fromtimestamp(at, self.zone)
        minute, today = local.hour * 60 + local.minute, local.date()
        for start, end in self.spans:
            if start < end:
                if start <= minute < end and self._on(today):
                    return True
            elif (minute >= start and self._on(today)) or (minute < end and self._on(today - timedelta(days=1))):
                return True
        days = [day for day in (today, today - timedelta(days=1)) if self.place and self._on(day)]
        return any(span.covers(at, day, self.place) for day in days for span in self.suns if self.place)

    def _on(self, day: date) -> bool:
        if self.only is not None and day not in self.only:
            return False
        return day.weekday() in self.days and day not in self.but


class ScheduleCondition:
    """``schedule`` at work: computed once a minute, since offsets and spans are whole minutes."""

    __slots__ = ("_holds", "_minute", "_term")

    def __init__(self, term: Schedule) -> None:
        self._term = term
        self._minute: float | None = None
        self._holds = False

    def observe(self, detection: Detection) -> bool | None:
        minute = detection.end // 60
        if minute != self._minute:
            if not _EARLIEST < detection.end < _LATEST:
                return None
            self._holds = self._term.holds(detection.end)
            self._minute = minute
        return self._holds

    def evidence(self) -> Evidence | None:
        return None

    def standing(self) -> Standing:
        return Standing(None if self._minute is None else self._holds)

    def inside(self) -> tuple[Condition, ...]:
        return ()

    def rest(self) -> Rest:
        return NEVER if self._minute is None else Rest(60.0 * (self._minute + 1.0), inf)

    def reset(self) -> None:
        self._minute = None


def parse_schedule(node: Node) -> Schedule:
    """The operator from its mapping. Raises RuleError."""
    keys = node.read(_ScheduleKeys)
    only = None if keys.only is None else frozenset(keys.only)
    days = frozenset(DAYS.index(day) for day in keys.days)
    zone = ZoneInfo(keys.timezone)
    place = None
    if keys.latitude is not None and keys.longitude is not None:
        place = Place(keys.latitude, keys.longitude, zone)
    spans = tuple(span for span in keys.schedule if not isinstance(span, SunSpan))
    suns = tuple(span for span in keys.schedule if isinstance(span, SunSpan))
    return Schedule(spans, zone, days, frozenset(keys.but), only, suns, place)
