"""What a host is told with its next report."""

from streamwatch.cluster.desk import ORDERS, Desk
from streamwatch.rules.order import Acknowledge, Snooze

T0 = 1_700_000_000.0
FIGHT = Snooze("fight", None, span=3600.0, by="Bob")


def test_an_order_is_told_once_and_only_to_whom_it_is_for() -> None:
    desk = Desk()
    desk.take("a", 1, T0)
    desk.give(Acknowledge("01X"), ["a"], T0)
    assert desk.take("b", 1, T0) == ()
    assert desk.take("a", 1, T0) == (Acknowledge("01X"),)
    assert desk.take("a", 1, T0) == ()


def test_a_host_that_comes_later_is_told_what_lasts_and_until_when() -> None:
    desk = Desk()
    desk.take("a", 1, T0)
    desk.give(FIGHT, ["a"], T0)
    (told,) = desk.take("a", 1, T0 + 1)
    assert told == Snooze("fight", None, until=T0 + 3600.0, by="Bob")
    assert desk.take("b", 1, T0 + 600) == (told,)
    assert desk.take("a", 2, T0 + 700) == (told,)  # begun again
    assert desk.take("c", 1, T0 + 3601) == ()


def test_the_end_of_a_snooze_is_the_last_word() -> None:
    desk = Desk()
    desk.take("a", 1, T0)
    desk.give(FIGHT, ["a"], T0)
    desk.give(Snooze("fight", None, span=0.0), ["a"], T0 + 5)
    assert [order.until for order in desk.take("a", 1, T0 + 6) if isinstance(order, Snooze)] == [T0 + 3600, T0 + 5]
    assert desk.take("b", 1, T0 + 6) == ()


def test_what_waits_is_bounded() -> None:
    desk = Desk()
    for number in range(ORDERS + 10):
        desk.give(Acknowledge(str(number)), ["a"], T0)
    told = desk.take("a", 1, T0)
    assert len(told) == ORDERS
    assert told[-1] == Acknowledge(str(ORDERS + 9))
