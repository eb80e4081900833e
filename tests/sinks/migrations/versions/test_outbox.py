"""The first step, there and back."""

from collections.abc import Iterator

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import create_engine, inspect

from streamwatch.sinks.migrations.versions import outbox
from tests.sinks.server import PostgresServer


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    made = PostgresServer()
    yield made
    made.close()


def test_it_makes_three_tables_and_takes_them_away(server: PostgresServer) -> None:
    engine = create_engine(server.url.reveal().replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection, Operations.context(MigrationContext.configure(connection)):
        outbox.upgrade()
        assert set(inspect(connection).get_table_names()) == {"instances", "alerts", "left_open"}
        outbox.downgrade()
        assert inspect(connection).get_table_names() == []
    engine.dispose()
