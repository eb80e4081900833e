"""alembic finds the steps, and knows where it stands."""

from collections.abc import Iterator

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text

from streamwatch.sinks.session import upgrade
from tests.sinks.server import PostgresServer


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    made = PostgresServer()
    yield made
    made.close()


def test_the_steps_are_one_line() -> None:
    config = Config()
    config.set_main_option("script_location", "streamwatch.sinks:migrations")
    steps = ScriptDirectory.from_config(config)
    assert [step.revision for step in steps.walk_revisions()] == ["outbox"]
    assert len(steps.get_heads()) == 1


def test_it_remembers_the_last_step_and_does_none_twice(server: PostgresServer) -> None:
    engine = create_engine(server.url.reveal().replace("postgresql:", "postgresql+psycopg:"))
    for _ in range(2):
        with engine.begin() as connection:
            upgrade(connection)
            found = connection.execute(text("SELECT version_num FROM streamwatch_version")).scalars().all()
        assert found == ["outbox"]
    engine.dispose()
