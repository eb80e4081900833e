"""What each camera of a host costs, measured."""

import os
import resource
from collections.abc import Mapping

__all__ = ["Ration", "cores"]

SMOOTH = 0.3  # weight of the newest measurement


def cores() -> float:
    """CPU cores that this process may use."""
    return float(len(os.sched_getaffinity(0)))


class Ration:
    """Cores by camera: its own thread's, and its share, by clips, of what the process spends beside the cameras.

    ``measure`` is called every few seconds by one thread.
    """

    def __init__(self) -> None:
        self.costs: dict[str, float] = {}
        self.load = 0.0  # cores, of all
        self._at = 0.0
        self._process = 0.0
        self._threads: dict[str, float] = {}
        self._clips: dict[str, float] = {}

    def measure(self, now: float, threads: Mapping[str, float], clips: Mapping[str, float]) -> Mapping[str, float]:
        """The costs at ``now`` (monotonic s): ``threads`` are CPU s by camera so far, ``clips`` those cut so far."""
        spent = resource.getrusage(resource.RUSAGE_SELF)
        process = spent.ru_utime + spent.ru_stime
        passed = now - self._at
        if self._at and passed > 0:
            self.load = (process - self._process) / passed
            own = {name: max(0.0, spent - self._threads.get(name, 0.0)) / passed for name, spent in threads.items()}
            shared = max(0.0, self.load - sum(own.values()))
            cut = {name: max(0.0, clips.get(name, 0.0) - self._clips.get(name, 0.0)) for name in threads}
            every = sum(cut.values())
            for name, its in own.items():
                cost = its + (shared * cut[name] / every if every else 0.0)
                self.costs[name] = cost if name not in self.costs else SMOOTH * cost + (1 - SMOOTH) * self.costs[name]
        self.costs = {name: cost for name, cost in self.costs.items() if name in threads}
        self._at, self._process, self._threads, self._clips = now, process, dict(threads), dict(clips)
        return self.costs
