"""Hours that begin or end with the sun."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from streamwatch.errors import RuleError
from streamwatch.rules.daylight import Edge, parse_sun_span
from tests.rules.play import T0, condition, detection

BERLIN: dict[str, object] = {"timezone": "Europe/Berlin", "latitude": 52.52, "longitude": 13.405}
TROMSO: dict[str, object] = {"timezone": "Europe/Oslo", "latitude": 69.65, "longitude": 18.96}


def holds(span: str, where: dict[str, object], *times: str) -> list[bool | None]:
    zone = ZoneInfo(str(where["timezone"]))
    running = condition({"schedule": [span], **where})
    moments = (datetime.fromisoformat(text).replace(tzinfo=zone) for text in times)
    return [running.observe(detection(at.timestamp() - T0)) for at in moments]


def share(span: str, where: dict[str, object], day: str) -> float:
    """Of the minutes of a local day, those in which it holds."""
    running = condition({"schedule": [span], **where})
    start = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(str(where["timezone"]))).timestamp() - T0
    return sum(running.observe(detection(start + 60 * i)) is True for i in range(1440)) / 1440


def test_from_sunset_to_sunrise() -> None:
    times = ("2026-06-21 21:31", "2026-06-21 21:34", "2026-06-22 00:00", "2026-06-22 04:41", "2026-06-22 04:45")
    assert holds("sunset-sunrise", BERLIN, *times) == [False, True, True, True, False]
    assert holds("sunrise-sunset", BERLIN, *times) == [True, False, False, False, True]


def test_before_and_after_the_sun() -> None:
    times = ("2026-06-21 21:01", "2026-06-21 21:04", "2026-06-22 05:41", "2026-06-22 05:45")
    assert holds("sunset-30m-sunrise+1h", BERLIN, *times) == [False, True, True, False]
    assert holds("22:00-sunrise", BERLIN, "2026-06-21 21:59", "2026-06-21 22:00", "2026-06-22 05:00") == [
        False, True, False,
    ]  # fmt: skip
    assert holds("sunset - 24:00", BERLIN, "2026-06-21 23:59", "2026-06-22 00:00") == [True, False]


@pytest.mark.parametrize("day", ["2026-03-28", "2026-03-29", "2026-10-24", "2026-10-25", "2026-12-31", "2027-01-01"])
def test_day_and_night_share_every_minute(day: str) -> None:
    """Also in the nights in which clocks change, and at the year's end."""
    assert share("sunset-sunrise", BERLIN, day) + share("sunrise-sunset", BERLIN, day) == 1


def test_a_night_belongs_to_the_day_on_which_it_begins() -> None:
    eve = {**BERLIN, "only": ["2026-12-31"]}
    times = ("2026-12-31 03:00", "2026-12-31 20:00", "2027-01-01 03:00", "2027-01-01 20:00")
    assert holds("sunset-sunrise", eve, *times) == [False, True, True, False]


@pytest.mark.parametrize(("day", "night"), [("2026-06-21", 0.0), ("2026-12-21", 1.0)])
def test_polar_day_and_night(day: str, night: float) -> None:
    assert share("sunset-sunrise", TROMSO, day) == night
    assert share("sunset-1h-sunrise+1h", TROMSO, day) == night
    assert share("sunrise-sunset", TROMSO, day) == 1 - night


def test_polar_days_with_hours() -> None:
    assert share("22:00-sunrise", TROMSO, "2026-06-21") == 0
    assert share("sunset-23:00", TROMSO, "2026-06-21") == 0
    assert share("06:00-sunset", TROMSO, "2026-06-21") == 0.75
    assert share("22:00-sunrise", TROMSO, "2026-12-21") == 14 / 24  # to noon
    assert share("06:00-sunset", TROMSO, "2026-12-21") == 0


def test_the_whole_year_does_not_raise() -> None:
    running = condition({"schedule": ["sunset-sunrise"], **TROMSO})
    assert {running.observe(detection(3600.0 * 5 * i)) for i in range(1752)} == {True, False}


def test_reads_edges() -> None:
    span = parse_sun_span("sunset-1h30m-06:15")
    assert (span.first, span.last) == (Edge("sunset", -5400), Edge("midnight", 22_500))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"latitude": None}, "sunrise and sunset need latitude and longitude"),
        ({"latitude": 91}, "latitude: Input should be less than or equal to 90"),
        ({"schedule": ["sunset"]}, r"schedule\[0\].*must be hours such as"),
        ({"schedule": ["sunset-sunset"]}, "is no span of hours"),
        ({"schedule": ["sunset+7h-sunrise"]}, "at most 6h before or after"),
        ({"schedule": ["sunset+10s-sunrise"]}, "in whole minutes"),
        ({"schedule": ["sunset+1x-sunrise"]}, "must be a duration"),
        ({"schedule": ["sunset-24:30"]}, "is no time of a day"),
        ({"schedule": ["sunrize-sunset"]}, "must be hours such as"),
    ],
)
def test_refuses(change: dict[str, object], said: str) -> None:
    with pytest.raises(RuleError, match=said):
        condition({"schedule": ["sunset-sunrise"], **BERLIN, **change})
