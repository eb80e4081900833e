"""Which store a configuration asks for."""

from streamwatch.config import Config
from streamwatch.metrics import Metrics
from streamwatch.sinks.bounds import Bounds
from streamwatch.sinks.store import SqliteOutbox

__all__ = ["open_store"]


def open_store(config: Config, metrics: Metrics) -> SqliteOutbox:
    """The outbox of ``config``; what it gives up is counted. Raises SinkError if it cannot be used."""
    asked = config.outbox
    bounds = Bounds(asked.max_rows, int(asked.max_bytes), asked.keep_days * 86_400)

    def pruned(rows: int, reason: str) -> None:
        metrics.outbox_pruned.labels(reason).inc(rows)

    return SqliteOutbox(config.data_dir / "alerts.sqlite", bounds=bounds, on_pruned=pruned)
