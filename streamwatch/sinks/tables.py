"""The outbox's tables in PostgreSQL, as they are now; ``migrations`` makes them."""

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    text,
)

__all__ = ["ALERTS", "INSTANCES", "LEFT_OPEN", "TABLES"]

TABLES = MetaData()

INSTANCES = Table(
    "instances",
    TABLES,
    Column("name", Text, primary_key=True),
    Column("last", BigInteger, nullable=False),  # the newest sequence number: the next is counted up here
    Column("kept_from", BigInteger, nullable=False),
)
ALERTS = Table(
    "alerts",
    TABLES,
    Column("instance", Text, ForeignKey("instances.name"), primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("stored", Double, nullable=False),
    Column("payload", Text, nullable=False),
    Column("acked", SmallInteger, nullable=False),  # 0: waits, 1: the broker has it, 2: given up (payload: why)
    Column("rank", SmallInteger, nullable=False),
    Column("size", Integer, nullable=False),
)
_WAITING = text("acked = 0")
Index("alerts_told", ALERTS.c.instance, ALERTS.c.id, ALERTS.c.seq, unique=True)
Index("alerts_waiting", ALERTS.c.instance, ALERTS.c.sequence, postgresql_where=_WAITING)
Index("alerts_graveness", ALERTS.c.instance, ALERTS.c.rank, ALERTS.c.sequence, postgresql_where=_WAITING)
LEFT_OPEN = Table(
    "left_open",
    TABLES,
    Column("instance", Text, ForeignKey("instances.name"), primary_key=True),
    Column("id", Text, primary_key=True),
    Column("payload", Text, nullable=False),
)
