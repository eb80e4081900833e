"""Leases: one host reads a camera, whoever comes, goes, or is heard late."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from streamwatch.cluster.report import Standing
from streamwatch.cluster.roster import BALANCE, GRACE, LEASE, Roster

CAMERAS = tuple(f"cam-{number}" for number in range(12))
T0 = 1_700_000_000.0


@dataclass
class FakeHost:
    """Does at once what it is told, unless it is slow to let go."""

    name: str
    boot: int = 1
    held: dict[str, int] = field(default_factory=dict)
    letting: dict[str, int] = field(default_factory=dict)  # threads that have not ended

    def standing(self, at: float) -> Standing:
        return Standing(self.name, self.boot, at, {**self.letting, **self.held})

    def report(self, roster: Roster, now: float, slow: bool = False) -> None:
        told, _ = roster.hear(self.standing(T0 + now), now, T0 + now)
        gone = {camera: term for camera, term in self.held.items() if camera not in told}
        self.letting = {**self.letting, **gone} if slow else {}
        self.held = dict(told)


def begun(*names: str, cameras: Sequence[str] = CAMERAS) -> tuple[Roster, list[FakeHost], float]:
    """A roster after its grace, and hosts that hold what they were told."""
    roster, hosts, now = Roster(cameras), [FakeHost(name) for name in names], 0.0
    while now < GRACE + 21.0:  # until all is fair
        now += 0.5
        for host in hosts:
            host.report(roster, now)
        roster.tick(now, T0 + now)
    return roster, hosts, now


def test_it_listens_before_it_speaks() -> None:
    roster, host = Roster(CAMERAS), FakeHost("a")
    assert roster.tick(50.0, T0) == ()
    host.report(roster, 50.0)
    host.report(roster, 50.0 + GRACE - 0.1)
    assert host.held == {}
    assert set(roster.unplaced) == set(CAMERAS)
    host.report(roster, 50.0 + GRACE)
    assert set(host.held) == set(CAMERAS)
    assert roster.unplaced == ()


def test_every_camera_has_one_reader() -> None:
    roster, hosts, _ = begun("a", "b", "c")
    held = [camera for host in hosts for camera in host.held]
    assert sorted(held) == sorted(CAMERAS)
    assert all(roster.owner(camera) == host.name for host in hosts for camera in host.held)
    assert all(2 <= len(host.held) <= 6 for host in hosts)


def test_a_host_that_falls_silent_loses_all_to_the_others() -> None:
    roster, (a, b), now = begun("a", "b")
    lost_cameras = set(a.held)
    assert roster.tick(now + LEASE, T0) == ()
    b.report(roster, now + LEASE)
    (lost,) = roster.tick(now + LEASE + 0.1, T0 + now + LEASE)
    assert (lost.host, set(lost.cameras)) == ("a", lost_cameras)
    b.report(roster, now + LEASE + 0.5)
    assert set(b.held) == set(CAMERAS)
    assert roster.moves.lost == len(lost_cameras)
    a.report(roster, now + LEASE + 1.0)  # it was only cut off, and comes back
    assert a.held == {}


def test_what_a_host_says_late_counts_if_it_was_its_to_say_then() -> None:
    roster, (a, b), now = begun("a", "b")
    camera = next(iter(a.held))
    later = now + LEASE + 1.0
    b.report(roster, later)
    roster.tick(later, T0 + later)
    assert roster.owner(camera) == "b"
    assert roster.may_tell("a", camera, T0 + now)
    assert not roster.may_tell("a", camera, T0 + later + 0.1)
    assert roster.may_tell("b", camera, T0 + later + 0.1)


def test_a_camera_that_moves_is_let_go_before_the_next_may_read_it() -> None:
    roster, (a, b), now = begun("a", "b")
    assert roster.drain("a", on=True)
    for _ in range(40):
        now += BALANCE / 2
        roster.tick(now, T0 + now)
        a.report(roster, now, slow=True)
        assert not any(roster.owner(camera) == "b" for camera in a.letting)
        a.report(roster, now + 0.1)  # now its thread has ended
        b.report(roster, now + 0.2)
    assert a.held == {}
    assert all(roster.owner(camera) == "b" for camera in CAMERAS)


def test_a_drained_host_takes_again_when_told() -> None:
    roster, (a, b), now = begun("a", "b")
    roster.drain("a", on=True)
    for _ in range(60):
        now += BALANCE / 2
        roster.tick(now, T0 + now)
        a.report(roster, now)
        b.report(roster, now)
    assert (a.held, roster.drains("a")) == ({}, True)
    roster.drain("a", on=False)
    for _ in range(60):
        now += BALANCE / 2
        roster.tick(now, T0 + now)
        b.report(roster, now)
        a.report(roster, now)
    assert len(a.held) >= 4
    assert not roster.drain("nobody", on=True)


def test_a_site_that_begins_again_leaves_all_where_it_is() -> None:
    _, hosts, _ = begun("a", "b", "c")
    before = {host.name: dict(host.held) for host in hosts}
    roster = Roster(CAMERAS)
    for now in (100.4, 101.0, 101.5, 102.0, 102.6, 103.0, 104.0, 106.0):
        for host in hosts:
            held = dict(host.held)
            told, _ = roster.hear(replace(host.standing(T0 + now), held=held), now, T0 + now)
            if now >= 100.4 + GRACE:
                assert told == held
        roster.tick(now, T0 + now)
    assert {host.name: host.held for host in hosts} == before
    assert roster.moves.given == 0


def restarted(now: float, *claims: FakeHost) -> Roster:
    """A site that has just begun, and has heard these, in this order."""
    roster = Roster(CAMERAS)
    for host in claims:
        host.report(roster, now)
    return roster


def test_after_a_restart_of_the_site_whoever_has_the_higher_term_reads_on() -> None:
    """The one with the old term was cut off, lost its camera, and is back just when the site begins again."""
    for first in (0, 1):
        both = FakeHost("a", held={"cam-1": 5}), FakeHost("b", held={"cam-1": 9})
        roster = restarted(100.0, both[first], both[1 - first])
        assert roster.owner("cam-1") == "b"
        for host in both:
            host.report(roster, 100.5)
        assert [host.held for host in both] == [{}, {"cam-1": 9}]
        for host in both:
            host.report(roster, 100.0 + GRACE)
        assert roster.owner("cam-1") == "b"


def test_an_old_term_loses_whenever_the_higher_one_is_heard() -> None:
    a, b = FakeHost("a", held={"cam-1": 5}), FakeHost("b", held={"cam-1": 9})
    roster = restarted(100.0, a)
    for now in (101.0, 102.0, 103.0, 104.0):
        a.report(roster, now)
    assert a.held.keys() == set(CAMERAS)
    b.report(roster, 104.5)
    a.report(roster, 105.0)
    assert (roster.owner("cam-1"), b.held["cam-1"], "cam-1" in a.held) == ("b", 9, False)
    assert set(b.held) | set(a.held) == set(CAMERAS)


def test_what_a_new_site_gives_counts_more_than_what_one_before_it_gave() -> None:
    """Also where it never heard of that."""
    earlier, (a, _), now = begun("a", "b")
    cut_off = FakeHost("c", held=dict(a.held))
    later = now + 60.0
    roster = restarted(later, FakeHost("d"))
    d = FakeHost("d")
    for step in range(1, 8):
        d.report(roster, later + step)
    assert set(d.held) == set(CAMERAS)
    assert min(d.held.values()) > max(cut_off.held.values())
    cut_off.report(roster, later + 8.0)
    assert not cut_off.held.keys() & d.held.keys()
    assert all(roster.owner(camera) == "d" for camera in CAMERAS)
    assert earlier.moves.given >= len(CAMERAS)


def test_a_report_that_a_later_one_has_overtaken_says_nothing_of_leases() -> None:
    roster, (a, _), now = begun("a", "b")
    roster.drain("b", on=True)
    early = replace(a.standing(T0 + now), turn=1, held={})  # before it had any
    roster.hear(replace(a.standing(T0 + now), turn=2), now, T0 + now)
    roster._target.update(dict.fromkeys(a.held, "b"))  # they are to move
    assert roster.outdated(early)
    roster.hear(early, now, T0 + now)
    assert all(roster.owner(camera) == "a" for camera in a.held), "it reads them still"


def test_a_host_that_begins_again_is_a_new_one() -> None:
    roster, (a, b), now = begun("a", "b")
    held, a.held, a.boot = set(a.held), {}, 2
    _, (lost,) = roster.hear(a.standing(T0 + now), now, T0 + now)
    assert set(lost.cameras) == held
    assert roster.unplaced == ()
    assert roster.hear(FakeHost("a", boot=1, held=dict.fromkeys(held, 1)).standing(T0), now, T0) == ({}, ())
    assert set(b.held) <= {camera for camera in CAMERAS if roster.owner(camera) == "b"}


def test_a_host_that_leaves_is_not_waited_for() -> None:
    roster, (a, b), now = begun("a", "b")
    _, (lost,) = roster.hear(replace(a.standing(T0), leaving=True), now, T0 + now)
    assert set(lost.cameras) == set(a.held)
    b.report(roster, now)
    assert set(b.held) == set(CAMERAS)


def test_a_camera_that_is_no_longer_configured_is_let_go() -> None:
    roster, host = Roster(CAMERAS), FakeHost("a", held={"removed": 7, "cam-1": 8})
    host.report(roster, 1.0)
    assert host.held == {"cam-1": 8}
    host.report(roster, 1.0 + GRACE)
    assert host.held.keys() == set(CAMERAS)


def test_seats_say_age_and_clock() -> None:
    roster, _, now = begun("a", "b")
    roster.drain("b", on=True)
    a, b = roster.seats(now + 2.0, T0 + now + 1.5)
    assert (a.standing.host, a.age, round(a.ahead, 3), a.drained, b.drained) == ("a", 2.0, 0.5, False, True)
    assert sorted((*a.cameras, *b.cameras)) == sorted(CAMERAS)


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(("report", "slow", "die", "drain")))))
@settings(deadline=None)
def test_whatever_happens_no_camera_is_granted_to_two(steps: list[tuple[str, str]]) -> None:
    roster, hosts, now = begun(*"abcd")
    named = {host.name: host for host in hosts}
    for name, step in steps:
        now += 1.0
        if step == "die":
            named[name] = FakeHost(name, boot=named[name].boot + 1)
        elif step == "drain":
            roster.drain(name, on=not roster.drains(name))
        for other in named.values():
            if other.name != name or step != "die":
                other.report(roster, now, slow=step == "slow" and other.name == name)
        roster.tick(now, T0 + now)
        reading = [c for host in named.values() for c in {**host.held, **host.letting}]
        assert len(reading) == len(set(reading))
    for _ in range(60):
        now += BALANCE / 3
        for host in named.values():
            host.report(roster, now)
        roster.tick(now, T0 + now)
    if not all(roster.drains(name) for name in "abcd"):
        assert sorted(c for host in named.values() for c in host.held) == sorted(CAMERAS)
