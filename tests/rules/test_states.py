"""When the state of a camera is heard."""

from math import inf, nan

from streamwatch.rules.states import States


def told(states: States, until: float, camera: str = "dock") -> list[float]:
    return [second for _, second in states.seconds(camera, until)]


def test_is_told_at_each_whole_second_once() -> None:
    states = States()
    states.change("dock", "online", 100.25)
    assert told(states, 100.9) == []
    assert told(states, 103.5) == [101, 102, 103]
    assert told(states, 104.0) == [104]
    assert list(states.seconds("dock", 105.0)) == [("online", 105)]


def test_nothing_is_told_of_a_camera_unknown_or_of_no_time() -> None:
    states = States()
    assert told(states, 100.0) == []
    states.change("dock", "online", 100.0)
    assert told(states, inf) == told(states, nan) == []
    assert "dock" in states
    assert "ward-1" not in states


def test_what_nobody_let_pass_is_not_told_afterwards() -> None:
    states = States()
    states.change("dock", "online", 100.0)
    assert told(states, 110.0) == list(range(101, 111))
    assert told(states, 121.5) == [121]


def test_a_change_told_late_is_heard_after_what_was_told() -> None:
    states = States()
    states.change("dock", "online", 100.0)
    assert states.moment("ward-1", 50.0) == 50.0
    told(states, 105.0)
    assert states.moment("dock", 103.0) == 105.0
    assert states.moment("dock", 106.0) == 106.0
    assert states.moment("dock", 94.0) == 94.0  # the clock was set back


def test_whoever_comes_later_hears_nothing_of_what_passed() -> None:
    states = States()
    states.change("dock", "online", 100.0)
    states.pass_time(104.5)
    assert list(states) == [("dock", "online", 104.5)]
    states.settle()
    assert told(states, 106.0) == [105, 106]


def test_time_that_goes_back_a_little_has_passed_already() -> None:
    states = States()
    for until in (104.5, 100.0, nan, inf):
        states.pass_time(until)
    states.change("dock", "online", 99.0)
    assert list(states) == [("dock", "online", 104.5)]
    states.pass_time(94.0)  # the clock was set back
    assert list(states) == [("dock", "online", 99.0)]


def test_a_change_by_a_clock_that_was_set_back_sets_time_back_too() -> None:
    states = States()
    states.pass_time(104.5)
    states.change("dock", "offline", 90.0)
    states.settle()
    assert told(states, 92.0) == [91, 92]


def test_a_camera_that_is_watched_elsewhere_is_forgotten() -> None:
    states = States()
    states.change("dock", "online", 100.0)
    states.forget("dock")
    states.forget("dock")
    assert "dock" not in states
    assert told(states, 105.0) == []
