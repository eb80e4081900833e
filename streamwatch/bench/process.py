"""What another process spends: CPU time and memory, as Linux tells in /proc."""

import os
from dataclasses import dataclass
from pathlib import Path

from streamwatch.errors import StreamwatchError

__all__ = ["Spent", "spent"]

_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_UTIME, _STIME = 11, 12  # of /proc/<pid>/stat, counted after the name of the program


@dataclass(frozen=True, slots=True)
class Spent:
    """``cpu``: user and system seconds of all threads so far; ``memory``: resident bytes now."""

    cpu: float
    memory: int


def spent(pid: int) -> Spent:
    """Of the process ``pid``, without its children. Raises StreamwatchError if it is gone, or this is no Linux."""
    folder = Path(f"/proc/{pid}")
    try:
        stat = (folder / "stat").read_text().rpartition(")")[2].split()  # the name may hold blanks
        status = (folder / "status").read_text()
    except OSError as error:
        raise StreamwatchError(
            f"process {pid} cannot be measured: {error.strerror}; this needs Linux' /proc"
        ) from error
    resident = next((line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")), "0")
    return Spent((int(stat[_UTIME]) + int(stat[_STIME])) / _TICKS, int(resident) * 1024)
