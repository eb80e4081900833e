"""A disk that really fills up."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamwatch.errors import SinkError
from streamwatch.sinks.reserve import Reserve
from streamwatch.sinks.store import SqliteOutbox
from tests.sinks.stage import make_alert

MEGABYTE = 2**20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("may not mount a small file system here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Leave not one byte."""
    path = folder / "filler"
    with path.open("wb", buffering=0) as file:
        for size in (MEGABYTE, 4096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue
    return path


def test_is_really_allocated_and_given_back(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path / "reserve", MEGABYTE)
    assert reserve.held
    assert (tmp_path / "reserve").stat().st_blocks * 512 >= MEGABYTE  # not a hole
    assert reserve.release()
    assert not (tmp_path / "reserve").exists()
    assert not reserve.release()
    assert reserve.tend()


def test_is_not_made_where_it_would_fill_the_disk(small_disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert not Reserve(small_disk / "reserve", 24 * MEGABYTE).held
    assert "no room for a reserve" in caplog.text


def test_lets_alerts_of_a_full_disk_be_stored_and_is_made_again(small_disk: Path) -> None:
    reserve = Reserve(small_disk / "reserve", 12 * MEGABYTE)
    outbox = SqliteOutbox(small_disk / "alerts.sqlite")
    filler = fill(small_disk)
    stored = 0
    with pytest.raises(SinkError, match="full"):
        for stored in range(10_000):
            outbox.append(make_alert(stored))
    assert reserve.release()
    for number in range(2000):
        outbox.append(make_alert(stored + number))
    assert not reserve.tend()
    filler.unlink()
    assert reserve.tend()
    kept = outbox.alerts_after(0, 20_000)
    assert [entry.sequence for entry in kept] == list(range(1, len(kept) + 1))
    assert len(kept) >= stored + 2000
    outbox.close()
