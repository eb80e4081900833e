"""One session with PostgreSQL: opened when needed, the tables brought up to date, one writer an instance."""

import threading
from collections.abc import Callable
from typing import TypeVar

from alembic import command
from alembic.config import Config as AlembicConfig
from sqlalchemy import Connection, Engine, create_engine, make_url, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError

from streamwatch.errors import SinkError
from streamwatch.secret import SecretUrl
from streamwatch.sinks.tables import INSTANCES

__all__ = ["Session", "upgrade"]

T = TypeVar("T")

# Seconds are short: the rules thread waits for this.
_CONNECT = {
    "connect_timeout": 3,
    "options": "-c statement_timeout=5000 -c lock_timeout=2000",
    "tcp_user_timeout": 5000,
    "application_name": "streamwatch",
}
_MIGRATION = 7_305_020_117  # the advisory lock under which tables are brought up to date


class Session:
    """``run`` has a change done in a transaction of its own, on the one connection of ``instance``.

    While it is open nobody else can open one for the same instance: an advisory lock, which ends with the session,
    however that ends. ``opened`` is called on each new connection, in a transaction. Not for several threads at once.
    Raises SinkError for whatever PostgreSQL refuses, without the password; what was begun is undone.
    """

    def __init__(self, url: SecretUrl, instance: str, opened: Callable[[Connection], None]) -> None:
        self._url = url
        self._instance = instance
        self._opened = opened
        self._connection: Connection | None = None
        whole = make_url(url.reveal()).set(drivername="postgresql+psycopg")
        self._engine: Engine = create_engine(whole, pool_size=1, max_overflow=0, connect_args=_CONNECT)
        self._guard = threading.Lock()

    def run(self, change: Callable[[Connection], T]) -> T:
        """What ``change`` returns, once it is committed."""
        with self._guard:
            try:
                connection = self._open()
                with connection.begin():
                    return change(connection)
            except SQLAlchemyError as error:
                self._drop()
                raise self._failure(error) from None

    def close(self) -> None:
        """Let go of the instance. Idempotent."""
        with self._guard:
            self._drop()
            self._engine.dispose()

    def _open(self) -> Connection:
        if self._connection is not None:
            return self._connection
        connection = self._connection = self._engine.connect()
        with connection.begin():
            upgrade(connection)
            query = text("SELECT pg_try_advisory_lock(hashtextextended(:name, 0))")
            if not connection.execute(query, {"name": f"streamwatch {self._instance}"}).scalar_one():
                self._drop()
                raise SinkError(
                    f"outbox.url: another process writes as {self._instance!r}; stop it, or set outbox.instance",
                    busy=True,
                )
            connection.execute(
                insert(INSTANCES).values(name=self._instance, last=0, kept_from=1).on_conflict_do_nothing()
            )
            self._opened(connection)
        return connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.invalidate()
                connection.close()
            except SQLAlchemyError:  # it is gone already
                self._engine.dispose()

    def _failure(self, error: SQLAlchemyError) -> SinkError:
        said = str(getattr(error, "orig", None) or error).strip().splitlines() or [type(error).__name__]
        return SinkError(f"outbox.url {self._url}: {self._url.redact(said[0])}", busy=True)


def upgrade(connection: Connection) -> None:
    """Bring the tables up to date, in the transaction of ``connection``; one process at a time."""
    connection.execute(select(text(f"pg_advisory_xact_lock({_MIGRATION})")))
    config = AlembicConfig()
    config.set_main_option("script_location", "streamwatch.sinks:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
