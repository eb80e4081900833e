import json
from pathlib import Path

import pytest

from streamwatch.sinks.announced import Announced


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "announced.json"


def test_remembers_over_restarts_until_it_is_settled(path: Path) -> None:
    Announced(path).add({"a": {"x": "sensor"}, "b": {"y": "event"}})
    again = Announced(path)
    again.add({"a": {"z": "switch"}})
    assert Announced(path).devices() == {"a": {"x": "sensor", "z": "switch"}, "b": {"y": "event"}}
    again.settle("a", {"z": "switch"})
    again.settle("b", {})
    again.settle("never heard of", {})
    assert Announced(path).devices() == again.devices() == {"a": {"z": "switch"}}
    assert [file.name for file in path.parent.iterdir()] == ["announced.json"]


def test_nothing_is_written_when_nothing_changes(path: Path) -> None:
    announced = Announced(path)
    announced.add({})
    assert not path.exists()
    announced.add({"a": {"x": "sensor"}})
    path.unlink()
    announced.settle("a", {"x": "sensor"})
    assert not path.exists()


def test_forgets_with_the_process_without_a_file() -> None:
    announced = Announced(None)
    announced.add({"a": {"x": "sensor"}})
    assert announced.devices() == {"a": {"x": "sensor"}}
    assert Announced(None).devices() == {}


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\xff", b"[]", b"3", b'{"a": 1}', b'{"a": {"x": 1}}', b'{"a/#": {"x": "sensor"}}', b'{"a": {"": "s"}}',
        b"[" * 100_000, b'{"a": {"x": ""}}', b" " * (5 << 20),
    ],
    ids=lambda content: repr(content[:20]),
)  # fmt: skip
def test_a_file_that_makes_no_sense_is_said_and_begun_anew(
    path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    announced = Announced(path)
    assert announced.devices() == {}
    assert str(path) in caplog.text
    announced.add({"a": {"x": "sensor"}})
    assert json.loads(path.read_bytes()) == {"a": {"x": "sensor"}}


def test_a_file_that_cannot_be_written_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    announced = Announced(tmp_path / "file" / "announced.json")
    announced.add({"a": {"x": "sensor"}})
    assert announced.devices() == {"a": {"x": "sensor"}}
    assert "cannot be written" in caplog.text
