"""The host's side of the conversation, against a site that answers as it likes."""

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from streamwatch.cluster.host import Host
from streamwatch.cluster.link import Link, _put_back
from streamwatch.cluster.report import Picture, Reply
from streamwatch.models.detection import Gap
from streamwatch.rules.alert import AlertType
from streamwatch.rules.order import Acknowledge, Snooze
from streamwatch.rules.rule import hash_of
from tests.cluster.answering import RULES, Answering, linked, lonely, soon
from tests.rules.play import rules
from tests.sinks.stage import make_alert


@pytest.fixture
def site() -> Answering:
    return Answering()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with lonely(tmp_path) as made:
        yield made


@pytest.fixture
def run(host: Host, site: Answering) -> Iterator[Link]:
    with linked(host, site) as link:
        yield link


def test_it_says_what_it_goes_on_with_once_all_of_it_was_taken(host: Host, site: Answering, run: Link) -> None:
    site.keeps = False
    host.spool.append(make_alert(1))
    soon(lambda: any(report.alerts for report in site.reports), "the alert")
    assert not any(report.going or report.behind for report in site.reports)
    site.keeps = True
    soon(lambda: site.reports[-1].going == {make_alert(1).id: "dock"}, "that it goes on")
    host.spool.append(make_alert(1, AlertType.END, seq=1))
    soon(lambda: site.reports[-1].going == {}, "that it does not")


def test_it_says_that_it_is_behind(host: Host, site: Answering, run: Link, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamwatch.cluster.link.ALERTS", 2)
    site.reply = None
    for number in range(5):
        host.spool.append(make_alert(number))
    site.reply = Reply()
    soon(lambda: len(host.spool) == 0, "taken")
    assert [report.behind for report in site.reports if len(report.alerts) == 2][-2:] == [True, True]


def test_what_was_not_taken_is_told_again_in_order(host: Host, site: Answering, run: Link) -> None:
    soon(lambda: site.reports, "a report")
    site.reply = None
    for number in range(3):
        host.spool.append(make_alert(number))
    host.rows.extend(Gap("cam-0", float(number)) for number in range(5))
    time.sleep(1.5)
    assert len(host.spool) == 3
    before = len(site.reports)
    site.reply = Reply()
    soon(lambda: len(host.spool) == 0, "taken")
    late = site.reports[before:]
    assert [entry.sequence for report in late for entry in report.alerts] == [1, 2, 3]
    assert [row.at for report in late for row in report.rows if isinstance(row, Gap)] == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_it_reads_what_it_is_told_to_and_says_so(
    host: Host, site: Answering, run: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamwatch.cluster.link.MEASURE", 1.0)
    site.reply = Reply({"cam-0": 4}, disabled=frozenset())
    soon(lambda: any(report.states.get("cam-0") == "online" for report in site.reports), "online")
    assert site.reports[-1].standing.held == {"cam-0": 4}
    soon(lambda: any("cam-0" in report.standing.costs for report in site.reports), "what it costs")
    site.reply = Reply({"cam-1": 5}, disabled=frozenset({"cam-1"}))
    soon(lambda: site.reports[-1].standing.held == {"cam-1": 5}, "the other")
    soon(lambda: any(report.states.get("cam-1") == "disabled" for report in site.reports), "switched off")
    site.reply = replace(site.reply, rules=rules({"alert": "other"}), draining=True)
    soon(lambda: site.reports[-1].rules == hash_of(rules({"alert": "other"})), "new rules")
    soon(lambda: site.reports[-1].standing.draining, "that it is drained")


def test_without_a_site_it_reads_on_for_a_while_and_then_lets_go(host: Host, site: Answering, run: Link) -> None:
    site.reply = Reply({"cam-0": 4})
    soon(lambda: host.held, "it reads")
    site.reply = None
    time.sleep(1.5)
    assert host.held
    assert run.heard is not None
    run.heard -= host.config.cluster.hold
    soon(lambda: not host.leases(), "it has let go")


def test_it_says_good_bye_with_all_that_it_has(host: Host, site: Answering) -> None:
    link = Link(host, site)
    host.spool.append(make_alert(1))
    link.farewell()
    assert [len(report.alerts) for report in site.reports] == [1, 0]
    assert site.reports[-1].standing.leaving
    host.spool.append(make_alert(2))
    site.reply = None
    link.farewell()
    assert len(host.spool) == 1


def test_it_begins_nothing_more_once_it_has_ended(host: Host, site: Answering) -> None:
    """The site goes on to give it cameras until it hears that it leaves."""
    link = Link(host, site)
    site.reply = Reply({"cam-0": 4}, rules=rules({"alert": "other"}))
    host.spool.append(make_alert(1))
    link.farewell()
    assert (host.leases(), host.cameras.spent()) == ({}, {})
    assert host.rules_hash == hash_of(RULES)


def test_an_order_is_carried_out_once_and_its_answer_is_told_though_the_site_was_away(
    host: Host, site: Answering, run: Link
) -> None:
    """But of a snooze, which all hosts are told, the site answers."""
    orders = (6, Snooze("calm", None, span=60.0)), (7, Acknowledge("01X"))
    site.reply = Reply(orders=orders)
    soon(lambda: site.reports and site.reports[-1].done == 7, "that it has it")
    site.reply = None
    host.answers.append((8, {"order": "acknowledge", "id": "another"}))
    host.pictures.append(Picture("cam-0", "fall", b"jpeg"))
    time.sleep(1.5)
    site.reply = Reply(orders=orders)
    soon(lambda: any(report.pictures for report in site.reports), "the picture")
    told = [(number, answer["id"]) for report in site.reports for number, answer in report.answers]
    assert sorted(told) == [(7, "01X"), (8, "another")]
    assert host.orders.degraded


def test_it_ends_without_waiting_for_its_next_report(
    host: Host, site: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamwatch.cluster.link.PERIOD", 9.0)
    with linked(host, site):
        soon(lambda: site.reports, "a report")
        began = time.monotonic()
    assert time.monotonic() - began < 5.0


def test_its_reports_are_numbered(host: Host, site: Answering, run: Link) -> None:
    soon(lambda: len(site.reports) >= 3, "reports")
    turns = [report.standing.turn for report in site.reports]
    assert turns == sorted(set(turns))


def test_what_there_is_no_room_for_was_the_oldest() -> None:
    waiting = deque([4, 5], maxlen=4)
    assert (_put_back(waiting, [1, 2, 3]), list(waiting)) == (1, [2, 3, 4, 5])
    assert (_put_back(waiting, [1]), list(waiting)) == (1, [2, 3, 4, 5])
    assert (_put_back(waiting, []), list(waiting)) == (0, [2, 3, 4, 5])
