"""The whole of a cluster in one process: who reads what, what is told, and what a loss costs."""

import json
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cluster.stage import RULES, Member, Stage, gapless, incidents, wait_for


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


@pytest.mark.timeout(120)
def test_two_hosts_and_one_subscriber_from_the_first_camera_to_the_last(stack: ExitStack, tmp_path: Path) -> None:
    all_of = stage(stack, tmp_path)
    a, b = all_of.host("a"), all_of.host("b")
    listener, everything = all_of.listener, {f"cam-{n}" for n in range(4)}
    wait_for(lambda: incidents(all_of, "new").keys() == everything, "an incident on each camera")
    wait_for(lambda: incidents(all_of, "new", "several"), "one across cameras, decided by the site")
    wait_for(all_of.online, "online")
    reading = all_of.reading()
    assert (reading["a"] | reading["b"], reading["a"] & reading["b"]) == (everything, set())
    assert reading["a"]
    assert reading["b"]
    watched(all_of, a, b)
    told_twice(all_of, a)

    switched, noted = min(reading["a"]), min(reading["b"])
    listener.publish(f"streamwatch/{switched}/enabled/set", b"OFF")
    wait_for(lambda: all_of.site.census().states[switched] == "disabled", "switched off")
    listener.publish(f"streamwatch/{switched}/enabled/set", b"ON")
    incident = incidents(all_of, "new")[noted]
    listener.publish(f"streamwatch/alerts/{incident}/ack", b'{"by": "Ann"}')
    wait_for(lambda: [x for x in all_of.told() if x["id"] == incident and x.get("acknowledged")], "noted")
    listener.publish("streamwatch/rules/snooze", b'{"rule": "unseen", "for": "1h"}')
    wait_for(lambda: a.host.orders.degraded and b.host.orders.degraded, "snoozed everywhere")
    assert all_of.site.orders.degraded

    cut_off(all_of, a, b)

    (tmp_path / "rules.yml").write_text("rules: [{alert: calm, when: {event: fall, on: 1.0}}]")
    all_of.site.reload.request()
    wait_for(lambda: [rule.name for rule in b.host.evaluation._book.rules] == ["calm"], "new rules there")
    wait_for(lambda: {x["id"] for x in all_of.told("new")} == {x["id"] for x in all_of.told("end")}, "old ones end")
    assert gapless(all_of)

    assert all_of.site.drain("b", on=True)
    assert not all_of.site.drain("nobody", on=True)
    wait_for(lambda: a.host.held, "cameras move off the host that is drained")
    del all_of.members["b"]
    b.leave()
    assert [seat.standing.host for seat in all_of.site.census().seats] == ["a"]
    assert json.loads(get(all_of.config.http.port, "/readyz"))["ready"]


def watched(all_of: Stage, *members: Member) -> None:
    """Prometheus finds each host, and on it its cameras."""
    found = json.loads(get(all_of.config.http.port, "/targets"))
    assert [one["labels"] for one in found] == [{"host": member.host.name} for member in members]
    for one, member in zip(found, members, strict=True):
        scraped = get(int(one["targets"][0].rpartition(":")[2]), "/metrics")
        assert all(f'streamwatch_camera_up{{camera="{camera}"}} 1.0' in scraped for camera in member.host.held)
    wait_for(lambda: "streamwatch_cluster_hosts 2.0" in get(all_of.config.http.port, "/metrics"), "counted")
    assert 'streamwatch_cluster_leases_total{reason="given"}' in get(all_of.config.http.port, "/metrics")


def told_twice(all_of: Stage, member: Member) -> None:
    """A report whose answer was lost is kept once."""
    kept = all_of.site.outbox.held(0).last
    late = next(report for report in member.reports if report.alerts)
    camera = min(member.host.held)
    reply = all_of.site.report(replace(late, states={camera: "offline"}))
    assert (reply.kept, all_of.site.outbox.held(0).last) == (len(late.alerts), kept)
    assert all_of.site.census().states[camera] == "online"  # a later report has overtaken it


def cut_off(all_of: Stage, a: Member, b: Member) -> None:
    """``a`` is replaced by ``b``, and what it says of its cameras from then on does not count."""
    mine, before = set(a.host.held), incidents(all_of, "new")
    a.cut = True
    began = time.monotonic()
    wait_for(lambda: len(b.host.held) == 4, "b has all")
    assert time.monotonic() - began < 6.0 + 6.0  # the lease, and a machine with other work
    wait_for(lambda: all_of.online(*mine), "b reads them")
    wait_for(lambda: {before[camera] for camera in mine} <= {x["id"] for x in all_of.told("end")}, "what was open ends")
    assert set(a.host.held) == mine  # it goes on: nobody told it otherwise
    a.cut = False
    wait_for(lambda: not a.host.leases(), "a lets go")
    wait_for(lambda: len(a.host.spool) == 0, "a has told what it has")
    new = [alert["id"] for alert in all_of.told("new")]
    assert len(new) == len(set(new))
    assert gapless(all_of)
    assert all_of.site.roster.moves.lost >= len(mine)


@pytest.mark.timeout(120)
def test_a_site_that_begins_again_ends_what_a_host_left_that_has_gone_meanwhile(
    stack: ExitStack, tmp_path: Path
) -> None:
    all_of = stage(stack, tmp_path)
    a, b = all_of.host("a"), all_of.host("b")
    wait_for(lambda: len(incidents(all_of, "new")) == 4 and a.host.held and b.host.held, "an incident on each camera")
    mine, before = set(a.host.held), incidents(all_of, "new")
    all_of.begin_again()
    b.cut = False

    def left() -> set[str]:
        return {alert.id for alert in all_of.site.outbox.left_open()}

    wait_for(lambda: set(b.host.held) == set(before), "b reads all of them")
    wait_for(lambda: not {before[camera] for camera in mine} & left(), "what a left ends", 6.0 * 2 + 10.0)
    assert {before[camera] for camera in before.keys() - mine} <= left()  # b has gone on with its own
    told = [entry.alert for entry in all_of.site.outbox.alerts_after(0, 1000)]
    ended = [alert for alert in told if alert.type.value == "end" and alert.id in {before[camera] for camera in mine}]
    assert [alert.annotations["end_reason"] for alert in ended] == ["restart"] * len(mine)
    del all_of.members["a"]
    a.vanish()
