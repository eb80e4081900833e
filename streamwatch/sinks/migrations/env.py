"""What alembic runs: the steps that are missing, on the connection that it was given."""

from alembic import context

from streamwatch.sinks.tables import TABLES

__all__ = ["migrate"]


def migrate() -> None:
    """In the transaction of the connection in the configuration's attributes."""
    connection = context.config.attributes["connection"]
    context.configure(connection=connection, target_metadata=TABLES, version_table="streamwatch_version")
    with context.begin_transaction():
        context.run_migrations()


migrate()
