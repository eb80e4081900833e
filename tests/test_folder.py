"""One process a data folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from streamwatch.errors import ConfigError
from streamwatch.folder import FolderLock

HOLD = """
import sys, pathlib
from streamwatch.folder import FolderLock
lock = FolderLock(pathlib.Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_makes_the_folder_and_lets_go(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    lock = FolderLock(folder)
    assert (folder / "lock").read_text() == str(os.getpid())
    lock.close()
    lock.close()
    FolderLock(folder).close()


def test_a_second_process_is_refused_with_the_holders_id_until_it_is_killed(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(ConfigError, match=f"in use by process {holder.pid}"):
            FolderLock(tmp_path)
        holder.kill()
        holder.wait(10)
    FolderLock(tmp_path).close()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"data_dir: .*file/x cannot be written"):
        FolderLock(tmp_path / "file" / "x")
