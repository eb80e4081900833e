"""How the process is: which workers are lost, and what works."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from streamwatch.http import Readiness
from streamwatch.worker import Worker

__all__ = ["STUCK", "Health", "Watched"]

STUCK = 4.0  # seconds without a beat after which a worker counts as hung: it beats every second

_WELL = ("connecting", "online", "disabled")  # states of a camera that lack nothing


@dataclass(frozen=True, slots=True)
class Watched:
    """A worker that must live, and when it last showed that it does (monotonic seconds)."""

    worker: Worker
    beat: Callable[[], float] = field(default=time.monotonic)


class Health:
    """Answers /healthz and /readyz. Never a matter of cameras or the broker being away."""

    def __init__(
        self,
        watched: Sequence[Watched],
        model: str,
        provider: str,
        cameras: Mapping[str, str],
        broker: Callable[[], str],
        storing: Callable[[], bool],
    ) -> None:
        self._watched = watched
        self._model = model
        self._provider = provider
        self._cameras = cameras
        self._broker = broker
        self._storing = storing
        self._further: list[Callable[[], Iterable[str]]] = []

    def also(self, degraded: Callable[[], Iterable[str]]) -> None:
        """Let ``degraded`` say what else is not as it should be."""
        self._further.append(degraded)

    def lost(self) -> Sequence[str]:
        """Workers that have ended or have not been heard of for STUCK seconds."""
        now = time.monotonic()
        return [w.worker.name for w in self._watched if not w.worker.alive or now - w.beat() > STUCK]

    def readiness(self) -> Readiness:
        """The state of everything; ``degraded`` while alerts are only buffered or cameras see little or nothing."""
        cameras, broker, storing = dict(self._cameras), self._broker(), self._storing()
        degraded = [f"camera {name}: {state}" for name, state in cameras.items() if state not in _WELL]
        if broker != "connected":
            degraded.append(f"broker {broker}: alerts wait in the outbox")
        if not storing:
            degraded.append("store: alerts are kept in memory only")
        degraded += [line for further in self._further for line in further()]
        return Readiness(self._model, self._provider, storing, cameras, broker, degraded)
