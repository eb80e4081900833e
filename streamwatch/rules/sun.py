"""When the sun rises and sets: the almanac's low-precision formulas (0.01° until 2050: The Astronomical Almanac, C5).

Astral, the library for it, finds the wrong day or none at all where UTC's date is not the local one; here each day is
that around its solar noon, and where the sun does not rise or not set that is said.
"""

from datetime import date, datetime
from functools import lru_cache
from math import asin, atan2, cos, degrees, radians, sin
from typing import NamedTuple
from zoneinfo import ZoneInfo

__all__ = ["HORIZON", "Day", "day_of", "elevation"]

HORIZON = -0.833
"""Degrees of the sun's centre when its upper edge touches the horizon: its radius and the usual refraction."""

_J2000 = 946_728_000.0
_DAY = 86_400.0


class Day(NamedTuple):
    """Sunrise and sunset (UTC s, whole minutes); both None if the sun is ``up`` all day, or down."""

    sunrise: float | None
    sunset: float | None
    up: bool = False


def elevation(at: float, latitude: float, longitude: float) -> float:
    """Degrees of the sun's centre above the horizon at ``at`` (UTC s), without refraction."""
    right_ascension, declination = _position(at)
    hour_angle = radians(_sidereal(at) + longitude) - right_ascension
    north = radians(latitude)
    return degrees(asin(sin(north) * sin(declination) + cos(north) * cos(declination) * cos(hour_angle)))


@lru_cache(maxsize=64)
def day_of(day: date, zone: ZoneInfo, latitude: float, longitude: float) -> Day:
    """That of the local date ``day``: around the solar noon that is nearest to 12:00 in ``zone``."""
    midday = datetime(day.year, day.month, day.day, 12, tzinfo=zone).timestamp()
    right_ascension, _ = _position(midday)
    behind = (_sidereal(midday) + longitude - degrees(right_ascension) + 180) % 360 - 180
    noon = midday - behind / 360 * _DAY

    def crossing(low: float, high: float) -> float:
        """When, from ``low``, below the horizon, to ``high``, above it, the sun crosses it; either may be earlier."""
        while abs(high - low) > 1:
            middle = (low + high) / 2
            low, high = (low, middle) if elevation(middle, latitude, longitude) > HORIZON else (middle, high)
        return high

    before, after = noon - _DAY / 2, noon + _DAY / 2
    up = elevation(before, latitude, longitude) > HORIZON
    if up or elevation(noon, latitude, longitude) <= HORIZON:
        return Day(None, None, up)
    return Day(round(crossing(before, noon) / 60) * 60.0, round(crossing(after, noon) / 60) * 60.0)


def _position(at: float) -> tuple[float, float]:
    """Right ascension and declination of the sun (radians)."""
    days = (at - _J2000) / _DAY
    anomaly = radians(357.528 + 0.9856003 * days)
    longitude = radians(280.460 + 0.9856474 * days + 1.915 * sin(anomaly) + 0.020 * sin(2 * anomaly))
    obliquity = radians(23.439 - 0.0000004 * days)
    return atan2(cos(obliquity) * sin(longitude), cos(longitude)), asin(sin(obliquity) * sin(longitude))


def _sidereal(at: float) -> float:
    """Greenwich mean sidereal time (degrees)."""
    return 280.46061837 + 360.98564736629 * (at - _J2000) / _DAY
