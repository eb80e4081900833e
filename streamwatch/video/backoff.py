"""How long to wait before the next attempt. Pure: chance and time are arguments."""

from collections.abc import Callable

__all__ = ["Backoff"]


class Backoff:
    """Exponential back-off with full jitter: a share of 0.5, 1, 2 … 30 s drawn at random, so that cameras that went
    away together do not come back together.

    After "Exponential Backoff And Jitter", M. Brooker, AWS Architecture Blog, 2015. A run of ``stable`` seconds begins
    anew.
    """

    def __init__(
        self,
        random: Callable[[], float],  # 0 ≤ random() < 1
        first: float = 0.5,
        ceiling: float = 30.0,
        stable: float = 60.0,
    ) -> None:
        self._random = random
        self._first = first
        self._ceiling = ceiling
        self._stable = stable
        self._limit = first

    def begin(self) -> None:
        """Anew: what was in the way is over."""
        self._limit = self._first

    def delay(self, lasted: float) -> float:
        """Seconds to wait after a run that worked for ``lasted`` seconds (0: it never did)."""
        if lasted >= self._stable:
            self.begin()
        limit = self._limit
        self._limit = min(self._ceiling, 2 * limit)
        return self._random() * limit
