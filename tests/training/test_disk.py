"""Faults of the disk name their file."""

import errno
from pathlib import Path

import pytest

from streamwatch.training.disk import naming

FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full")
def test_a_full_disk_names_the_file_that_was_written() -> None:
    with pytest.raises(OSError, match="/dev/full") as caught, naming(FULL), FULL.open("wb", buffering=0) as file:
        file.write(b"x")
    assert caught.value.errno == errno.ENOSPC and caught.value.filename == "/dev/full"


def test_a_file_that_is_named_already_stays_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught, naming(tmp_path / "a"):
        (tmp_path / "b").read_bytes()
    assert caught.value.filename == str(tmp_path / "b")


def test_what_is_said_in_words_is_left_alone(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"^holds no video$"), naming(tmp_path):
        raise OSError("holds no video")
