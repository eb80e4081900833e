"""Stopping: gently first, at once then."""

import signal
import subprocess
import sys

import pytest

CHILD = """
import time
from streamwatch.signals import stop_on_signals
stop = stop_on_signals()
print("ready", flush=True)
stop.wait(30)
print("stopping", flush=True)
time.sleep({linger})
"""


def child(linger: float) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", CHILD.format(linger=linger)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_asks(number: signal.Signals) -> None:
    with child(linger=0) as process:
        process.send_signal(number)
        assert process.wait(20) == 0
        assert process.stdout is not None
        assert process.stdout.read() == "stopping\n"


def test_the_second_ends_at_once() -> None:
    with child(linger=60) as process:
        process.send_signal(signal.SIGTERM)
        assert process.stdout is not None
        assert process.stdout.readline() == "stopping\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 128 + signal.SIGTERM


HANGUP = """
import os, signal
from streamwatch.signals import hangups
ask = hangups()
assert not ask()
os.kill(os.getpid(), signal.SIGHUP)
os.kill(os.getpid(), signal.SIGHUP)
assert ask()
assert not ask()
print("alive", flush=True)
"""


def test_a_hangup_is_told_once() -> None:
    found = subprocess.run([sys.executable, "-c", HANGUP], capture_output=True, text=True, timeout=60, check=False)
    assert (found.stdout, found.returncode) == ("alive\n", 0), found.stderr
