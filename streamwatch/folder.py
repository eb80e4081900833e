"""The data folder: one process at a time, and it says which."""

import fcntl
import os
from pathlib import Path

from streamwatch.errors import ConfigError

__all__ = ["FolderLock"]


class FolderLock:
    """Holds ``folder`` (made if missing) for this process until ``close`` or the process' end, however it ends.

    Raises ConfigError if the folder cannot be written or another process holds it, with that process' id.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / "lock"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise ConfigError(f"data_dir: {folder} cannot be written: {error.strerror}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(self._file, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(self._file)
            raise ConfigError(
                f"data_dir: {folder} is in use by process {holder}; stop it, or give this instance its own data_dir"
            ) from error
        os.ftruncate(self._file, 0)
        os.write(self._file, str(os.getpid()).encode())

    def close(self) -> None:
        """Let go. Idempotent."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
