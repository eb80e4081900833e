import pytest

from streamwatch.sinks.complaints import Complaints


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_says_a_thing_once_though_others_come_between(caplog: pytest.LogCaptureFixture) -> None:
    complaints = Complaints("MQTT b:1")
    for at, text in enumerate(["one", "two", "one", "two", "one"]):
        complaints.say(text, float(at))
    assert lines(caplog) == ["MQTT b:1: one", "MQTT b:1: two"]


def test_says_it_again_when_it_was_well_in_between(caplog: pytest.LogCaptureFixture) -> None:
    complaints = Complaints("x")
    complaints.say("one", 0.0)
    complaints.forget()
    complaints.say("one", 1.0)
    assert lines(caplog) == ["x: one"] * 2


def test_a_flood_is_a_few_lines_and_a_count(caplog: pytest.LogCaptureFixture) -> None:
    complaints = Complaints("x")
    for number in range(10_000):
        complaints.say(f"text {number}", number / 1000)
    assert len(lines(caplog)) == 5
    complaints.say("later", 30.0)
    assert lines(caplog)[5:] == ["x: later (9995 more not shown)"]
