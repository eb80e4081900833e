"""Spans of a schedule that begin or end with the sun: ``sunset-sunrise``, ``sunset+30m-23:00``, ``06:00-sunrise-1h``.

A span belongs to the date on which it begins. From ``sunset`` to ``sunrise`` is until the next morning; else the end
is on the same date if it is later than the beginning, and on the next if not. On a day on which the sun does not set
``sunrise`` is at 00:00, ``sunset`` at 24:00, and no span begins with the one or ends with the other that does not come:
from sunset to sunrise is never, from sunrise to sunset always. On one on which it does not rise it is the other way
round, and nights run from noon to noon.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from streamwatch.rules.duration import parse_duration
from streamwatch.rules.sun import day_of

__all__ = ["MAX_OFFSET", "Edge", "Place", "SunSpan", "parse_sun_span"]

MAX_OFFSET = 6 * 3600.0
"""Seconds that a span may begin or end before or after the sun."""
_EDGE = r"(?:(?:[01][0-9]|2[0-4]):[0-5][0-9]|(?:sunrise|sunset)(?:[+-][0-9][0-9a-z.]*)?)"
_SPAN = re.compile(rf"({_EDGE}) ?- ?({_EDGE})")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the sun is looked at: degrees north and east, and whose clock."""

    latitude: float
    longitude: float
    zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class Edge:
    """``offset`` seconds after ``word``: sunrise, sunset, or midnight where it is a time of the clock."""

    word: str
    offset: float

    def on(self, day: date, place: Place, begins: bool) -> float | None:
        """When it is on ``day`` (UTC s) as the beginning or the end of a span; None if that does not come."""
        if self.word == "midnight":
            return _clock(day, self.offset, place)
        found = day_of(day, place.zone, place.latitude, place.longitude)
        at = found.sunrise if self.word == "sunrise" else found.sunset
        if at is not None:
            return at + self.offset
        if found.up:
            comes, offset = (self.word == "sunrise") is begins, 0.0 if begins else 86_400.0
        else:
            comes, offset = (self.word == "sunset") is begins, 43_200.0
        return _clock(day, offset, place) if comes else None


@dataclass(frozen=True, slots=True)
class SunSpan:
    """From ``first`` up to, but without, ``last``."""

    first: Edge
    last: Edge

    def covers(self, at: float, day: date, place: Place) -> bool:
        """Whether that which begins on ``day`` covers ``at`` (UTC s)."""
        begin, end = self.first.on(day, place, True), self.last.on(day, place, False)
        words = (self.first.word, self.last.word)
        later = words != ("sunrise", "sunset") and begin is not None and end is not None and end <= begin
        if later or words == ("sunset", "sunrise"):
            end = self.last.on(day + timedelta(days=1), place, False)
        return begin is not None and end is not None and begin <= at < end


def _clock(day: date, offset: float, place: Place) -> float:
    """``offset`` seconds into ``day``, by the clock on the wall (UTC s)."""
    later, rest = divmod(int(offset), 86_400)
    return (datetime.combine(day, datetime.min.time(), place.zone) + timedelta(days=later, seconds=rest)).timestamp()


def parse_sun_span(text: str) -> SunSpan:
    """The span in ``text``. Raises ValueError."""
    found = _SPAN.fullmatch(text)
    if found is None:
        raise ValueError("must be hours such as '22:00-06:00' or 'sunset-30m-sunrise'")
    span = SunSpan(_edge(found[1]), _edge(found[2]))
    if span.first == span.last:
        raise ValueError(f"{text!r} is no span of hours; from 00:00 to 24:00, two different times")
    return span


def _edge(text: str) -> Edge:
    if text[0] != "s":
        hours, minutes = text.split(":")
        clock = int(hours) * 3600 + int(minutes) * 60
        if clock > 86_400:
            raise ValueError(f"{text!r} is no time of a day; from 00:00 to 24:00")
        return Edge("midnight", clock)
    word, sign, length = (*re.split(r"([+-])", text, maxsplit=1), "", "")[:3]
    offset = parse_duration(length) if length else 0.0
    if offset > MAX_OFFSET or offset % 60:
        raise ValueError(f"{text!r}: at most {MAX_OFFSET / 3600:g}h before or after it, in whole minutes")
    return Edge(word, -offset if sign == "-" else offset)
