"""Sunrise and sunset, against an independent library and at the ends of the world."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from astral import Observer
from astral.sun import elevation as reference
from hypothesis import given, settings
from hypothesis import strategies as st

from streamwatch.rules.sun import HORIZON, day_of, elevation

BERLIN = (52.52, 13.405)


def local(day: str, zone: str, latitude: float, longitude: float) -> tuple[str, str]:
    found = day_of(date.fromisoformat(day), ZoneInfo(zone), latitude, longitude)
    assert found.sunrise is not None
    assert found.sunset is not None
    rise, fall = (datetime.fromtimestamp(at, ZoneInfo(zone)) for at in (found.sunrise, found.sunset))
    return f"{rise:%m-%d %H:%M}", f"{fall:%m-%d %H:%M}"


@settings(deadline=None, max_examples=300)
@given(  # the library itself goes no nearer to the poles than 89.8 degrees
    st.datetimes(datetime(1990, 1, 1), datetime(2049, 1, 1)), st.floats(-89.8, 89.8), st.floats(-179.9, 179.9)
)
def test_stands_as_high_as_the_library_says(moment: datetime, latitude: float, longitude: float) -> None:
    at = moment.replace(tzinfo=UTC)
    found = elevation(at.timestamp(), latitude, longitude)
    assert found == pytest.approx(reference(Observer(latitude, longitude), at, with_refraction=False), abs=0.1)


@pytest.mark.parametrize(
    ("day", "zone", "place"),
    [
        ("2026-06-21", "Europe/Berlin", BERLIN),
        ("2026-12-31", "Europe/Berlin", BERLIN),
        ("2026-03-29", "Europe/Berlin", BERLIN),  # clocks are put forward
        ("2026-10-25", "Europe/Berlin", BERLIN),  # and back
        ("2026-07-10", "America/Los_Angeles", (34.18, -118.98)),  # sunset is on UTC's next day
        ("2026-01-15", "Pacific/Auckland", (-36.85, 174.76)),  # sunrise is on UTC's day before
        ("2026-05-01", "Pacific/Apia", (-13.83, -171.77)),  # the date line runs east of it
        ("2026-05-01", "Pacific/Kiritimati", (1.87, -157.4)),
    ],
)
def test_the_sun_crosses_the_horizon_on_that_day(day: str, zone: str, place: tuple[float, float]) -> None:
    found = day_of(date.fromisoformat(day), ZoneInfo(zone), *place)
    assert found.sunrise is not None
    assert found.sunset is not None
    for at, change in ((found.sunrise, 1), (found.sunset, -1)):
        assert datetime.fromtimestamp(at, ZoneInfo(zone)).date() == date.fromisoformat(day)
        before, after = (elevation(at + shift, *place) for shift in (-60, 60))
        assert min(before, after) <= HORIZON <= max(before, after)
        assert (after - before) * change > 0


def test_known_days() -> None:
    assert local("2026-06-21", "Europe/Berlin", *BERLIN) == ("06-21 04:43", "06-21 21:33")
    assert local("2026-12-21", "Europe/Berlin", *BERLIN) == ("12-21 08:15", "12-21 15:54")


def test_where_it_does_not_set_and_where_it_does_not_rise() -> None:
    tromso = (ZoneInfo("Europe/Oslo"), 69.65, 18.96)
    assert day_of(date(2026, 6, 21), *tromso) == (None, None, True)
    assert day_of(date(2026, 12, 21), *tromso) == (None, None, False)
    for latitude in (-90.0, -66.6, 66.6, 90.0):
        for month in range(1, 13):
            day_of(date(2026, month, 21), ZoneInfo("UTC"), latitude, 0.0)  # whatever it says, it says something


def test_days_follow_each_other_through_the_year_s_end() -> None:
    days = [day_of(date(2026, 12, 20) + timedelta(days=i), ZoneInfo("Europe/Berlin"), *BERLIN) for i in range(30)]
    edges = [edge for day in days for edge in (day.sunrise, day.sunset)]
    assert edges == sorted(edges, key=lambda edge: edge or 0)
    assert len(set(edges)) == 60
