"""Alerts as JSON lines."""

import threading
from typing import TextIO

from streamwatch.rules.alert import to_json
from streamwatch.sinks.outbox import Entry
from streamwatch.sinks.sink import Site

__all__ = ["JsonlSink"]

_BATCH = 100
_WAIT = 0.1  # s


class JsonlSink:
    """Writes each alert as one line to ``stream`` and flushes it; then it counts as handed on."""

    def __init__(self, site: Site, stream: TextIO) -> None:
        self._site = site
        self._stream = stream

    def run(self, stop: threading.Event) -> None:
        """Write what the outbox holds until ``stop``, then what is left. Raises OSError if the stream is gone."""
        while not stop.is_set():
            self._write(self._site.outbox.pending(0, _BATCH, _WAIT))
        while entries := self._site.outbox.pending(0, _BATCH, 0.0):
            self._write(entries)

    def _write(self, entries: list[Entry]) -> None:
        for entry in entries:
            self._stream.write(to_json(entry.alert, self._site.instance, entry.sequence) + "\n")
        self._stream.flush()
        for entry in entries:
            self._site.outbox.acknowledge(entry.sequence)
