"""Alerts that say where evidence is, on their way to the store."""

from collections import deque
from collections.abc import Callable

from streamwatch.errors import SinkError
from streamwatch.evidence.losses import Losses
from streamwatch.metrics import Metrics
from streamwatch.rules.alert import Alert

__all__ = ["LIMIT", "LastWords"]

LIMIT = 1000  # alerts that wait


class LastWords:
    """Gives alerts to ``publish``, in order, and again while it raises SinkError; LIMIT may wait."""

    def __init__(self, publish: Callable[[Alert], None], metrics: Metrics, losses: Losses) -> None:
        self._publish = publish
        self._metrics = metrics
        self._losses = losses
        self._waiting: deque[Alert] = deque(maxlen=LIMIT)

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, alert: Alert) -> None:
        """Have ``alert`` published by the next ``turn``."""
        if len(self._waiting) == LIMIT:
            self._losses.count("untold")
        self._waiting.append(alert)

    def turn(self) -> None:
        """Publish what can be."""
        try:
            while self._waiting:
                alert = self._waiting[0]
                self._publish(alert)
                self._waiting.popleft()
                self._metrics.alerts.labels(alert.camera, alert.rule, alert.type.value).inc()
        except SinkError:  # said by whoever else stores alerts
            return

    def end(self) -> None:
        """Publish what can be, and count the rest."""
        self.turn()
        for _ in self._waiting:
            self._losses.count("untold")
