"""One incident's footage on its way from the camera's ring into a clip."""

import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from streamwatch.errors import EvidenceError
from streamwatch.evidence.film import COPIED, Film, Polygons, open_film
from streamwatch.video.packets import Packet, PacketRing

__all__ = ["Footage", "Span"]

LATE = 3.0  # seconds after the end that packets are waited for: then the camera is silent
GAP = 1.5  # seconds without a picture that are worth a word
GAPS = 100  # noted of one clip


@dataclass(frozen=True, slots=True)
class Span:
    """From ``begin`` (UTC s), at most ``longest`` seconds; what leads there from the last keyframe does not count."""

    begin: float
    longest: float


class Footage:
    """Packets from ``ring``, begun at the keyframe before ``span.begin``, into the mp4 ``target``.

    ``until`` (UTC s) is set when it is known. ``cut`` says why the clip ends before its time: length, codec (the
    camera's format changed), memory, write, shutdown, disk. ``gaps`` are (UTC s, seconds) without pictures.
    """

    def __init__(self, ring: PacketRing, target: Path, span: Span, masks: Polygons) -> None:
        self.until: float | None = None
        self.cut: str | None = None
        self.gaps: list[tuple[float, float]] = []
        self.first: float | None = None  # UTC s of the first picture
        self.last = 0.0  # … and of the last
        self.lost = 0  # packets that left the ring before they were taken
        self.codec: str | None = None
        self.written = False
        self.held = 0  # bytes that wait to be encoded
        self.drawn = False  # nothing more will come
        self._ring = ring
        self._target = target
        self._span = span
        self._masks = masks
        self._number: int | None = None  # of the last packet taken
        self._format: tuple[str, bytes] | None = None
        self._waiting: deque[Packet] = deque(maxlen=1_000_000)  # bounded by the bytes held
        self._film: Film | None = None

    def draw(self, now: float, room: int) -> None:
        """Take what has come; hold at most ``room`` bytes. It is ``now`` (UTC s)."""
        if self.drawn:
            return
        fresh = self._ring.since(self._span.begin) if self._number is None else self._ring.after(self._number)
        for packet in fresh:
            self._take(packet, room)
            if self.drawn:
                return
        if self.until is not None and (self.last > self.until or now > self.until + LATE):
            self.drawn = True

    def work(self, deadline: float) -> None:
        """Write what waits, until ``deadline`` (monotonic s). What fails is cut, never raised."""
        try:
            while self._waiting and time.monotonic() < deadline:
                if self._film is None:
                    self._film = open_film(self._target, self._waiting[0], self._masks)
                    self.codec = self._film.codec
                packet = self._waiting.popleft()
                self.held -= len(packet.data)
                self._film.write(packet)
            if self.drawn and not self._waiting and self._film is not None:
                film, self._film = self._film, None
                film.finish()
                self.written = True
        except EvidenceError:
            self.stop("write")

    @property
    def encoded(self) -> bool:
        """Whether the clip is encoded again, which takes its time; copying does not."""
        return bool(self._masks) or (self._format is not None and self._format[0] not in COPIED)

    @property
    def done(self) -> bool:
        """Whether the clip is finished, or never will be."""
        return self.drawn and not self._waiting and self._film is None

    def end(self, reason: str) -> None:
        """Take no more; what was taken is still written."""
        if not self.drawn:
            self.drawn, self.cut = True, reason

    def stop(self, reason: str) -> None:
        """Give it up; nothing stays on the disk unless the clip was finished."""
        if self.done and self._number is not None:
            return
        self.drawn, self.cut = True, reason
        self._waiting.clear()
        self.held = 0
        if self._film is not None:
            self._film.abandon()
            self._film = None

    def _take(self, packet: Packet, room: int) -> None:
        at, codec = packet.at, packet.run.codec
        form = codec.name, codec.extradata
        if self.first is None:
            self.first = self.last = at
            self._format = form
        if self.until is not None and at > self.until:
            self.drawn = True
        elif at - max(self.first, self._span.begin) > self._span.longest:
            self.end("length")
        elif not self.encoded and form != self._format:
            self.end("codec")
        elif self.held + len(packet.data) > room:
            self.end("memory")
        if self.drawn:
            return
        self.lost += packet.number - self._number - 1 if self._number is not None else 0
        if at - self.last > GAP and len(self.gaps) < GAPS:
            self.gaps.append((self.last, at - self.last))
        self.last = max(at, self.last)
        self._number = packet.number
        self._waiting.append(packet)
        self.held += len(packet.data)
