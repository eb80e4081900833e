"""What another process spends."""

import subprocess
import sys
import time

import psutil
import pytest

from streamwatch.bench.process import spent
from streamwatch.errors import StreamwatchError


def test_agrees_with_psutil() -> None:
    code = "x = bytearray(50_000_000)\nwhile True: pass"
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        try:
            other = psutil.Process(process.pid)
            deadline = time.monotonic() + 20
            while spent(process.pid).cpu < 0.3:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            found, times = spent(process.pid), other.cpu_times()
            assert found.cpu == pytest.approx(times.user + times.system, abs=0.3)
            assert found.memory == pytest.approx(other.memory_info().rss, rel=0.1)
            assert found.memory > 50e6
        finally:
            process.kill()


def test_a_process_that_is_gone_is_an_error() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    with pytest.raises(StreamwatchError, match=str(process.pid)):
        spent(process.pid)
