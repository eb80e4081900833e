"""A session with PostgreSQL: the tables are what they should be, however many begin at once."""

import threading
from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text

from streamwatch.errors import StreamwatchError
from streamwatch.sinks.session import Session, upgrade
from streamwatch.sinks.tables import TABLES
from tests.sinks.server import PostgresServer


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    made = PostgresServer()
    yield made
    made.close()


def test_several_sites_that_begin_at_once_make_the_tables_once(server: PostgresServer) -> None:
    failed: list[Exception] = []

    def begin(number: int) -> None:
        session = Session(server.url, f"at-once-{number}", lambda connection: None)
        try:
            session.run(lambda connection: connection.execute(text("SELECT 1")))
        except StreamwatchError as error:
            failed.append(error)
        session.close()

    threads = [threading.Thread(target=begin, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failed == []


def test_the_steps_make_the_tables_that_the_code_knows(server: PostgresServer) -> None:
    engine = create_engine(server.url.reveal().replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        upgrade(connection)
        options = {"version_table": "streamwatch_version"}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), TABLES) == []
    engine.dispose()
