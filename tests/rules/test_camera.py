"""Rules about a camera's state: heard each second, without detections."""

from math import inf

import pytest

from streamwatch.errors import RuleError
from streamwatch.rules.alert import Alert
from streamwatch.rules.book import RuleBook
from streamwatch.rules.camera import STATES, status
from streamwatch.video import camera as camera_thread
from tests.rules.play import FALL, T0, book, brief, condition, detection

OFFLINE: dict[str, object] = {"alert": "offline", "when": {"camera": ["offline", "failed"]}, "for": "30s"}


def ticks(running: RuleBook, start: int, end: int, step: float = 1.0) -> list[Alert]:
    """A tick every ``step`` seconds from ``start`` until ``end``."""
    steps = int((end - start) / step) + 1
    return [alert for i in range(steps) for alert in running.tick(T0 + start + i * step)]


def test_states_are_those_of_camera_threads() -> None:
    assert camera_thread.STATES == STATES


def test_fires_when_it_lasts_and_ends_when_it_is_over() -> None:
    running = book(OFFLINE)
    assert running.camera("dock", "online", T0) == ()
    assert ticks(running, 1, 10) == []
    assert running.camera("dock", "offline", T0 + 10.5) == ()
    (new,) = ticks(running, 11, 60)
    assert (brief([new]), new.start_time - T0, new.end_time) == ([("new", 41)], 10.5, None)
    assert (new.event, new.score, new.model.name) == (None, 0, "none")
    (end,) = running.camera("dock", "online", T0 + 60.25)
    assert (brief([end]), end.annotations["end_reason"]) == ([("end", 60.25)], "ended")
    assert (end.end_time or 0) - T0 == 60


@pytest.mark.parametrize("state", STATES)
def test_each_state_can_be_asked_for(state: str) -> None:
    running = book({"alert": "seen", "when": {"camera": state}, "for": "10s"})
    running.camera("dock", state, T0)
    assert brief(ticks(running, 1, 12)) == [("new", 10)]
    (end,) = running.camera("dock", "offline" if state == "online" else "online", T0 + 13)
    assert end.type.value == "end"


@pytest.mark.parametrize("step", [0.25, 1.0, 3.0])
def test_does_not_depend_on_how_often_time_is_told(step: float) -> None:
    running = book(OFFLINE)
    running.camera("dock", "offline", T0 + 0.5)
    assert brief(ticks(running, 1, 70, step)) == [("new", 31), ("update", 61)]


def test_a_gap_of_the_stream_does_not_touch_the_state() -> None:
    running = book(OFFLINE)
    running.camera("dock", "offline", T0)
    ticks(running, 1, 20)
    assert running.gap("dock", T0 + 20) == ()
    assert brief(ticks(running, 20, 40)) == [("new", 30)]


def test_a_process_that_slept_begins_anew() -> None:
    running = book({**OFFLINE, "for": 0})
    assert brief(running.camera("dock", "offline", T0)) == [("new", 0)]
    assert brief(running.tick(T0 + 3600)) == [("end", 10), ("new", 3600)]


def test_a_state_told_late_counts_from_what_is_known() -> None:
    running = book({**OFFLINE, "for": 0})
    running.camera("dock", "online", T0)
    ticks(running, 1, 10)
    assert brief(running.camera("dock", "offline", T0 + 8)) == [("new", 10)]


def test_a_clock_set_back_begins_anew() -> None:
    running = book({**OFFLINE, "for": 0, "cooldown": "1h"})
    running.camera("dock", "offline", T0 + 5000)
    assert brief(running.camera("dock", "offline", T0)) == [("end", 5000), ("new", 0)]


def test_a_tick_at_no_time_is_harmless() -> None:
    running = book({**OFFLINE, "for": 0})
    running.camera("dock", "online", T0)
    assert running.tick(inf) == ()


def test_states_of_cameras_without_such_rules_are_not_kept() -> None:
    running = book({}, {**OFFLINE, "cameras": ["ward-*"]})
    assert running.camera("dock", "offline", T0) == ()
    running.camera("ward-1", "offline", T0)
    alerts = ticks(running, 1, 31)
    assert [alert.camera for alert in alerts] == ["ward-1"]


def test_only_at_some_hours() -> None:
    hours = {"schedule": ["22:14-22:15"], "timezone": "UTC"}  # T0 is 22:13:20
    running = book({**OFFLINE, "for": 0, "when": {"all": [{"camera": "offline"}, hours]}})
    running.camera("dock", "offline", T0)
    assert brief(ticks(running, 1, 120)) == [("new", 40), ("update", 70), ("end", 100)]


def test_beside_an_event() -> None:
    running = book({"when": {"all": [FALL, {"camera": "online"}]}})
    assert running.observe(detection(0, 0.9)) == ()  # not known to be online
    running.camera("dock", "online", T0 + 0.5)
    assert brief(running.observe(detection(1, 0.9))) == []  # the incident began with the state
    assert len(running.incidents()) == 1


def test_is_unknown_after_a_silence_and_a_reset() -> None:
    running = condition({"any": [{"camera": "offline"}, {"camera": "online"}]})
    assert running.observe(detection(0)) is None
    assert running.observe(status("dock", "offline", T0)) is True
    assert running.observe(detection(10)) is True
    assert running.observe(detection(10.5)) is None
    running.observe(status("dock", "online", T0 + 11))
    running.reset()
    assert running.observe(detection(12)) is None
    assert running.evidence() is None


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ({"camera": "of"}, "'of' is not one of connecting, online, "),
        ({"camera": "coverd"}, "did you mean 'covered'"),
        ({"camera": "offlin"}, "did you mean 'offline'"),
        ({"camera": []}, "must be one or a list of"),
        ({"camera": {}}, "must be one or a list of"),
        ({"camera": "offline", "for": "1s"}, "for: unknown key"),
    ],
)
def test_refuses(when: object, said: str) -> None:
    with pytest.raises(RuleError, match=said):
        condition(when)
