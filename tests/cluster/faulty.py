"""A cluster in simulated time: the real roster, incidents, rules and outboxes, and all that can go wrong between them.

Hosts are killed, hang, are cut off, come back with their spool or without it; the site is killed and begins again; its
store fails, and so do the disks of hosts, until what they keep in memory is full; reports come late, twice, out of
order; answers are lost; hosts are drained. A seed decides.
``python -m tests.cluster.faulty 300`` plays so many seeds.
"""

import logging
import random
import sys
import threading
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from streamwatch.cluster.incidents import Incidents
from streamwatch.cluster.report import Report, Standing
from streamwatch.cluster.roster import Roster
from streamwatch.cluster.seating import Heard, Seating
from streamwatch.errors import SinkError
from streamwatch.metrics import Metrics
from streamwatch.models.detection import Detection
from streamwatch.rules.alert import Alert, AlertType
from streamwatch.rules.book import RuleBook, Share
from streamwatch.rules.camera import GONE
from streamwatch.rules.restart import ends
from streamwatch.rules.rule import parse_rules
from streamwatch.rules.vocabulary import Vocabulary
from streamwatch.sinks.store import SqliteOutbox
from streamwatch.unstored import Unstored
from tests.rules.play import MODEL, T0

__all__ = ["LEASE", "Faulty", "Place", "play"]

CAMERAS = tuple(f"cam-{number}" for number in range(5))
RULES = parse_rules(
    {
        "rules": [
            {"alert": "stirs", "when": {"motion": 4}, "gap": "0s"},
            {"alert": "lasts", "when": {"motion": 4}, "for": "2s", "keep_firing_for": "3s", "cooldown": "5s"},
            {"alert": "holds", "when": {"motion": 4}, "no_data": "hold"},
        ]
    },
    "test.yml",
    Vocabulary(frozenset({"fall"}), CAMERAS, dict.fromkeys(CAMERAS, frozenset())),
)
LEASE = 4.0
STEP = 0.5  # seconds
WAITING = 3  # alerts that a host keeps in memory while its disk fails
BOTH = 1.0  # seconds that two may read a camera of whom each has just heard the site
BOUND = 4 * LEASE  # seconds after which nothing may be open that nobody goes on with, or unheard what goes on


def outbox() -> SqliteOutbox:
    """In memory: files have tests of their own."""
    return SqliteOutbox(Path(":memory:"))


class AwayError(Exception):
    """No answer came."""


@dataclass
class Life:
    """A host from its start until it is killed."""

    name: str
    boot: int
    spool: SqliteOutbox
    book: RuleBook = field(default_factory=lambda: RuleBook(RULES, "site", 0.0, Share.ALONE))
    held: dict[str, int] = field(default_factory=dict)
    leaving: dict[str, tuple[int, float]] = field(default_factory=dict)  # camera → term, until when
    queue: list[Detection | tuple[str, float]] = field(default_factory=list)
    hung: float = 0.0  # these are until when
    cut: float = 0.0
    busy: float = 0.0
    disk: float = 0.0
    answered: float = 0.0
    turns: int = 0
    waiting: Unstored = field(default_factory=lambda: Unstored(WAITING))
    given_up: set[tuple[str, int]] = field(default_factory=set)  # incident and seq

    def leases(self) -> dict[str, int]:
        return {**{camera: term for camera, (term, _) in self.leaving.items()}, **self.held}

    def take(self, cameras: dict[str, int], now: float, linger: float) -> None:
        """As ``Host.take``."""
        for camera in [camera for camera in self.held if camera not in cameras]:
            self.leaving[camera] = self.held.pop(camera), now + linger
        for camera, term in cameras.items():
            if camera not in self.leaving:
                self.held[camera] = term
        for camera in [camera for camera, (_, until) in self.leaving.items() if until <= now]:
            del self.leaving[camera]
            self.queue.append((camera, now))

    def evaluate(self, now: float) -> None:
        """What the rules thread does."""
        for item in self.queue:
            self.keep(self.book.observe(item) if isinstance(item, Detection) else self.gone(*item))
        self.queue.clear()
        self.keep(self.book.tick(T0 + now))
        while self.waiting and now >= self.disk:
            self.spool.append(self.waiting.first())
            self.waiting.stored()

    def gone(self, camera: str, now: float) -> tuple[Alert, ...]:
        return self.book.camera(camera, GONE, T0 + now)

    def keep(self, alerts: tuple[Alert, ...]) -> None:
        for alert in alerts:
            self.given_up.update((gone.id, gone.seq) for gone in self.waiting.append(alert))

    def goes_on(self) -> set[str]:
        """Incidents that it will end, or has ended and not told yet."""
        waiting = {entry.alert.id for entry in self.spool.pending(0, 10_000, 0.0)}
        waiting |= {alert.id for alert in self.waiting}
        return waiting | {incident.id for incident in self.book.incidents()}


class Place:
    """The site and its store, which outlives it."""

    def __init__(self) -> None:
        self.store = outbox()
        self.broken = False
        self.seating: Seating | None = None

    def begin(self) -> None:
        roster = Roster(CAMERAS, LEASE)
        incidents = Incidents(self, self.deliver, roster.may_tell, Metrics().cluster_alerts_refused, 2 * LEASE)
        for alert in self.store.left_open():
            incidents.adopt(alert)
        self.seating, self.roster = Seating(roster, incidents, threading.Lock()), roster

    def knows(self, alert: Alert) -> bool:
        self.check()
        return self.store.knows(alert)

    def deliver(self, alert: Alert) -> None:
        self.check()
        self.store.append(alert)

    def check(self) -> None:
        if self.broken:
            raise SinkError("broken")

    def log(self) -> list[Alert]:
        return [entry.alert for entry in self.store.alerts_after(0, 1_000_000)]


class Faulty:
    """One cluster of ``seed``; ``run`` is the whole of it."""

    def __init__(self, seed: int, hosts: int = 3) -> None:
        self.chance = random.Random(seed)
        self.now, self.boots = 0.0, 0
        self.place = Place()
        self.place.begin()
        self.site_back = self.store_back = 0.0
        self.lives: dict[str, Life] = {}
        self.returns: dict[str, tuple[float, SqliteOutbox]] = {f"host-{n}": (0.0, outbox()) for n in range(hosts)}
        self.late: list[tuple[float, Report]] = []
        self.calm: dict[str, tuple[float, bool]] = dict.fromkeys(CAMERAS, (0.0, False))  # until when, stirs
        self.alone: dict[str, float] = {}  # incident → since when nobody goes on with it
        self.unheard: dict[str, float] = {}  # incident → since when it goes on and the site does not know
        self.both: dict[str, float] = {}  # camera → since when two read it who hear the site
        self.given_up: set[tuple[str, int]] = set()  # incident and seq of what full memories lost
        self.told: list[str] = []  # what went wrong, in words
        self.faults = True

    def run(self, seconds: float, rest: float) -> None:
        """Faults for ``seconds``, then none for ``rest``."""
        while self.now < seconds + rest:
            self.now += STEP
            self.faults = self.now < seconds
            if self.faults and self.chance.random() < 0.12:
                self.strike()
            self.come_back()
            for life in list(self.lives.values()):
                self.turn(life)
            self.tick()
            self.watch()

    def say(self, what: str) -> None:
        self.told.append(f"{self.now:6.1f} {what}")

    def strike(self) -> None:
        """One fault, by chance."""
        draw, until = self.chance, self.now + self.chance.choice((1.0, 3.0, 5.0, 9.0, 20.0))
        what = draw.choice(("kill", "kill", "hang", "cut", "busy", "site", "store", "disk", "drain", "undrain", "both"))
        life = draw.choice(sorted(self.lives.values(), key=lambda one: one.name)) if self.lives else None
        self.say(f"{what} {life.name if life else ''} until {until}")
        if what in ("site", "both") and self.place.seating is not None:
            self.place.seating, self.site_back = None, until
        if what == "store":
            self.place.broken, self.store_back = True, until
        if life is None:
            return
        if what in ("kill", "both"):
            del self.lives[life.name]
            self.returns[life.name] = until, life.spool if draw.random() < 0.6 else outbox()
        elif what in ("hang", "cut", "busy", "disk"):
            setattr(life, {"hang": "hung"}.get(what, what), until)
        elif what in ("drain", "undrain") and self.place.seating is not None:
            self.place.roster.drain(life.name, what == "drain")

    def come_back(self) -> None:
        if self.place.seating is None and self.now >= self.site_back:
            self.place.begin()
            self.say("site is back")
        if self.now >= self.store_back:
            self.place.broken = False
        for name, (when, spool) in list(self.returns.items()):
            if self.now >= when and self.place.seating is not None:  # it asks for its welcome
                del self.returns[name]
                self.boots += 1
                life = self.lives[name] = Life(name, self.boots, spool)
                life.given_up = self.given_up
                life.keep(ends(spool.left_open(), T0 + self.now))

    def turn(self, life: Life) -> None:
        """What a host does in a step."""
        if self.now < life.hung:
            return
        if self.now % 1.0 == 0:
            for camera in life.held:
                life.queue.append(self.see(camera, life.boot / 1000))  # none samples when another does
        if self.now >= life.busy:
            life.evaluate(self.now)
        life.turns += 1
        standing = Standing(life.name, life.boot, T0 + self.now, life.leases(), turn=life.turns)
        waiting = life.spool.pending(0, 20, 0.0)
        behind = len(life.spool) > len(waiting)
        report = Report(standing, alerts=waiting, going=life.spool.going(), behind=behind)
        try:
            self.converse(life, report)
        except AwayError:
            if self.now - life.answered > 60.0:
                life.take({}, self.now, 0.0)

    def see(self, camera: str, offset: float) -> Detection:
        until, stirs = self.calm[camera]
        if self.now >= until:
            stirs = not stirs
            self.calm[camera] = self.now + self.chance.choice((1.0, 2.0, 4.0, 15.0, 40.0)), stirs
        at = T0 + self.now + offset
        return Detection(camera, at - 16, at, None, {"fall": 0.0}, 9.0 if stirs else 0.1, 1.0, MODEL)

    def converse(self, life: Life, report: Report) -> None:
        """Raises AwayError if no answer comes, whether the report arrives or not."""
        luck = self.chance.random() if self.faults else 1.0
        if self.now < life.cut:
            raise AwayError
        if luck < 0.03:
            self.late.append((self.now + self.chance.choice((0.5, 2.0, 6.0, 12.0)), report))
            raise AwayError
        if self.place.seating is None:
            raise AwayError
        heard = self.hear(self.place.seating, report)
        if luck < 0.06:
            raise AwayError
        life.answered = self.now
        if (kept := [entry.sequence for entry in report.alerts[: heard.kept]]) and self.now >= life.disk:
            life.spool.acknowledge(*kept)
        life.take(dict(heard.cameras), self.now, self.chance.choice((0.0, 0.0, 1.0, 3.0)))

    def hear(self, seating: Seating, report: Report) -> Heard:
        """Whoever has a camera then has it by a term no lower than the host's."""
        heard = seating.hear(report, self.now, T0 + self.now)
        grants = {camera: grant for host in self.place.roster._hosts.values() for camera, grant in host.grants.items()}
        for camera, term in {} if heard.outdated else report.standing.held.items():
            lower = camera in grants and grants[camera].term < term
            assert not lower, f"{self.now}: {report.standing.host} has {camera} by {term}\n{self.story('')}"
        return heard

    def tick(self) -> None:
        seating = self.place.seating
        if seating is None:
            return
        for due, report in list(self.late):
            if self.now >= due:
                self.late.remove((due, report))
                self.hear(seating, report)
        for lost in seating.tick(self.now, T0 + self.now):
            self.say(f"{lost.host} is lost with {lost.cameras}")

    def watch(self) -> None:
        """What is open at the site goes on somewhere, and what goes on is open at the site: soon at least."""
        if self.place.seating is None or self.place.broken:
            self.alone.clear()
            self.unheard.clear()
            self.both.clear()
            return
        heard = [life for life in self.lives.values() if self.now < life.answered + 2 * LEASE]
        going = {incident for life in heard for incident in life.goes_on()}
        known = {alert.id for alert in self.place.store.left_open()}
        mine = {
            incident.id
            for life in heard
            for incident in life.book.incidents()
            if incident.opened is not None and life.held.get(incident.camera) is not None and self.now >= life.disk
        }
        hearing = [life for life in self.lives.values() if life.answered == self.now]
        reading = Counter(camera for life in hearing for camera in life.held)
        self.both = {camera: self.both.get(camera, self.now) for camera, count in reading.items() if count > 1}
        for camera, begin in self.both.items():
            assert self.now - begin <= BOTH, f"two read {camera} since {begin}\n{self.story('')}"
        self.alone = {i: self.alone.get(i, self.now) for i in known - going}
        self.unheard = {i: self.unheard.get(i, self.now) for i in mine - known}
        for what, since in (("nobody goes on with", self.alone), ("unheard:", self.unheard)):
            for incident, began in since.items():
                assert self.now - began <= BOUND, f"{what} {incident} since {began}\n{self.story(incident)}"

    def story(self, incident: str) -> str:
        """All that is known of it."""
        told = (alert for alert in self.place.log() if alert.id == incident)
        lines = [f"{a.time - T0:8.2f} {a.type.value} {a.seq} {a.camera} {a.rule}" for a in told]
        return "\n".join([*lines, *self.told[-40:]])

    def check(self) -> None:
        """Of each incident: new first, then updates, one end at last, numbered without a hole but for what full
        memories gave up.
        """
        told: dict[str, list[Alert]] = defaultdict(list)
        for alert in self.place.log():
            told[alert.id].append(alert)
        for incident, alerts in told.items():
            kinds = [alert.type for alert in alerts]
            seqs = [alert.seq for alert in alerts]
            holes = set(range(seqs[-1] + 1)) - set(seqs)
            assert seqs == sorted(set(seqs)), self.story(incident)
            assert all((incident, seq) in self.given_up for seq in holes), self.story(incident)
            assert kinds[0] is AlertType.NEW, self.story(incident)
            assert AlertType.END not in kinds[:-1], self.story(incident)
            assert AlertType.NEW not in kinds[1:], self.story(incident)
            assert all(a.time <= b.time for a, b in pairwise(alerts)), self.story(incident)


def play(seed: int) -> int:
    """Two minutes of faults and one of rest; how many alerts were kept."""
    cluster = Faulty(seed)
    cluster.run(120.0, 60.0)
    cluster.check()
    assert not cluster.alone, cluster.story(min(cluster.alone))
    return len(cluster.place.log())


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    seeds = int(sys.argv[1])
    sys.stdout.write(f"{seeds} seeds, {sum(map(play, range(seeds)))} alerts kept: each incident began and ended once\n")
