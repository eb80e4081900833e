"""Which store a configuration asks for."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from streamwatch.config import Config, load_config
from streamwatch.errors import ConfigError
from streamwatch.metrics import Metrics
from streamwatch.sinks.store import SqliteOutbox
from streamwatch.sinks.stores import open_store
from tests.sinks.server import PASSWORD, PostgresServer
from tests.sinks.stage import make_alert, value

CAMERAS = "cameras: [{name: dock, url: 'synthetic:walk'}]\n"


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    made = PostgresServer()
    yield made
    made.close()


def read(folder: Path, text: str) -> Config:
    (folder / "streamwatch.yml").write_text(f"data_dir: {folder}/data\n{CAMERAS}{text}")
    return load_config(folder / "streamwatch.yml")


def test_a_file_where_nothing_else_is_said(tmp_path: Path) -> None:
    metrics = Metrics()
    store = open_store(read(tmp_path, "outbox: {max_rows: 1}\n"), metrics)
    assert isinstance(store, SqliteOutbox)
    for number in range(3):
        store.append(make_alert(number))
    assert value(metrics, "outbox_pruned_total", reason="rows") == 2
    store.close()


def test_postgresql_by_a_url_from_the_environment(
    tmp_path: Path, server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUTBOX_PASSWORD", PASSWORD)
    url = server.url.reveal().replace(PASSWORD, "${OUTBOX_PASSWORD}")
    config = read(tmp_path, f"outbox: {{url: '{url}', instance: north}}\n")
    assert PASSWORD not in repr(config)
    store = open_store(config, Metrics())
    assert store.instance == "north"
    assert store.append(make_alert()).sequence == 1
    store.close()
    unnamed = open_store(read(tmp_path, f"outbox: {{url: '{url}'}}\nmqtt: {{client_id: south}}\n"), Metrics())
    assert unnamed.instance == "south"
    unnamed.close()


@pytest.mark.parametrize("url", ["mysql://u:S3CR3T@h/d", "7", "[1]"])
def test_refuses_what_is_not_postgresql(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError, match=r"outbox\.url: must be a string such as postgresql") as refused:
        read(tmp_path, f"outbox: {{url: {url}}}\n")
    assert "S3CR3T" not in str(refused.value)
