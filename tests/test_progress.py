"""Progress: on a terminal only."""

import os
import pty
import subprocess
import sys

PROGRAM = """
from streamwatch.progress import progress
with progress("the log") as show:
    for at in {times}:
        show(at)
"""


def test_it_is_silent_without_a_terminal() -> None:
    program = PROGRAM.format(times=[1.0, 2.0])
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, check=True)
    assert (found.stdout, found.stderr) == (b"", b"")


def test_it_counts_on_a_terminal_and_utc_from_its_first() -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        for times, seconds in (([1.0, 42.0], b"42 s of the log"), ([1.7e9, 1.7e9 + 7], b"7 s of the log")):
            subprocess.run(
                [sys.executable, "-c", PROGRAM.format(times=times)],
                stderr=theirs,
                timeout=60,
                check=True,
                env=os.environ | {"TERM": "xterm", "COLUMNS": "80"},
            )
            shown = terminal.read(100_000)
            assert seconds in shown
            assert b"1700" not in shown
        os.close(theirs)
