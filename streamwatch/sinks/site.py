"""What every sink is told about the instance it speaks for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from streamwatch.metrics import Metrics
from streamwatch.sinks.outbox import Outbox

__all__ = ["Site"]


@dataclass(frozen=True, slots=True)
class Site:
    """The instance's name, its cameras with the names of the rules that watch each, its outbox and its metrics."""

    instance: str
    cameras: Mapping[str, Sequence[str]]
    outbox: Outbox
    metrics: Metrics
