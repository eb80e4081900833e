"""Hours of days, by the clock on the wall."""

from datetime import date, datetime
from math import inf
from zoneinfo import ZoneInfo

import pytest

from streamwatch.errors import RuleError
from tests.rules.play import FALL, T0, condition, detection, rules

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT: dict[str, object] = {"schedule": ["22:00-06:00"], "timezone": "Europe/Berlin"}


def holds(when: object, *times: str) -> list[bool | None]:
    """At local times of Berlin such as ``2026-03-27 22:00``; a ``*`` behind it means the second one of two."""
    running = condition(when)
    answers = []
    for text in times:
        local = datetime.fromisoformat(text.rstrip("*")).replace(tzinfo=BERLIN, fold=text.endswith("*"))
        answers.append(running.observe(detection(local.timestamp() - T0)))
    return answers


def test_runs_over_midnight() -> None:
    times = ("2026-01-01 21:59:59", "2026-01-01 22:00", "2026-01-02 00:00", "2026-01-02 05:59:59", "2026-01-02 06:00")
    assert holds(NIGHT, *times) == [False, True, True, True, False]


def test_a_night_belongs_to_the_day_on_which_it_begins() -> None:
    friday = {**NIGHT, "days": ["fri"]}  # 2026-01-02 is a Friday
    times = ("2026-01-02 03:00", "2026-01-02 23:00", "2026-01-03 03:00", "2026-01-03 23:00")
    assert holds(friday, *times) == [False, True, True, False]


def test_dates_left_out_and_sole_dates() -> None:
    eve = ("2026-12-23 23:00", "2026-12-24 23:00", "2026-12-25 03:00", "2026-12-25 23:00")
    assert holds({**NIGHT, "except": ["2026-12-24"]}, *eve) == [True, False, False, True]
    assert holds({**NIGHT, "only": [date(2026, 12, 24)]}, *eve) == [False, True, True, False]


def test_year_end() -> None:
    times = ("2026-12-31 23:59:59", "2027-01-01 00:00", "2027-01-01 06:00")
    assert holds({**NIGHT, "only": ["2026-12-31"]}, *times) == [True, True, False]


def test_several_spans_and_whole_days() -> None:
    office = {"schedule": ["08:00-12:00", "13:00-24:00"], "timezone": "Europe/Berlin"}
    times = ("2026-01-01 07:59", "2026-01-01 08:00", "2026-01-01 12:30", "2026-01-01 23:59", "2026-01-02 00:00")
    assert holds(office, *times) == [False, True, False, True, False]
    assert holds({"schedule": ["00:00-24:00"], "timezone": "Europe/Berlin"}, "2026-01-01 00:00") == [True]


def test_the_hour_that_comes_twice_counts_twice() -> None:
    at_two = {"schedule": ["02:30-03:00"], "timezone": "Europe/Berlin"}
    times = ("2026-10-25 02:15", "2026-10-25 02:45", "2026-10-25 02:15*", "2026-10-25 02:45*", "2026-10-25 03:00")
    assert holds(at_two, *times) == [False, True, False, True, False]


def test_the_hour_that_is_left_out_does_not_come() -> None:
    at_two = {"schedule": ["02:00-03:00"], "timezone": "Europe/Berlin"}
    running = condition(at_two)
    night = datetime(2026, 3, 29, tzinfo=BERLIN).timestamp() - T0  # 02:00 to 03:00 is left out
    assert not any(running.observe(detection(night + minute * 60)) for minute in range(24 * 60))


def test_a_time_beyond_the_calendar_is_unknown() -> None:
    running = condition(NIGHT)
    assert [running.observe(detection(at)) for at in (inf, 1e300, 1e13)] == [None, None, None]


def test_reset_changes_nothing_but_its_cache() -> None:
    running = condition(NIGHT)
    before = running.observe(detection(0))
    running.reset()
    assert running.observe(detection(0)) is before
    assert running.evidence() is None


def test_does_not_stand_alone() -> None:
    with pytest.raises(RuleError, match=r"rules\[0\]\.when: hears no detection; join it with an event"):
        rules({"when": NIGHT})
    assert rules({"when": {"all": [FALL, NIGHT]}})[0].rule_hash


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schedule": "22:00-06:00"}, "schedule: must be a list, such as"),
        ({"schedule": ["22-6"]}, r"schedule\[0\]: must be hours such as '22:00-06:00'"),
        ({"schedule": ["24:00-06:00"]}, "is no span of hours"),
        ({"schedule": ["06:00-24:30"]}, "is no span of hours"),
        ({"schedule": ["06:00-06:00"]}, "is no span of hours"),
        ({"schedule": []}, "at least 1 item"),
        ({"timezone": "Europe/Berln"}, "is no IANA time zone.*did you mean 'Europe/Berlin'"),
        ({"timezone": "../etc/passwd"}, "is no IANA time zone"),
        ({"timezone": "localtime"}, "is no IANA time zone"),
        ({"timezone": "right/Europe/Berlin"}, "is no IANA time zone"),
        ({"timezone": None}, "timezone: Input should be a valid string"),
        ({"days": ["mo"]}, r"'mo' is not one of mon, tue, .*did you mean 'mon'"),
        ({"except": ["2026-13-01"]}, r"except\[0\]: month must be in 1..12"),
        ({"except": [20261224]}, "must be a date such as 2026-12-24"),
        ({"hours": []}, "hours: unknown key"),
    ],
)
def test_refuses(change: dict[str, object], said: str) -> None:
    with pytest.raises(RuleError, match=said):
        condition({**NIGHT, **change})
