"""An acknowledgement reaches whoever has the incident, and is answered once: alone, and by real hosts and a site."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from streamwatch.cluster.acknowledgements import MOST, Acknowledgements
from streamwatch.cluster.report import Reply, Report
from streamwatch.errors import SinkError
from streamwatch.rules.order import Acknowledge
from tests.cluster.stage import Member, Stage, incidents, wait_for

X, Y = Acknowledge("01X", "Ann"), Acknowledge("01Y")


def test_one_waits_for_who_has_its_incident() -> None:
    noted = Acknowledgements()
    assert noted.add(X)
    assert noted.add(Y)
    assert noted.claim(lambda order: order.id == "01Z") == []
    assert noted.claim(lambda order: order.id == "01X") == [X]
    assert noted.claim(lambda order: True) == [Y]
    assert noted.claim(lambda order: True) == []


def test_one_is_answered_once() -> None:
    noted = Acknowledgements()
    noted.ask("a", 1, X)
    assert [noted.answer(1), noted.answer(1)] == [True, False]
    assert noted.lose("a") == []
    assert noted.answer(7)  # an earlier site asked for it


def test_what_a_lost_host_did_not_answer_is_answered_for_it() -> None:
    noted = Acknowledgements()
    noted.ask("a", 1, X)
    noted.ask("b", 2, Y)
    assert noted.lose("a") == [X]
    assert not noted.answer(1)  # it came back
    assert noted.answer(2)


def test_what_waits_is_bounded_and_nothing_is_forgotten_at_the_end() -> None:
    noted = Acknowledgements()
    noted.ask("a", 1, X)
    assert all(noted.add(Acknowledge(str(number))) for number in range(MOST - 1))
    assert not noted.add(Y)
    noted.answer(1)
    assert noted.add(Y)
    noted.claim(lambda order: order == Y)
    noted.ask("a", 2, Y)
    assert len(noted.close()) == MOST
    assert not noted.add(X)


@dataclass(frozen=True)
class Case:
    """``incident`` on ``camera``, which ``member`` has."""

    member: Member
    other: Member
    camera: str
    incident: str


class Town:
    """Two hosts, an incident on each camera, and somebody who acknowledges."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.a, self.b = stage.host("a"), stage.host("b")
        self._seen = 0

    def ready(self) -> None:
        """Both are there, and on each camera an incident is open, on one at least one that nobody acknowledged."""
        for member in (self.a, self.b):
            member.cut, member.hears = False, lambda report, reply: None
        wait_for(
            lambda: len(self._open()) == len(self.a.host.held | self.b.host.held) == 4, "an incident on each camera"
        )
        self._seen = len(self._answers())

    def _open(self) -> dict[str, str]:
        ended = set(incidents(self.stage, "end").values())
        return {camera: one for camera, one in incidents(self.stage, "new").items() if one not in ended}

    def some(self) -> "Case":
        """An incident that nobody acknowledged."""
        for member, other in ((self.a, self.b), (self.b, self.a)):
            for camera in sorted(member.host.held):
                if not self.acknowledged(incident := self._open()[camera]):
                    return Case(member, other, camera, incident)
        raise AssertionError("all are acknowledged")

    def acknowledge(self, incident: str) -> None:
        """As somebody does who is connected to the broker; once it is at the site."""
        before = self._taken()
        for _ in range(20):
            wait_for(lambda: self.stage.listener.connected, "the broker, which is the site's")
            self.stage.listener.publish(f"streamwatch/alerts/{incident}/ack", b'{"by": "Ann"}')
            deadline = time.monotonic() + 2.0
            while time.monotonic() < deadline:  # a site that has just begun may not have subscribed yet
                if self._taken() > before:
                    return
                time.sleep(0.02)
        raise AssertionError("the site takes no command")

    def _taken(self) -> float:
        return float(self.stage.site.metrics.mqtt_commands.labels("taken")._value.get())

    def _answers(self) -> list[dict[str, Any]]:
        return [json.loads(said) for said in self.stage.listener.of("streamwatch/answer")]

    def answers(self) -> list[dict[str, Any]]:
        """Since all was ready."""
        return self._answers()[self._seen :]

    def acknowledged(self, incident: str) -> bool:
        return any(alert["id"] == incident and alert["acknowledged"] for alert in self.stage.told())


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    stage = Stage(tmp_path_factory.mktemp("stage"), 4)
    yield Town(stage)
    stage.close()


@pytest.fixture
def town(built: Town) -> Town:
    built.ready()
    return built


def answered(town: Town, incident: str) -> dict[str, Any]:
    """The first answer; there is no other."""
    wait_for(town.answers, "an answer")
    (found,) = town.answers()
    assert (found["order"], found["id"], found["by"]) == ("acknowledge", incident, "Ann")
    return found


def lost_while(which: Callable[[Report, Reply], object]) -> tuple[Callable[[Report, Reply], None], list[Report]]:
    """What a host hears, but for the answers that are lost; and the reports to which those were."""
    lost: list[Report] = []

    def hears(report: Report, reply: Reply) -> None:
        if which(report, reply):
            lost.append(report)
            raise SinkError("the answer is lost")

    return hears, lost


def test_it_goes_to_the_host_that_has_the_incident_not_to_the_one_that_has_the_camera_now(town: Town) -> None:
    case = town.some()
    case.member.cut = True
    last = case.other.reports[-1]
    claim = {**last.standing.held, case.camera: case.member.host.held[case.camera] + 1}  # of a site before this one
    standing = replace(last.standing, held=claim, turn=last.standing.turn + 1)
    town.stage.site.report(replace(last, standing=standing, alerts=(), answers=()))
    assert town.stage.site.roster.owner(case.camera) == case.other.host.name
    town.acknowledge(case.incident)
    time.sleep(1.0)  # the other tells twice what it has
    assert town.answers() == []
    case.member.cut = False
    assert answered(town, case.incident)["done"]
    wait_for(lambda: town.acknowledged(case.incident), "the alert that says so")


def test_it_waits_for_its_host_where_the_site_has_begun_again(town: Town) -> None:
    case = town.some()
    town.stage.begin_again()
    town.acknowledge(case.incident)
    time.sleep(1.0)
    case.member.cut = case.other.cut = False
    assert answered(town, case.incident)["done"]
    wait_for(lambda: town.acknowledged(case.incident), "the alert that says so")


def test_an_answer_whose_receipt_is_lost_is_published_once(town: Town) -> None:
    case = town.some()
    hears, lost = lost_while(lambda report, reply: report.answers and len(lost) < 2)
    case.member.hears = hears
    town.acknowledge(case.incident)
    wait_for(lambda: len(lost) == 2, "it was told twice")
    wait_for(lambda: case.member.reports[-1].standing.turn > lost[-1].standing.turn + 1, "and taken then")
    assert answered(town, case.incident)["done"]


def test_one_that_a_host_did_not_answer_before_it_was_lost_is_refused_and_nothing_more(town: Town) -> None:
    case = town.some()

    def cut_with_it(report: Report, reply: Reply) -> None:
        case.member.cut = case.member.cut or bool(reply.orders)

    case.member.hears = cut_with_it
    town.acknowledge(case.incident)
    wait_for(lambda: len(case.other.host.held) == 4, "the other has its cameras")
    found = answered(town, case.incident)
    said = f"host {case.member.host.name} is gone, and what was open there has ended"
    assert (found["done"], found["error"]) == (False, said)
    told = len(case.member.reports)
    case.member.cut = False
    wait_for(lambda: any(report.answers for report in case.member.reports[told:]), "it answers after all")
    last = case.member.reports[-1].standing.turn
    wait_for(lambda: case.member.reports[-1].standing.turn > last + 1, "which is heard")
    answered(town, case.incident)


def test_one_of_what_the_site_decides_is_carried_out_there_and_one_of_nothing_is_refused(town: Town) -> None:
    ended = set(incidents(town.stage, "end", "several").values())
    wait_for(lambda: set(incidents(town.stage, "new", "several").values()) - ended, "one across cameras")
    (across,) = set(incidents(town.stage, "new", "several").values()) - ended
    town.acknowledge(across)
    assert answered(town, across)["done"]
    town.ready()
    town.acknowledge("0" * 26)
    assert answered(town, "0" * 26)["error"] == "no open incident has this id"
