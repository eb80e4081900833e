"""The whole of a cluster in one process: who reads what, what is told, and what a loss costs."""

import json
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from streamwatch.cluster.site import Site
from streamwatch.worker import Worker
from tests.cluster.stage import RULES, Member, configure, synthetic, wait_for
from tests.sinks.stage import Listener


class Stage:
    """A site, its hosts by name, and somebody who listens at its broker."""

    def __init__(self, folder: Path, count: int, rules: str = RULES) -> None:
        self.config = configure(folder, synthetic(count), rules)
        self.site = self._site()
        self.members: dict[str, Member] = {}
        self.listener = Listener(self.config.mqtt.port)

    def _site(self) -> Site:
        def died(worker: Worker) -> None:
            raise AssertionError(worker.trace)

        site = Site(self.config, died)
        site.start()
        return site

    def host(self, name: str) -> Member:
        self.members[name] = Member(name, self.site)
        return self.members[name]

    def restart(self, forget: bool = False) -> None:
        """Another site in its place."""
        for member in self.members.values():
            member.cut = True
        time.sleep(0.2)
        assert self.site.stop() == []
        self.listener.close()
        self.site = self._site()
        self.listener = Listener(self.config.mqtt.port)
        for member in self.members.values():
            member.join(self.site)
            member.cut = False

    def reading(self) -> dict[str, set[str]]:
        return {name: set(member.host.cameras.spent()) for name, member in self.members.items()}

    def online(self, *cameras: str) -> bool:
        return all(self.site.census().states[camera] == "online" for camera in cameras or self.config_cameras())

    def config_cameras(self) -> list[str]:
        return [camera.name for camera in self.config.cameras]

    def told(self, kind: str = "") -> list[dict[str, object]]:
        return [alert for alert in self.listener.alerts() if kind in ("", alert["type"])]

    def close(self) -> None:
        for member in list(self.members.values()):
            member.leave()
        self.site.stop()
        self.listener.close()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as resources:
        yield resources


def stage(stack: ExitStack, folder: Path, count: int = 4, rules: str = RULES) -> Stage:
    made = Stage(folder, count, rules)
    stack.callback(made.close)
    return made


def get(port: int, page: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{page}", timeout=10) as answer:
        return str(answer.read().decode())


def test_from_cameras_on_two_hosts_to_one_subscriber(stack: ExitStack, tmp_path: Path) -> None:
    all_of = stage(stack, tmp_path)
    a, b = all_of.host("a"), all_of.host("b")
    wait_for(lambda: {alert["rule"] for alert in all_of.told("new")} >= {"anything", "several"}, "alerts")
    wait_for(lambda: len({a["camera"] for a in all_of.told("new") if a["rule"] == "anything"}) == 4, "of each camera")
    wait_for(all_of.online, "online")
    reading = all_of.reading()
    assert reading["a"] & reading["b"] == set()
    assert (len(reading["a"]), len(reading["b"])) == (2, 2)
    assert [alert["sequence"] for alert in all_of.told()] == list(range(1, len(all_of.told()) + 1))
    (several,) = [alert for alert in all_of.told("new") if alert["rule"] == "several"]
    assert several["severity"]
    found = json.loads(get(all_of.config.http.port, "/targets"))
    assert [one["labels"] for one in found] == [{"host": "a"}, {"host": "b"}]
    for one, member in zip(found, (a, b), strict=True):
        (address,) = one["targets"]
        scraped = get(int(address.rpartition(":")[2]), "/metrics")
        for camera in member.host.held:
            assert f'streamwatch_camera_up{{camera="{camera}"}} 1.0' in scraped
    assert "streamwatch_cluster_hosts 2.0" in get(all_of.config.http.port, "/metrics")
    pictures = sum(len(report.pictures) for member in (a, b) for report in member.reports)
    assert pictures == 0


def test_a_host_that_is_cut_off_is_replaced_and_what_it_says_then_does_not_count(
    stack: ExitStack, tmp_path: Path
) -> None:
    all_of = stage(stack, tmp_path)
    a, b = all_of.host("a"), all_of.host("b")
    wait_for(lambda: len({alert["camera"] for alert in all_of.told("new")}) >= 4, "an incident on each")
    mine = set(a.host.held)
    a.cut = True
    began = time.monotonic()
    wait_for(lambda: set(b.host.held) == {f"cam-{n}" for n in range(4)}, "b has all")
    assert time.monotonic() - began < 6
    wait_for(lambda: all_of.online(*mine), "b reads them")
    wait_for(lambda: {x["camera"] for x in all_of.told("end") if x["rule"] == "anything"} >= mine, "old incidents end")
    assert set(a.host.held) == mine  # it goes on: nobody told it otherwise
    a.cut = False
    wait_for(lambda: not a.host.leases(), "a lets go")
    time.sleep(1.0)
    held = [alert["id"] for alert in all_of.told("new")]
    assert len(held) == len(set(held))
    sequences = [alert["sequence"] for alert in all_of.told()]
    assert sequences == list(range(1, len(sequences) + 1))
    assert all_of.site.roster.moves.lost == len(mine)


def test_a_site_that_begins_again_finds_all_where_it_was_and_loses_nothing(stack: ExitStack, tmp_path: Path) -> None:
    all_of = stage(stack, tmp_path)
    a, b = all_of.host("a"), all_of.host("b")
    wait_for(lambda: len({alert["camera"] for alert in all_of.told("new")}) >= 4, "an incident on each")
    wait_for(all_of.online, "online")
    before, threads = all_of.reading(), {m.host.name: dict(m.host.held) for m in (a, b)}
    first = all_of.site.outbox.instance
    all_of.restart()
    wait_for(lambda: len(all_of.site.census().seats) == 2 and not all_of.site.census().unplaced, "both are back")
    wait_for(all_of.online, "states are known again")
    assert all_of.reading() == before
    assert {m.host.name: dict(m.host.held) for m in (a, b)} == threads
    assert all_of.site.roster.moves.given == 0
    assert all_of.site.outbox.instance == first
    assert {alert.camera for alert in all_of.site._open.values()} == {f"cam-{n}" for n in range(4)}


def test_what_happens_while_the_site_is_away_is_told_when_it_is_back(stack: ExitStack, tmp_path: Path) -> None:
    all_of = stage(stack, tmp_path, count=2)
    a = all_of.host("a")
    wait_for(all_of.online, "online")
    wait_for(lambda: {x["camera"] for x in all_of.told("new")} >= {"cam-0", "cam-1"}, "both")
    a.cut = True
    time.sleep(1.2)  # less than a lease
    a.host.take({"cam-0": a.host.held["cam-0"]}, frozenset())  # as if its thread had been let go: its incident ends
    wait_for(lambda: "cam-1" not in a.host.cameras.spent(), "gone")
    a.host.take({"cam-0": a.host.held["cam-0"]}, frozenset())
    wait_for(lambda: len(a.host.spool) >= 1, "the end waits in the spool")
    a.cut = False
    wait_for(lambda: [x for x in all_of.told("end") if x["camera"] == "cam-1"], "the end arrives")
    wait_for(lambda: len(a.host.spool) == 0, "the spool is empty")
    sequences = [alert["sequence"] for alert in all_of.told()]
    assert sequences == list(range(1, len(sequences) + 1))


def test_an_alert_told_twice_is_kept_once(stack: ExitStack, tmp_path: Path) -> None:
    all_of = stage(stack, tmp_path, count=1)
    a = all_of.host("a")
    wait_for(lambda: all_of.told("new"), "an alert")
    report = next(report for report in a.reports if report.alerts)
    kept = all_of.site.outbox.held(0).last
    all_of.site.report(report)
    assert all_of.site.outbox.held(0).last == kept


def test_a_drained_host_gives_away_and_its_incidents_end_as_moved(stack: ExitStack, tmp_path: Path) -> None:
    all_of = stage(stack, tmp_path)
    a, b = all_of.host("a"), all_of.host("b")
    wait_for(lambda: all(m.host.held for m in (a, b)), "both have cameras")
    mine = set(a.host.held)
    wait_for(lambda: {x["camera"] for x in all_of.told("new") if x["rule"] == "anything"} >= mine, "incidents")
    assert all_of.site.drain("a", on=True)
    wait_for(lambda: not a.host.leases() and len(b.host.held) == 4, "all moved")
    ends = [x for x in all_of.told("end") if x["camera"] in mine and x["rule"] == "anything"]
    wait_for(lambda: all_of.online(*mine), "read again")
    assert {str(end["camera"]) for end in ends} == mine
    assert 'camera="' + next(iter(mine)) + '"' not in get(a.host.http.address[1], "/metrics")
    assert not all_of.site.drain("nobody", on=True)


def test_commands_reach_the_host_that_reads_the_camera(stack: ExitStack, tmp_path: Path) -> None:
    all_of = stage(stack, tmp_path, count=2)
    all_of.host("a")
    wait_for(all_of.online, "online")
    listener = all_of.listener
    listener.publish("streamwatch/cam-0/enabled/set", b"OFF")
    wait_for(lambda: all_of.site.census().states["cam-0"] == "disabled", "switched off")
    listener.publish("streamwatch/cam-0/enabled/set", b"ON")
    wait_for(lambda: all_of.site.census().states["cam-0"] == "online", "switched on")
    wait_for(lambda: [x for x in all_of.told("new") if x["camera"] == "cam-1"], "an incident")
    incident = next(x for x in all_of.told("new") if x["camera"] == "cam-1" and x["rule"] == "anything")
    listener.publish(f"streamwatch/alerts/{incident['id']}/ack", b'{"by": "Ann"}')
    wait_for(lambda: [x for x in all_of.told() if x["id"] == incident["id"] and x.get("acknowledged")], "noted")
    listener.publish("streamwatch/rules/snooze", b'{"rule": "anything", "for": "1h"}')
    wait_for(lambda: all_of.members["a"].host.orders.degraded, "snoozed there")
    assert all_of.site.orders.degraded


def test_rules_are_reloaded_everywhere(stack: ExitStack, tmp_path: Path) -> None:
    all_of = stage(stack, tmp_path, count=2)
    a = all_of.host("a")
    wait_for(lambda: all_of.told("new"), "an alert")
    (tmp_path / "rules.yml").write_text("rules: [{alert: calm, when: {event: fall, on: 1.0}}]")
    all_of.site.reload.request()
    wait_for(lambda: [rule.name for rule in a.host.evaluation._book.rules] == ["calm"], "new rules there")
    wait_for(lambda: {x["id"] for x in all_of.told("new")} == {x["id"] for x in all_of.told("end")}, "old ones end")
    assert a.host.rules_hash == a.reports[-1].rules or a.reports[-1].rules


def test_a_host_that_leaves_in_order_leaves_nothing_open(stack: ExitStack, tmp_path: Path) -> None:
    all_of = stage(stack, tmp_path, count=2)
    a = all_of.host("a")
    wait_for(lambda: {x["camera"] for x in all_of.told("new")} == {"cam-0", "cam-1"}, "incidents")
    del all_of.members["a"]
    a.leave()
    assert all_of.site.census().seats == ()
    assert set(all_of.site.census().unplaced) == {"cam-0", "cam-1"}
    wait_for(
        lambda: {x["id"] for x in all_of.told("new") if x["rule"] != "several"}
        <= {x["id"] for x in all_of.told("end")},
        "ended",
    )  # fmt: skip
    assert json.loads(get(all_of.config.http.port, "/readyz"))["degraded"]
