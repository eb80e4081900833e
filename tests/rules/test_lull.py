"""What the book says beforehand, and what it knows afterwards."""

from math import inf

from streamwatch.models.detection import CameraState, Gap
from streamwatch.rules.backtest import Entry
from streamwatch.rules.lull import Calm, Lull, Passed, begin_of
from streamwatch.rules.rest import Band
from tests.rules.play import FALL, MODEL, T0, book, brief, detection

QUIET = Band("fall", -inf, 0.8)


def lull(first: float, last: float, *zones: str | None) -> Lull:
    times = [T0 + first + i for i in range(int(last - first) + 1)]
    passed = tuple(Passed(zone, times, [0.1] * len(times)) for zone in zones or (None,))
    return Lull("dock", T0 + first, T0 + last, MODEL, passed)


def test_nothing_is_calm_before_it_was_heard() -> None:
    running = book({})
    assert running.calm("dock") == Calm(-inf, inf, ())
    running.observe(detection(0, 0.9))
    assert running.calm("dock") == Calm(T0, inf, ())
    running.observe(detection(1, 0.1))
    assert running.calm("dock") == Calm(T0 + 1, inf, ((None, (QUIET,)),))
    running.gap("dock", T0 + 2)
    assert running.calm("dock") == Calm(-inf, inf, ())


def test_zones_are_calm_each_by_itself() -> None:
    running = book({}, {"alert": "gate", "when": {**FALL, "zone": "gate"}})
    running.observe(detection(0, 0.1))
    running.observe(detection(0, 0.9, zone="gate"))
    running.observe(detection(0, 0.1, zone="ramp"))
    assert running.calm("dock") == Calm(T0, inf, ((None, (QUIET,)), ("ramp", ())))


def test_calm_ends_with_the_first_whose_time_is_up() -> None:
    running = book({}, {"alert": "left", "when": {"absent": FALL, "for": "30s"}})
    running.observe(detection(0, 0.1))
    calm = running.calm("dock")
    assert calm is not None
    assert T0 + 29.9 < calm.until < T0 + 30


def test_a_book_that_joins_cameras_is_never_calm() -> None:
    running = book({"group_by": ["rule"]})
    running.observe(detection(0, 0.1))
    assert running.calm("dock") is None


def test_what_was_passed_over_was_heard() -> None:
    running = book({"no_data": "alert"})
    alerts = list(running.observe(detection(0, 0.1)))
    running.pass_over(lull(1, 60))
    alerts += running.tick(T0 + 69.9)
    assert alerts == []
    alerts += running.tick(T0 + 70)
    assert brief(alerts) == [("new", 70)]
    assert alerts[0].start_time == T0 + 60
    running.observe(detection(50, 0.9))
    assert running.late == {"dock": 1}


def test_where_an_entry_begins() -> None:
    entries: list[Entry] = [detection(1), lull(2, 9), Gap("dock", T0 + 3), CameraState("dock", "online", T0 + 4)]
    assert [begin_of(entry) - T0 for entry in entries] == [1, 2, 3, 4]
