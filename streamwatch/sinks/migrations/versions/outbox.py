"""The first: instances, their alerts, and what they left open."""

import sqlalchemy as sa
from alembic import op

__all__ = ["downgrade", "upgrade"]

revision = "outbox"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "instances",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.Column("kept_from", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "alerts",
        sa.Column("instance", sa.Text, sa.ForeignKey("instances.name"), primary_key=True),
        sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("stored", sa.Double, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("acked", sa.SmallInteger, nullable=False),
        sa.Column("rank", sa.SmallInteger, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
    )
    waiting = sa.text("acked = 0")
    op.create_index("alerts_told", "alerts", ["instance", "id", "seq"], unique=True)
    op.create_index("alerts_waiting", "alerts", ["instance", "sequence"], postgresql_where=waiting)
    op.create_index("alerts_graveness", "alerts", ["instance", "rank", "sequence"], postgresql_where=waiting)
    op.create_table(
        "left_open",
        sa.Column("instance", sa.Text, sa.ForeignKey("instances.name"), primary_key=True),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("payload", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """As before there was anything."""
    for table in ("left_open", "alerts", "instances"):
        op.drop_table(table)
