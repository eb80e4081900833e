"""The same configuration has the same digest in every process, another one has not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from streamwatch.cluster.digest import digest_of
from streamwatch.config import load_config

PROGRAM = """
import sys
from pathlib import Path
from streamwatch.cluster.digest import digest_of
from streamwatch.config import load_config
print(digest_of(load_config(Path(sys.argv[1]))))
"""
FILE = """
mqtt: {host: 127.0.0.1, password_file: secret}
http: {port: 9200}
cameras:
  - {name: dock, url: 'rtsp://user:S3CR3T@10.0.0.1/stream', zones: [{name: door, polygon: [[0, 0], [1, 0], [1, 1]]}]}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "streamwatch.yml"
    path.write_text(FILE)
    (tmp_path / "secret").write_text("hush")
    return path


def test_it_is_that_of_the_file_whichever_process_reads_it(file: Path) -> None:
    """The order of a set is another in each process."""
    found = {digest_of(load_config(file))}
    for seed in "12":
        command = [sys.executable, "-c", PROGRAM, str(file)]
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        found.add(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip())
    assert len(found) == 1


@pytest.mark.parametrize(("this", "that"), [("9200", "9201"), ("S3CR3T", "0TH3R"), ("[1, 1]]", "[1, 0.9]]")])
def test_another_configuration_has_another(file: Path, this: str, that: str) -> None:
    before = digest_of(load_config(file))
    assert "S3CR3T" not in before
    file.write_text(FILE.replace(this, that))
    assert digest_of(load_config(file)) != before
