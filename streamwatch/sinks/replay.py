"""Alerts that a subscriber missed, published again from the store beside those that are new."""

import json

from streamwatch.sinks.bounds import Held
from streamwatch.sinks.outbox import Entry, Outbox

__all__ = ["Replay", "write_answer"]

_CHUNK = 64  # entries read at once


class Replay:
    """Goes through the outbox once more, acknowledged or not, from where somebody asked to where new alerts begin.

    What lies beyond is published anyway. Owned by the thread that publishes; outlives a connection.
    """

    def __init__(self, outbox: Outbox) -> None:
        self.active = False
        self._outbox = outbox
        self._position = 0  # taken up to here
        self._until: int | None = None  # None: new alerts have not begun
        self._read: list[Entry] = []

    def held(self, after: int) -> Held:
        """What those who ask can get, and what they cannot. Raises SinkError."""
        return self._outbox.held(after)

    def ask(self, after: int, newest: int) -> None:
        """Have all above ``after`` again, up to ``newest``, the last handed over on this connection (0: none yet).

        Asked again while it goes, it begins at the lower of the two places.
        """
        self._position = min(self._position, after) if self.active else after
        self._until = newest or None
        self._read = []
        self.active = True

    def began(self, sequence: int) -> None:
        """A new alert was handed over: those from it on are none of ours."""
        if self._until is None:
            self._until = sequence - 1

    def peek(self) -> Entry | None:
        """The next entry; None, and no longer active, when all were taken. Raises SinkError."""
        if not self.active:
            return None
        if not self._read:
            self._read = self._outbox.alerts_after(self._position, _CHUNK)
        if not self._read or (self._until is not None and self._read[0].sequence > self._until):
            self.cancel()
            return None
        return self._read[0]

    def take(self) -> None:
        """The peeked entry was handed over, or never can be."""
        self._position = self._read.pop(0).sequence

    def rewind(self, sequence: int) -> None:
        """``sequence`` was handed over and did not arrive: go on from there."""
        self._position = min(self._position, sequence - 1)
        self._read = []
        self.active = True

    def cancel(self) -> None:
        """Stop; those who miss something ask again."""
        self.active = False
        self._read = []


def write_answer(instance: str, after: int, held: Held) -> str:
    """What a subscriber hears before the alerts that it asked for: what it cannot get, and why."""
    pruned = [{"first": gone.first, "last": gone.last, "reason": gone.reason} for gone in held.pruned]
    answer = {
        "schema": "streamwatch.replay/1",
        "instance": instance,
        "after": after,
        "first": held.first,
        "last": held.last,
        "pruned": pruned,
        "pruned_until": held.pruned_until,
    }
    return json.dumps(answer, separators=(",", ":"))
