"""What waits for a store that fails, and what is given up of it."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamwatch.rules.alert import Alert, AlertType
from streamwatch.unstored import Unstored
from tests.sinks.stage import make_alert

KINDS = {"new": AlertType.NEW, "update": AlertType.UPDATE, "end": AlertType.END}


def told(line: str) -> list[Alert]:
    """``a new, b end``: alerts of these incidents, numbered each for itself."""
    seqs = Counter[str]()
    alerts = []
    for word in line.split(", "):
        name, kind = word.split()
        alerts.append(replace(make_alert(), id=name, seq=seqs[name], type=KINDS[kind]))
        seqs[name] += 1
    return alerts


def words(alerts: "Unstored | tuple[Alert, ...]") -> str:
    return ", ".join(f"{alert.id} {alert.type.value}" for alert in alerts)


@pytest.mark.parametrize(
    ("line", "left"),
    [
        ("a new, a update, a end", "a new, a update, a end"),
        ("a new, a update, a update, a update", "a new, a update, a update"),
        ("a update, b new, b end, a end", "b new, b end, a end"),
        ("a new, a update, a end, b new", "a new, a end, b new"),
        ("a new, a end, b end, c end", "b end, c end"),
        ("a end, b new, b end, c new, c end", "a end, c new, c end"),
        ("a end, b end, c end, d end", "a end, b end, c end, d end"),
        ("a new, b new, c new, d new, d update", "a new, b new, c new, d new, d update"),
    ],
)
def test_updates_go_first_and_then_what_began_and_ended_here(line: str, left: str) -> None:
    waiting = Unstored(3)
    for alert in told(line):
        waiting.append(alert)
    assert words(waiting) == left


def test_what_is_given_up_is_said() -> None:
    waiting = Unstored(3)
    gone = [waiting.append(alert) for alert in told("a new, a end, b end, c end, d update, e end")]
    assert [words(each) for each in gone] == ["", "", "", "a new, a end", "", "d update"]


def test_an_end_stays_once_its_new_is_stored() -> None:
    waiting = Unstored(2)
    for alert in told("a new, a end"):
        waiting.append(alert)
    assert words((waiting.first(),)) == "a new"
    waiting.stored()
    for alert in told("b end, c end"):
        waiting.append(alert)
    assert words(waiting) == "a end, b end, c end"
    while waiting:
        waiting.stored()
    with pytest.raises(StopIteration):
        waiting.first()


STEPS = st.lists(st.tuples(st.sampled_from("abcde"), st.sampled_from(("update", "end")), st.booleans()))


@given(STEPS, st.integers(1, 6))
def test_whatever_comes_all_that_matters_is_stored_in_order(steps: list[tuple[str, str, bool]], limit: int) -> None:
    """Incidents begin, go on and end; now and then the store takes one."""
    waiting, lives, going = Unstored(limit), Counter[str](), dict[str, int]()
    stored: list[Alert] = []
    given_up: list[Alert] = []
    everything = 0
    for name, kind, store in steps:
        incident = f"{name}{lives[name]}"
        word = kind if incident in going else "new"
        going[incident] = going.get(incident, -1) + 1
        alert = replace(make_alert(), id=incident, seq=going[incident], type=KINDS[word])
        if word == "end":
            del going[incident]
            lives[name] += 1
        given_up += waiting.append(alert)
        everything += 1
        if store:
            stored.append(waiting.first())
            waiting.stored()
        assert len(waiting) <= limit + 2 * 5
    stored += waiting
    assert len(stored) + len(given_up) == everything
    for incident in {alert.id for alert in (*stored, *given_up)}:
        its = [alert for alert in stored if alert.id == incident]
        assert [alert.seq for alert in its] == sorted({alert.seq for alert in its})
        if not its:
            assert incident not in going, "open, and nobody hears of it"
            continue
        assert its[0].type is AlertType.NEW
        assert (its[-1].type is AlertType.END) is (incident not in going)
