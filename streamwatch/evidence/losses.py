"""Evidence that could not be kept: each counted by its reason, and said once a reason."""

import logging

from prometheus_client import Counter

__all__ = ["Losses"]

log = logging.getLogger(__name__)


class Losses:
    """``dropped`` has the label ``reason``."""

    def __init__(self, dropped: Counter) -> None:
        self._dropped = dropped
        self._said: set[str] = set()

    def count(self, reason: str) -> None:
        """One more."""
        self._dropped.labels(reason).inc()

    def complain(self, text: str, reason: str) -> None:
        """Count it, and say it if it is the first of its reason."""
        self.count(reason)
        self.say(text, reason)

    def say(self, text: str, reason: str) -> None:
        """Say it if it is the first of its reason."""
        if reason not in self._said:
            self._said.add(reason)
            log.error("evidence: %s (%s; further ones are counted only)", text, reason)
