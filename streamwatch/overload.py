"""Whether the machine is too slow for its cameras: said once when it begins and once when it is over."""

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from prometheus_client import Counter

from streamwatch.metrics import Metrics

__all__ = ["Overload", "Totals", "totals"]

log = logging.getLogger(__name__)

PERIOD = 10.0  # seconds between looks
BEGIN = 0.05  # share of the packets that were left out
BEGUN = 3  # periods that it is the mean of
END = 0.01  # share, over
ENDED = 6  # periods: a machine that just about keeps up is not said to be well and ill in turn


@dataclass(frozen=True, slots=True)
class Totals:
    """Of all cameras since the process began: packets ``received``, those ``skipped`` of them, clips ``missed``."""

    received: float = 0.0
    skipped: float = 0.0
    missed: float = 0.0


class Overload:
    """Follows ``totals()``. Over all cameras together: one that is left out for long is told by the metrics."""

    def __init__(self, totals: Callable[[], Totals]) -> None:
        self._totals = totals
        self._seen: deque[Totals] = deque(maxlen=ENDED + 1)  # the newest last
        self._looked: float | None = None
        self._since: tuple[float, Totals] | None = None  # when it began, and what had been counted by then
        self.share = 0.0  # of the packets, left out in the last BEGUN periods

    @property
    def overloaded(self) -> bool:
        """Whether packets are left out just now, and not only for a moment."""
        return self._since is not None

    def look(self, now: float) -> None:
        """Look once a PERIOD; ``now`` is monotonic seconds."""
        if self._looked is not None and now - self._looked < PERIOD:
            return
        self._looked = now
        self._seen.append(self._totals())
        if len(self._seen) <= BEGUN:
            return
        self.share = self._over(BEGUN)
        if self._since is None and self.share > BEGIN:
            self._begin(now)
        elif self._since is not None and len(self._seen) > ENDED and self._over(ENDED) < END:
            self._end(now, *self._since)

    def degraded(self) -> list[str]:
        """What is to be said of it in /readyz."""
        if self._since is None:
            return []
        return [f"machine too slow for its cameras: {self.share:.0%} of their packets are left out"]

    def _begin(self, now: float) -> None:
        self._since = now - BEGUN * PERIOD, self._seen[-1 - BEGUN]
        log.warning(
            "the machine is too slow for its cameras: %.0f %% of their packets were left out in the last %.0f s; "
            "set decode: auto, lower their frame rate or size, or watch some of them on another machine",
            100 * self.share,
            BEGUN * PERIOD,
        )

    def _end(self, now: float, since: float, then: Totals) -> None:
        self._since = None
        missed = max(0.0, self._seen[-1].missed - then.missed)
        log.info("the machine keeps up with its cameras again, after %.0f s and %.0f clips missed", now - since, missed)

    def _over(self, periods: int) -> float:
        """Share of the packets that was left out in the last so many; totals fall where a camera went elsewhere."""
        before, last = self._seen[-1 - periods], self._seen[-1]
        received, skipped = last.received - before.received, last.skipped - before.skipped
        return min(1.0, max(0.0, skipped) / received) if received > 0 else 0.0


def totals(metrics: Metrics) -> Totals:
    """What ``metrics`` has counted."""
    return Totals(
        _sum(metrics.packets_received), _sum(metrics.packets_skipped), _sum(metrics.clips_dropped, reason="overload")
    )


def _sum(counter: Counter, reason: str | None = None) -> float:
    return sum(
        sample.value
        for family in counter.collect()
        for sample in family.samples
        if sample.name.endswith("_total") and reason in (None, sample.labels.get("reason"))
    )
