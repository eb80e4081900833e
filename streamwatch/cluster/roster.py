"""Who reads which camera: leases, given by the site alone. Time is an argument.

A camera has one owner, or none. If it should be elsewhere the owner first lets go: it is granted to the next when the
owner's report no longer holds it, or when the owner has not been heard for ``lease`` seconds. A site that has just
begun knows nothing: for ``grace`` seconds from the first report it only listens, and whoever says to hold a camera
keeps it. Of two who say so, whenever, the one with the higher term does: terms rise, also from one site to the next, as
they are milliseconds of UTC where that is more than one above the last.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from math import ceil, inf

from streamwatch.cluster.placement import place
from streamwatch.cluster.report import Standing

__all__ = ["BALANCE", "GRACE", "LEASE", "Lost", "Moves", "Roster", "Seat"]

LEASE = 4.0  # seconds without a report, and a host is lost
GRACE = 2.5  # seconds; hosts report twice a second, and once a second while the site was away
BALANCE = 5.0  # seconds between moves for fairness
SHARE = 0.02  # of all cameras that move at once for fairness, or off a host that is drained
CALM = 0.02  # cores that a camera costs at least, and before it was measured: noise moves nobody


@dataclass(frozen=True, slots=True)
class Lost:
    """``host`` is gone, and with it who read ``cameras``."""

    host: str
    cameras: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Seat:
    """A host as the site sees it: ``age`` seconds since its report, ``ahead`` how far its clock seems to be ahead."""

    standing: Standing
    cameras: tuple[str, ...]
    age: float
    ahead: float
    drained: bool


@dataclass(slots=True)
class Moves:
    """How many leases were given: in all, and of these to the second owner after the first was lost."""

    given: int = 0
    lost: int = 0

    def count(self, lost: bool) -> None:
        """One more."""
        self.given += 1
        self.lost += lost


@dataclass(slots=True)
class _Grant:
    term: int
    since: float  # UTC


@dataclass(slots=True)
class _Host:
    standing: Standing
    heard: float  # monotonic
    grants: dict[str, _Grant] = field(default_factory=dict)  # by camera


class Roster:
    """The leases of ``cameras``. Not thread-safe. ``now`` is monotonic s, ``at`` UTC s."""

    def __init__(self, cameras: Iterable[str], lease: float = LEASE, grace: float = GRACE) -> None:
        self.moves = Moves()
        self._cameras = tuple(cameras)
        self._lease, self._grace = lease, grace
        self._began = inf  # monotonic s; nothing is granted before
        self._hosts: dict[str, _Host] = {}
        self._owner: dict[str, str] = {}  # camera → host
        self._target: dict[str, str] = {}  # camera → the host that should be its owner
        self._costs = dict.fromkeys(self._cameras, CALM)
        self._drained: set[str] = set()
        self._term = 0
        self._orphans: set[str] = set()  # lost with their host, not granted again yet
        self._balanced = -inf
        self._dirty = True  # hosts or capacity changed

    def hear(self, standing: Standing, now: float, at: float) -> tuple[Mapping[str, int], tuple[Lost, ...]]:
        """Take a report: camera → term of what the host may read, and what was lost by its being a new life."""
        name, known = standing.host, self._hosts.get(standing.host)
        if self.outdated(standing):
            return {}, ()
        lost: tuple[Lost, ...] = ()
        if known is not None and standing.boot > known.standing.boot:
            lost, known = (self._lose(name),), None
        if standing.leaving:
            return {}, (*lost, self._lose(name))
        if known is None and standing.draining:
            self._drained.add(name)
        self._dirty = self._dirty or known is None or known.standing.capacity != standing.capacity
        host = self._hosts[name] = known or _Host(standing, now)
        self._began = min(self._began, now + self._grace)
        host.standing, host.heard = standing, now
        self._costs.update((name, max(CALM, cost)) for name, cost in standing.costs.items() if name in self._costs)
        self._settle(host, at)
        self._plan(now, at, frozenset(), balance=False)
        return {c: grant.term for c, grant in host.grants.items() if self._target.get(c) == name}, lost

    def outdated(self, standing: Standing) -> bool:
        """Whether it is of an earlier life that does not know that it is over, or was overtaken by a later report."""
        known = self._hosts.get(standing.host)
        return known is not None and (standing.boot, standing.turn) < (known.standing.boot, known.standing.turn)

    def tick(self, now: float, at: float, pinned: Collection[str] = ()) -> tuple[Lost, ...]:
        """Time passes: who is lost. Cameras with an open incident are ``pinned``: fairness can wait."""
        silent = [name for name, host in self._hosts.items() if now - host.heard > self._lease]
        lost = tuple(self._lose(name) for name in silent)
        self._plan(now, at, pinned, balance=now - self._balanced >= BALANCE)
        return lost

    def drain(self, name: str, on: bool) -> bool:
        """Have ``name`` give all away, or take again; False if no such host is known."""
        if name not in self._hosts:
            return False
        (self._drained.add if on else self._drained.discard)(name)
        self._dirty = True
        return True

    def drains(self, name: str) -> bool:
        """Whether it is to give all away."""
        return name in self._drained

    def owner(self, camera: str) -> str | None:
        """Who reads it."""
        return self._owner.get(camera)

    def may_tell(self, host: str, camera: str, at: float) -> bool:
        """Whether what ``host`` says of ``camera`` at ``at`` (UTC s) counts: it is, or then was, the one to say it."""
        return self._owner.get(camera) in (None, host) or at <= self._grant_of(camera).since

    @property
    def unplaced(self) -> tuple[str, ...]:
        """Cameras that nobody reads."""
        return tuple(camera for camera in self._cameras if camera not in self._owner)

    def seats(self, now: float, at: float) -> tuple[Seat, ...]:
        """All hosts, by name."""
        found = []
        for name, host in sorted(self._hosts.items()):
            age = now - host.heard
            ahead = host.standing.at + age - at
            found.append(Seat(host.standing, tuple(host.grants), age, ahead, name in self._drained))
        return tuple(found)

    def _settle(self, host: _Host, at: float) -> None:
        """What the report says of leases: adopted, let go, or never taken."""
        name, held = host.standing.host, host.standing.held
        self._term = max(self._term, *held.values(), 0)
        for camera, term in held.items():
            if camera in self._costs and camera not in self._owner:
                self._own(camera, name, _Grant(term, at - self._lease))
                self._target.setdefault(camera, name)
            elif camera in self._costs and term > (earlier := self._grant_of(camera)).term:
                if (owner := self._owner[camera]) == name:
                    earlier.term = term
                    continue
                del self._hosts[owner].grants[camera]  # of a site before this one, and lost then
                self._own(camera, name, _Grant(term, at - self._lease))
                self._target[camera] = name
        for camera in [c for c in host.grants if c not in held and self._target.get(c) != name]:
            del host.grants[camera], self._owner[camera]  # let go, or not begun
            if (target := self._target.get(camera)) in self._hosts:
                self._grant(camera, str(target), at)

    def _lose(self, name: str) -> Lost:
        host = self._hosts.pop(name, None)
        cameras = tuple(host.grants) if host is not None else ()
        for camera in cameras:
            del self._owner[camera]
        self._orphans.update(cameras)
        self._target = {camera: target for camera, target in self._target.items() if target != name}
        self._dirty = True
        return Lost(name, cameras)

    def _plan(self, now: float, at: float, pinned: Collection[str], balance: bool) -> None:
        if now < self._began or not (balance or self._dirty):
            return
        capacity = {
            name: 0.0 if name in self._drained else host.standing.capacity for name, host in self._hosts.items()
        }
        moves = ceil(SHARE * len(self._cameras)) if balance else 0
        self._target = place(self._costs, capacity, self._target, moves, pinned)
        self._dirty = False
        if balance:
            self._balanced = now
        for camera, target in self._target.items():
            if camera not in self._owner:
                self._grant(camera, target, at)

    def _grant(self, camera: str, name: str, at: float) -> None:
        self._term = max(self._term + 1, int(at * 1000))
        lost = camera in self._orphans
        self._orphans.discard(camera)
        self.moves.count(lost)
        self._own(camera, name, _Grant(self._term, at))

    def _grant_of(self, camera: str) -> _Grant:
        return self._hosts[self._owner[camera]].grants[camera]

    def _own(self, camera: str, name: str, grant: _Grant) -> None:
        self._owner[camera] = name
        self._hosts[name].grants[camera] = grant
