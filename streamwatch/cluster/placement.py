"""Which host reads which camera: rendezvous hashing, bounded by measured cost.

Each camera has its own order of the hosts (the highest random weight first, Thaler and Ravishankar 1998; weighted by
capacity as in Schindelhauer and Schomaker 2005) and goes to the first that has room. It stays there while that is fair:
no host beyond 1.25 times its share, none below 0.8 times. Beyond that cameras move, a few at a time, each from the host
that has most to one that then has less than that one had.
"""

import math
from collections.abc import Collection, Mapping
from functools import lru_cache
from hashlib import blake2b

__all__ = ["FULL", "SPARE", "fair", "place"]

FULL = 1.25  # times its share that a host may have
SPARE = 0.8  # times its share that it should have
_LEAST = 1e-6  # cores; what costs nothing is placed all the same


def place(
    costs: Mapping[str, float],
    capacity: Mapping[str, float],
    current: Mapping[str, str],
    moves: int,
    pinned: Collection[str] = (),
) -> dict[str, str]:
    """Camera → host for all of ``costs`` (camera → cores), where any host of ``capacity`` (host → cores) can take some.

    Whoever has no host, or one that is not in ``capacity``, gets one at once. Of the others ``moves`` at most move: off
    hosts whose capacity is 0 (they are drained), then for fairness, but none that is ``pinned``.
    """
    room = _Room({host: cores for host, cores in capacity.items() if cores > 0}, costs)
    if not room.capacity:
        return {camera: host for camera, host in current.items() if camera in costs and host in capacity}
    placed = {camera: host for camera, host in sorted(current.items()) if camera in costs and host in capacity}
    for camera, host in placed.items():
        room.add(camera, host)
    for camera in sorted(costs.keys() - placed.keys(), key=lambda name: (-costs[name], name)):
        placed[camera] = room.first(camera)
        room.add(camera, placed[camera])
    for camera in sorted(name for name, host in placed.items() if host not in room.capacity)[:moves]:
        placed[camera] = room.first(camera)
        room.add(camera, placed[camera])
        moves -= 1
    movable = sorted(name for name, host in placed.items() if host in room.capacity and name not in pinned)
    while moves > 0 and (step := room.fairer(placed, movable)) is not None:
        camera, host = step
        room.remove(camera, placed[camera])
        room.add(camera, host)
        placed[camera] = host
        moves -= 1
    return placed


def fair(costs: Mapping[str, float], capacity: Mapping[str, float], placed: Mapping[str, str]) -> bool:
    """Whether no host is beyond its bounds, or only because cameras cannot be divided."""
    room = _Room({host: cores for host, cores in capacity.items() if cores > 0}, costs)
    for camera, host in placed.items():
        room.add(camera, host)
    return room.fairer(placed, sorted(placed)) is None


class _Room:
    """What each host has, of what share of all."""

    def __init__(self, capacity: Mapping[str, float], costs: Mapping[str, float]) -> None:
        self.capacity = capacity
        self._costs = costs
        self._load = dict.fromkeys(capacity, 0.0)
        # fsum: the same whatever the order, so that two sites place alike
        total, cores = math.fsum(self._cost(camera) for camera in costs), math.fsum(capacity.values())
        self._share = {host: total * its / cores for host, its in capacity.items()}

    def _cost(self, camera: str) -> float:
        return max(_LEAST, self._costs[camera])

    def add(self, camera: str, host: str) -> None:
        if host in self._load:
            self._load[host] += self._cost(camera)

    def remove(self, camera: str, host: str) -> None:
        self._load[host] -= self._cost(camera)

    def first(self, camera: str) -> str:
        """The first in the camera's order that has room, else the one that has least of its share."""
        cost = self._cost(camera)
        order = sorted(self.capacity, key=lambda host: (-_weight(camera, host, self.capacity[host]), host))
        fitting = (host for host in order if self._load[host] + cost <= FULL * self._share[host])
        return next(fitting, None) or min(order, key=lambda host: (self._load[host] + cost) / self.capacity[host])

    def fairer(self, placed: Mapping[str, str], movable: Collection[str]) -> tuple[str, str] | None:
        """One move that makes it fairer: (camera, host); None if all is fair or nothing helps."""
        level = {host: load / self._share[host] for host, load in self._load.items()} if placed else {}
        if not level or (max(level.values()) <= FULL and min(level.values()) >= SPARE):
            return None
        under = min(level, key=lambda host: (level[host], host))
        for over in sorted(level, key=lambda host: (-level[host], host)):
            if level[over] <= 1.0:
                break
            helping = [
                camera
                for camera in movable
                if placed[camera] == over
                and (self._load[under] + self._cost(camera)) / self._share[under] < level[over] * (1 - 1e-9)
            ]
            if helping:
                best = max(helping, key=lambda name: (_weight(name, under, self.capacity[under]), name))
                return best, under
        return None


@lru_cache(maxsize=1 << 20)
def _weight(camera: str, host: str, cores: float) -> float:
    digest = blake2b(f"{camera}\0{host}".encode(), digest_size=8).digest()
    return -cores / math.log((int.from_bytes(digest) + 0.5) / 2.0**64)
