"""The tables, as the code knows them."""

from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.schema import CreateIndex, CreateTable

from streamwatch.sinks.tables import ALERTS, INSTANCES, LEFT_OPEN

DIALECT = PGDialect()  # type: ignore[no-untyped-call]


def test_an_alert_is_known_by_its_instance_and_number_and_told_once() -> None:
    made = str(CreateTable(ALERTS).compile(dialect=DIALECT))
    assert "PRIMARY KEY (instance, sequence)" in made
    told = next(index for index in ALERTS.indexes if index.name == "alerts_told")
    assert "UNIQUE INDEX alerts_told ON alerts (instance, id, seq)" in str(CreateIndex(told))


def test_what_waits_is_found_without_looking_at_what_does_not() -> None:
    partial = [str(CreateIndex(i).compile(dialect=DIALECT)) for i in ALERTS.indexes if not i.unique]
    assert len(partial) == 2
    assert all("WHERE acked = 0" in index for index in partial)


def test_everything_belongs_to_an_instance() -> None:
    for table in (ALERTS, LEFT_OPEN):
        (key,) = table.c.instance.foreign_keys
        assert key.column is INSTANCES.c.name
