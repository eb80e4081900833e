"""What a host is told with its next report."""

from pathlib import Path

from streamwatch.cluster.acknowledgements import MOST
from streamwatch.cluster.desk import SNOOZES, Desk
from streamwatch.rules.order import Acknowledge, Order, Snooze, Snoozed
from tests.cluster.stage import Stage, wait_for

T0 = 1_700_000_000.0
FIGHT = Snoozed("fight", None, T0, T0 + 3600.0, "Bob")


class Host:
    """Carries out what it is told."""

    def __init__(self, desk: Desk, name: str = "a") -> None:
        self.desk, self.name, self.done = desk, name, 0
        self.held: dict[tuple[str | None, str | None], Snoozed] = {}

    def take(self, at: float, hears: bool = True, knows: bool = True) -> tuple[Order, ...]:
        """The orders that are new to it; unless it ``hears`` the answer is lost, ``knows``: the rules of the site."""
        told = self.desk.take(self.name, self.done, tuple(self.held.values()) if knows else None, at)
        fresh = tuple(order for number, order in told if number > self.done)
        if hears:
            self.done = max([self.done, *(number for number, _ in told)])
            for order in fresh:
                self._obey(order, at)
        return fresh

    def _obey(self, order: Order, at: float) -> None:
        if isinstance(order, Snooze):
            assert order.until is not None
            place = order.rule, order.camera
            if order.until <= at:
                del self.held[place]  # what is to end must be there
            else:
                self.held[place] = Snoozed(*place, at, order.until, order.by, order.note)


def test_an_order_is_told_once_and_only_to_whom_it_is_for() -> None:
    desk = Desk()
    a, b = Host(desk, "a"), Host(desk, "b")
    desk.ask("a", Acknowledge("01X"), T0)
    assert b.take(T0) == ()
    assert a.take(T0) == (Acknowledge("01X"),)
    assert a.take(T0) == ()


def test_an_order_whose_answer_is_lost_is_told_again() -> None:
    desk = Desk()
    a = Host(desk)
    desk.in_force = [FIGHT]
    desk.ask("a", Acknowledge("01X"), T0)
    told = a.take(T0 + 1, hears=False)
    assert len(told) == 2
    desk.ask("a", Acknowledge("01Y"), T0)
    assert a.take(T0 + 2) == (*told, Acknowledge("01Y"))
    assert a.take(T0 + 3) == ()


def test_what_a_new_site_orders_is_new_to_a_host_of_the_one_before() -> None:
    desk = Desk()
    a = Host(desk)
    desk.ask("a", Acknowledge("01X"), T0)
    a.take(T0)
    a.desk = Desk()
    a.desk.ask("a", Acknowledge("01Z"), T0 + 1)
    assert a.take(T0 + 1) == (Acknowledge("01Z"),)


def test_a_host_that_comes_later_is_told_what_lasts_and_until_when() -> None:
    desk = Desk()
    desk.in_force = [FIGHT]
    told = Snooze("fight", None, until=T0 + 3600.0, by="Bob")
    assert Host(desk, "a").take(T0 + 1) == (told,)
    assert Host(desk, "b").take(T0 + 600) == (told,)
    assert Host(desk, "c").take(T0 + 3601) == ()


def test_a_snooze_that_ended_while_a_host_was_away_ends_there_too() -> None:
    desk = Desk()
    a = Host(desk)
    desk.in_force = [FIGHT, Snoozed(None, "dock", T0, T0 + 60.0)]
    a.take(T0)
    assert len(a.held) == 2
    desk.forget("a")
    desk.in_force = []
    a.take(T0 + 30)
    assert a.held == {}


def test_a_site_that_begins_again_knows_of_no_snooze_and_neither_do_its_hosts() -> None:
    a = Host(Desk())
    a.desk.in_force = [FIGHT]
    a.take(T0)
    a.desk = Desk()
    a.take(T0 + 1)
    assert a.held == {}
    assert a.take(T0 + 2) == ()


def test_a_snooze_that_is_given_anew_lasts_as_long_as_was_said_last() -> None:
    desk = Desk()
    a = Host(desk)
    desk.in_force = [FIGHT]
    a.take(T0)
    desk.in_force = [Snoozed("fight", None, T0 + 5, T0 + 30.0)]
    a.take(T0 + 5)
    assert [one.until for one in a.held.values()] == [T0 + 30.0]
    assert a.take(T0 + 31) == ()  # nobody need be told that it is over


def test_a_host_with_other_rules_is_told_of_no_snooze_yet() -> None:
    desk = Desk()
    a = Host(desk)
    desk.in_force = [FIGHT]
    desk.ask("a", Acknowledge("01X"), T0)
    assert a.take(T0, knows=False) == (Acknowledge("01X"),)
    assert len(a.take(T0 + 1)) == 1


def test_what_waits_is_bounded_and_nothing_waits_for_who_has_gone() -> None:
    desk = Desk()
    a = Host(desk)
    desk.in_force = [Snoozed(f"rule-{number}", None, T0, T0 + 60.0) for number in range(SNOOZES + 10)]
    assert len(a.take(T0, hears=False)) == SNOOZES
    for number in range(MOST):
        desk.ask("a", Acknowledge(str(number)), T0)
    told = a.take(T0)
    assert len(told) == SNOOZES + MOST
    assert [order.id for order in told if isinstance(order, Acknowledge)] == [str(number) for number in range(MOST)]
    assert len(a.take(T0)) == 10
    desk.ask("b", Acknowledge("01X"), T0)
    desk.forget("b")
    assert desk.take("b", 0, None, T0) == ()


def test_real_hosts_have_the_snoozes_of_the_site_whatever_they_missed(tmp_path: Path) -> None:
    stage = Stage(tmp_path, 2)
    try:
        a, b = stage.host("a").host, stage.host("b").host

        def snooze(rule: str, seconds: int) -> None:
            wanted = b'{"rule": "%s", "for": %d}' % (rule.encode(), seconds)
            stage.listener.publish("streamwatch/rules/snooze", wanted)
            wait_for(lambda: (rule in [one.rule for one in stage.site._desk.in_force]) is (seconds > 0), "at the site")

        snooze("unseen", 3600)
        snooze("several", 3600)  # which no host evaluates
        wait_for(lambda: len(a.snoozes) == len(b.snoozes) == 2, "snoozed everywhere")
        stage.members["a"].cut = True
        snooze("unseen", 0)
        wait_for(lambda: [one.rule for one in b.snoozes] == ["several"], "no longer there")
        wait_for(lambda: len(stage.site.census().seats) == 1, "the other is lost")
        assert len(a.snoozes) == 2
        stage.members["a"].cut = False
        wait_for(lambda: [one.rule for one in a.snoozes] == ["several"], "nor where nobody heard of it")
        stage.begin_again()
        stage.members["a"].cut = stage.members["b"].cut = False
        wait_for(lambda: not a.snoozes and not b.snoozes, "nothing is withheld of which the site does not know")
    finally:
        stage.close()
