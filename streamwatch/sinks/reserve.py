"""Room for the alerts of a full disk: a file that is given back when nothing else fits.

A full SQLite disk refuses even DELETE, so something else must go first.
"""

import logging
import os
import shutil
from pathlib import Path

__all__ = ["SIZE", "Reserve"]

log = logging.getLogger(__name__)

SIZE = 16 * 2**20  # bytes: thousands of alerts, twice over because SQLite writes them into its log first
AMPLE = 4  # the reserve is made again when this many times its size is free


class Reserve:
    """A file of ``size`` bytes beside the store. Any thread may call; at worst the file is made once too often."""

    def __init__(self, path: Path, size: int = SIZE) -> None:
        self._path = path
        self._size = size
        if not self.tend():
            log.warning("%s: no room for a reserve of %d bytes: alerts of a full disk stay in memory", path, size)

    @property
    def held(self) -> bool:
        """Whether there is something to give back."""
        try:
            return self._path.stat().st_size >= self._size
        except OSError:
            return False

    def release(self) -> bool:
        """Give the room back; False if there was none left to give."""
        if not self.held:
            return False
        self._path.unlink(missing_ok=True)
        log.error("the disk is full: the reserve %s was given up so that alerts can be stored", self._path)
        return True

    def tend(self) -> bool:
        """Make the file if it is gone and there is ample room; True if it is there."""
        if self.held:
            return True
        try:
            if shutil.disk_usage(self._path.parent).free < AMPLE * self._size:
                return False
            self._make()
        except OSError:  # between the question and the write somebody was quicker
            self._path.unlink(missing_ok=True)
            return False
        return True

    def _make(self) -> None:
        file = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(file, 0, self._size)
        finally:
            os.close(file)
