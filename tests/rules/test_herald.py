"""What is told of an incident, and what a snooze withholds."""

import pytest

from streamwatch.rules.alert import Acknowledged, Alert, AlertType, Cause, IncidentState
from streamwatch.rules.condition import Evidence
from streamwatch.rules.herald import Herald
from streamwatch.rules.part import Part
from streamwatch.rules.stretch import Stretch
from tests.rules.play import MODEL, T0, rules

WHY = Part("when", "event fall", True)


def herald(cause: Cause = Cause.CONDITION) -> Herald:
    entry = {"annotations": {"summary": "{event} {score} at {camera}"}, "severity": "critical"}
    return Herald(rules(entry)[0], "dock", cause)


def stretch() -> Stretch:
    return Stretch(T0, T0 + 1, MODEL, Evidence("fall", None, 0.9, 0.8), 0.95, id="X", opened=T0, severity="critical")


def told(*alerts: Alert) -> list[tuple[AlertType, int, bool]]:
    return [(alert.type, alert.seq, alert.snoozed) for alert in alerts]


def test_an_incident_from_its_first_word_to_its_last() -> None:
    says, it = herald(), stretch()
    new, update = says.new(T0 + 1, it, WHY), says.update(T0 + 2, it, WHY)
    end = says.end(T0 + 3, it, "ended")
    assert [a.seq for a in (new, update, end)] == [0, 1, 2]
    assert [a.state for a in (new, update, end)] == [IncidentState.FIRING, IncidentState.FIRING, IncidentState.CLOSED]
    assert [a.end_time for a in (new, update, end)] == [None, None, T0 + 1]
    assert [a.why for a in (new, update, end)] == [WHY, WHY, None]
    assert new.summary == "fall 0.90 at dock"
    assert end.annotations == {"summary": "fall 0.90 at dock", "end_reason": "ended"}


def test_one_that_never_fired_is_pending_and_then_withdrawn() -> None:
    says, it = herald(), stretch()
    it.opened = None
    assert says.new(T0, it).state is IncidentState.PENDING
    assert says.end(T0 + 1, it, "ended").state is IncidentState.WITHDRAWN


def test_an_acknowledgement_bears_its_own_time_and_none_after_it_an_earlier_one() -> None:
    says, it = herald(), stretch()
    says.new(T0, it)
    by = Acknowledged(T0 + 9, "Ann", "on my way")
    alert = says.acknowledge(by, it)
    assert (alert.type, alert.state, alert.time) == (AlertType.UPDATE, IncidentState.ACKNOWLEDGED, T0 + 9)
    assert alert.acknowledged == by
    end = says.end(T0 + 4, it, "ended")
    assert (end.time, end.end_time, end.acknowledged) == (T0 + 9, T0 + 1, by)


def test_a_snooze_withholds_without_spending_numbers() -> None:
    says, it = herald(), stretch()
    says.until = T0 + 5
    assert told(says.new(T0, it), says.update(T0 + 4, it)) == [(AlertType.NEW, 0, True), (AlertType.UPDATE, 0, True)]
    assert says.due(it) == T0 + 5
    resumed = says.resume(T0 + 5, it)
    assert told(resumed) == [(AlertType.NEW, 0, False)]
    assert told(says.update(T0 + 5, it)) == [(AlertType.UPDATE, 1, False)]


def test_what_was_told_of_is_also_ended() -> None:
    says, it = herald(), stretch()
    says.new(T0, it)
    says.until = T0 + 50
    assert told(says.update(T0 + 4, it)) == [(AlertType.UPDATE, 1, True)]
    assert told(says.end(T0 + 5, it, "ended")) == [(AlertType.END, 1, False)]


def test_what_was_not_told_of_is_not_ended_either() -> None:
    says, it = herald(), stretch()
    says.until = T0 + 50
    says.new(T0, it)
    assert told(says.end(T0 + 5, it, "ended")) == [(AlertType.END, 0, True)]


def test_updates_withheld_are_told_as_one() -> None:
    says, it = herald(), stretch()
    says.new(T0, it)
    assert says.due(it) == float("inf")
    says.until = T0 + 50
    says.update(T0 + 4, it, WHY)
    resumed = says.resume(T0 + 50, it)
    assert told(resumed) == [(AlertType.UPDATE, 1, False)]
    assert resumed.why == WHY
    assert says.due(it) == float("inf")


@pytest.mark.parametrize(("cause", "text"), [(Cause.CONDITION, "fall 0.90"), (Cause.NO_DATA, "No data from dock for")])
def test_says_what_it_is_about(cause: Cause, text: str) -> None:
    alert = herald(cause).new(T0, stretch())
    assert alert.cause is cause
    assert alert.summary.startswith(text)
