"""Room on the disk: how much evidence is kept, and when none is written."""

import logging
import shutil
import time
from math import inf
from pathlib import Path

from streamwatch.config import EvidenceConfig
from streamwatch.errors import EvidenceError
from streamwatch.evidence.ledger import Entry, Ledger
from streamwatch.evidence.vault import KINDS, Place

__all__ = ["Space", "room"]

log = logging.getLogger(__name__)

DAY = 86_400.0  # s
LOOK = 5.0  # s between looks at the disk
PRUNE = 60.0  # s between looks at what is old
BATCH = 100  # incidents deleted at a time: each line about one is a sync, and cameras' packets do not wait
EASE = 1.1  # so much more than the floor must be free before writing goes on


class Space:
    """Deletes the oldest evidence beyond ``config``'s days and bytes, and watches the disk's free space.

    Only incidents in the ledger are deleted, so never one that is open.
    """

    def __init__(self, folder: Path, config: EvidenceConfig, ledger: Ledger) -> None:
        self.free = True
        self._looked = self._pruned = -inf  # when, monotonic s
        self._folder = folder
        self._config = config
        self._ledger = ledger
        most = room(config, shutil.disk_usage(folder).free, self.used)
        if most < config.max_bytes:
            log.warning("%s: there is room for %.1f GB, less than evidence.max_bytes: when it is full, evidence is not"
                        " written until something is keep_days old; lower max_bytes", folder, most / 1e9)  # fmt: skip
        for place in ledger.deleted:  # perhaps a crash came between the line and the deed
            try:
                self._remove(place)
            except EvidenceError as error:  # no reason not to start: alerts matter more
                log.error("evidence: %s", error)

    @property
    def used(self) -> int:
        """Bytes of all evidence kept."""
        return sum(entry.bytes for entry in self._ledger.kept.values())

    def tend(self, now: float) -> bool:
        """``look`` each LOOK seconds, and ``prune`` what is old ``now`` (UTC s) each PRUNE; whether it was time.

        Raises EvidenceError, OSError.
        """
        moment = time.monotonic()
        if moment - self._looked < LOOK:
            return False
        self._looked = moment
        self.look()
        if moment - self._pruned >= PRUNE:
            self._pruned = moment
            if gone := self.prune(now):
                self._pruned = -inf if gone == BATCH else moment
                log.info(
                    "evidence of %d incidents was older than %g days or beyond its size, and deleted",
                    gone,
                    self._config.keep_days,
                )
        return True

    def look(self) -> bool:
        """Whether evidence may be written: the disk has more than ``min_free`` left. Said once when it changes."""
        free = shutil.disk_usage(self._folder).free
        floor = self._config.min_free
        if self.free and free < floor:
            log.error("%s: %d MB free, less than evidence.min_free (%d MB): no evidence is written until there is more;"
                      " alerts go on", self._folder, free // 10**6, floor // 10**6)  # fmt: skip
            self.free = False
        elif not self.free and free >= floor * EASE:
            log.info("%s: %d MB free: evidence is written again", self._folder, free // 10**6)
            self.free = True
        return self.free

    def prune(self, now: float) -> int:
        """Delete what is too old or too much at ``now`` (UTC s), BATCH incidents at most; how many.

        One that seems to be of the future, because the clock was wrong, does not keep the others. Raises EvidenceError.
        """
        gone, used = 0, self.used
        for entry in list(self._ledger.kept.values()):
            reason = self._reason(entry, used, now)
            if reason is None:
                continue
            self._ledger.delete(entry.place.id, now, reason)
            self._remove(entry.place)
            used -= entry.bytes
            gone += 1
            if gone == BATCH:
                break
        return gone

    def _reason(self, entry: Entry, used: int, now: float) -> str | None:
        if entry.closed < now - self._config.keep_days * DAY:
            return "age"
        return "size" if used > self._config.max_bytes else None

    def _remove(self, place: Place) -> None:
        try:
            for kind in KINDS:
                place.path(self._folder, kind).unlink(missing_ok=True)
            for folder in (self._folder / place.camera / place.day, self._folder / place.camera):
                if not any(folder.iterdir()):
                    folder.rmdir()
        except FileNotFoundError:
            return
        except OSError as error:
            raise EvidenceError(f"{self._folder}: {place.id} cannot be deleted: {error.strerror}") from error


def room(config: EvidenceConfig, free: int, used: int) -> int:
    """Bytes that evidence can come to on a disk with ``free`` bytes left, of which it has ``used`` some already."""
    return max(0, free + used - config.min_free)
