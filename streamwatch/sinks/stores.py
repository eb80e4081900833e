"""Which store a configuration asks for."""

from typing import TYPE_CHECKING

from streamwatch.config import Config
from streamwatch.errors import ConfigError
from streamwatch.metrics import Metrics
from streamwatch.sinks.bounds import Bounds
from streamwatch.sinks.store import SqliteOutbox

if TYPE_CHECKING:
    from streamwatch.sinks.postgres import PostgresOutbox

__all__ = ["open_store"]


def open_store(config: Config, metrics: Metrics) -> "SqliteOutbox | PostgresOutbox":
    """The outbox of ``config``; what it gives up is counted. Raises SinkError if it cannot be used, ConfigError if what
    it needs is not installed.
    """
    asked = config.outbox
    bounds = Bounds(asked.max_rows, int(asked.max_bytes), asked.keep_days * 86_400)

    def pruned(rows: int, reason: str) -> None:
        metrics.outbox_pruned.labels(reason).inc(rows)

    if asked.url is not None:
        try:
            from streamwatch.sinks.postgres import PostgresOutbox
        except ImportError as error:
            raise ConfigError(f"outbox.url needs {error.name}: pip install 'streamwatch[postgres]'") from error
        return PostgresOutbox(asked.url, asked.instance or config.mqtt.client_id, bounds=bounds, on_pruned=pruned)
    return SqliteOutbox(config.data_dir / "alerts.sqlite", bounds=bounds, on_pruned=pruned)
