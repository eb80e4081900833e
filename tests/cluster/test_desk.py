"""What a host is told with its next report."""

from streamwatch.cluster.desk import ORDERS, Desk
from streamwatch.rules.order import Acknowledge, Order, Snooze

T0 = 1_700_000_000.0
FIGHT = Snooze("fight", None, span=3600.0, by="Bob")


class Host:
    """Carries out what it is told."""

    def __init__(self, desk: Desk, name: str, boot: int = 1) -> None:
        self.desk, self.name, self.boot, self.done = desk, name, boot, 0

    def take(self, at: float, hears: bool = True) -> tuple[Order, ...]:
        """The orders that are new to it; unless it ``hears`` the answer is lost."""
        told = self.desk.take(self.name, self.boot, self.done, at)
        fresh = tuple(order for number, order in told if number > self.done)
        if hears:
            self.done = max([self.done, *(number for number, _ in told)])
        return fresh


def desk_and(*names: str) -> tuple[Desk, list[Host]]:
    desk = Desk()
    hosts = [Host(desk, name) for name in names]
    assert [host.take(T0) for host in hosts] == [()] * len(hosts)
    return desk, hosts


def test_an_order_is_told_once_and_only_to_whom_it_is_for() -> None:
    desk, (a, b) = desk_and("a", "b")
    desk.give(Acknowledge("01X"), ["a"], T0)
    assert b.take(T0) == ()
    assert a.take(T0) == (Acknowledge("01X"),)
    assert a.take(T0) == ()


def test_an_order_whose_answer_is_lost_is_told_again() -> None:
    desk, (a,) = desk_and("a")
    desk.give(FIGHT, ["a"], T0)
    desk.give(Acknowledge("01X"), ["a"], T0)
    told = a.take(T0 + 1, hears=False)
    assert len(told) == 2
    desk.give(Acknowledge("01Y"), ["a"], T0)
    assert a.take(T0 + 2) == (*told, Acknowledge("01Y"))
    assert desk.take("a", 1, a.done, T0 + 3) == ()


def test_what_a_new_site_orders_is_new_to_a_host_of_the_one_before() -> None:
    desk, (a,) = desk_and("a")
    desk.give(Acknowledge("01X"), ["a"], T0)
    a.take(T0)
    a.desk = Desk()
    a.desk.give(Acknowledge("01Z"), ["a"], T0 + 1)
    assert a.take(T0 + 1) == (Acknowledge("01Z"),)


def test_a_host_that_comes_later_is_told_what_lasts_and_until_when() -> None:
    desk, (a,) = desk_and("a")
    desk.give(FIGHT, ["a"], T0)
    (told,) = a.take(T0 + 1)
    assert told == Snooze("fight", None, until=T0 + 3600.0, by="Bob")
    assert Host(desk, "b").take(T0 + 600) == (told,)
    assert Host(desk, "a", 2).take(T0 + 700) == (told,)  # begun again
    assert Host(desk, "c").take(T0 + 3601) == ()


def test_the_end_of_a_snooze_is_the_last_word() -> None:
    desk, (a,) = desk_and("a")
    desk.give(FIGHT, ["a"], T0)
    desk.give(Snooze("fight", None, span=0.0), ["a"], T0 + 5)
    assert [order.until for order in a.take(T0 + 6) if isinstance(order, Snooze)] == [T0 + 3600, T0 + 5]
    assert Host(desk, "b").take(T0 + 6) == ()


def test_what_waits_is_bounded_and_nothing_waits_for_who_has_gone() -> None:
    desk, (a,) = desk_and("a")
    for number in range(ORDERS + 10):
        desk.give(Acknowledge(str(number)), ["a", "b"], T0)
    told = a.take(T0)
    assert len(told) == ORDERS
    assert told[-1] == Acknowledge(str(ORDERS + 9))
    desk.forget("b")
    assert Host(desk, "b").take(T0) == ()
