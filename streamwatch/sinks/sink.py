"""What a sink is, and what it is told about the instance it speaks for."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from streamwatch.metrics import Metrics
from streamwatch.sinks.outbox import Outbox

__all__ = ["Sink", "Site"]


@dataclass(frozen=True, slots=True)
class Site:
    """The instance's name, its cameras with the names of the rules that watch each, its outbox and its metrics.

    ``events`` are those that the model scores. ``now`` gives UTC seconds by the clock that stamps the alerts.
    """

    instance: str
    cameras: Mapping[str, Sequence[str]]
    outbox: Outbox
    metrics: Metrics
    now: Callable[[], float] = time.time
    events: Sequence[str] = ()


class Sink(Protocol):
    """Takes alerts from the site's outbox to where they are wanted, and acknowledges what has arrived."""

    def run(self, stop: threading.Event) -> None:
        """A worker's body: returns soon after ``stop``; what is not acknowledged by then stays in the outbox."""
        ...
