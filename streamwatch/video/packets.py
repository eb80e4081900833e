"""The last seconds of a camera as it sent them: compressed, so that an incident can be shown as it was."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

from streamwatch.video.annexb import parameter_sets

__all__ = ["MAX_BYTES", "Codec", "Packet", "PacketRing", "Run"]

MAX_BYTES = 32 << 20  # of one camera: 20 s at 12 Mbit/s
MAX_PACKETS = 5000  # the same: a stream whose keyframes never come again must not be decoded from its beginning
JUMP = 5.0  # seconds that a stream's clock may step; beyond it, or back, what follows is a run of its own
GAP = 1.0  # seconds without a packet
UNDATED = 8  # packets at the start of a stream that are kept until one says the time
PARAMETRIC = ("h264", "hevc")  # whose parameter sets may come within the stream


@dataclass(frozen=True, slots=True)
class Codec:
    """How packets are to be read: FFmpeg's ``name``, its ``extradata``, the unit of their times, pictures a second.

    ``unit``: ``time_base`` in seconds; each packet is counted in it, and a fraction costs 20 times as much.
    """

    name: str
    extradata: bytes
    time_base: Fraction
    rate: float = 25.0
    unit: float = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "unit", float(self.time_base))


@dataclass(slots=True)
class Run:
    """Packets of one codec on one clock. ``offset``: UTC minus the stream's time (s), None until a picture says."""

    codec: Codec
    offset: float | None = None


@dataclass(frozen=True, slots=True)
class Packet:
    """One compressed picture; ``pts`` in units of its run's time base, ``number`` counts those of a ring.

    ``arrival``: UTC seconds.
    """

    number: int
    run: Run
    pts: int
    keyframe: bool
    data: bytes
    arrival: float

    @property
    def at(self) -> float:
        """When the picture was taken, UTC seconds."""
        offset = self.run.offset
        return self.arrival if offset is None else self.pts * self.run.codec.unit + offset


@dataclass(slots=True)
class _Group:
    """A keyframe and what builds on it, in the order of decoding."""

    packets: list[Packet] = field(default_factory=list)
    size: int = 0


class PacketRing:
    """The newest ``seconds`` of one camera, begun at a keyframe; at most ``max_bytes``.

    ``begin``, ``add`` and ``align`` belong to the camera's thread, the rest to any. ``now`` gives UTC seconds.
    ``on_drop(packets, reason)`` hears of what could not be kept: ``bytes`` (too much for ``max_bytes`` or MAX_PACKETS),
    ``keyframe`` (there was none before it), ``undated``. What merely is older than ``seconds`` is no drop.
    """

    def __init__(
        self,
        seconds: float,
        now: Callable[[], float],
        on_drop: Callable[[int, str], None] = lambda packets, reason: None,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._seconds = seconds
        self._now = now
        self._on_drop = on_drop
        self._max_bytes = max_bytes
        self._groups: deque[_Group] = deque(maxlen=100_000)  # bounded by bytes long before
        self._lock = threading.Lock()
        self._run: Run | None = None
        self._undated: list[tuple[bytes, bool, float]] = []
        self._last = 0  # pts
        self._span: tuple[int, int] | None = None  # least and largest pts of the current run
        self._count = 0  # packets
        self._open = False  # whether the newest group takes more
        self._number = 0
        self.size = 0  # bytes

    def begin(self, codec: Codec) -> None:
        """A new connection: what follows has a clock of its own."""
        self._run = Run(codec)
        self._span = None
        self._open = False
        self._undated = []

    def add(self, data: bytes, pts: int | None, keyframe: bool) -> None:
        """Keep a packet, in the order of decoding. Nothing is kept before ``begin``."""
        if self._run is None:
            return
        if pts is None:
            self._wait(data, keyframe)
            return
        step = 1 / (self._run.codec.rate * self._run.codec.unit)  # units a picture
        waiting, self._undated = self._undated, []
        for i, (early, key, arrival) in enumerate(waiting):
            self._keep(early, pts - round((len(waiting) - i) * step), key, arrival)
        self._keep(data, pts, keyframe, self._now())

    def align(self, pts: float, at: float) -> None:
        """The picture of the stream's time ``pts`` (s) was taken at ``at`` (UTC s).

        A decoder that holds pictures back gives some of the run before, whose clock says nothing of this one.
        """
        if self._run is None:
            return
        ticks = pts / self._run.codec.unit
        if self._span is None or self._span[0] - 1 <= ticks <= self._span[1] + 1:
            self._run.offset = at - pts

    def since(self, at: float) -> list[Packet]:
        """All from the last keyframe at or before ``at`` (UTC s) on, or from the oldest; in order of decoding.

        What came before a pause in which ``at`` lies is left out, unless nothing came after it.
        """
        with self._lock:
            groups = list(self._groups)
        first = 0
        for i, group in enumerate(groups):
            if group.packets[0].at <= at:
                first = i
        if groups and first + 1 < len(groups) and groups[first].packets[-1].at < at - GAP:
            first += 1  # the camera was away at that time: what is older shows nothing of it
        return [packet for group in groups[first:] for packet in group.packets]

    def after(self, number: int) -> list[Packet]:
        """Those that came after packet ``number`` and are still here."""
        with self._lock:
            groups = [group for group in self._groups if group.packets[-1].number > number]
            return [packet for group in groups for packet in group.packets if packet.number > number]

    def around(self, at: float) -> list[Packet]:
        """The keyframe before ``at`` (UTC s) and what builds on it; [] where nothing was kept of that time."""
        with self._lock:
            for group in reversed(self._groups):
                if group.packets[0].at <= at:
                    return list(group.packets)
        return []

    def _wait(self, data: bytes, keyframe: bool) -> None:
        if self._last_number_of_run() or len(self._undated) >= UNDATED:
            self._on_drop(1, "undated")
        else:
            self._undated.append((data, keyframe, self._now()))

    def _last_number_of_run(self) -> int:
        """0 while nothing of this run was kept."""
        newest = self._groups[-1].packets[-1] if self._groups else None
        return newest.number if newest is not None and newest.run is self._run else 0

    def _keep(self, data: bytes, pts: int, keyframe: bool, arrival: float) -> None:
        before = self._run
        run = self._current(data, pts, keyframe)
        least, largest = (pts, pts) if self._span is None or run is not before else self._span
        self._span = min(least, pts), max(largest, pts)
        self._last = pts
        if not keyframe and not self._open:
            self._on_drop(1, "keyframe")
            return
        self._number += 1
        packet = Packet(self._number, run, pts, keyframe, data, arrival)
        with self._lock:
            if keyframe:
                self._groups.append(_Group())
            group = self._groups[-1]
            group.packets.append(packet)
            group.size += len(data)
            self.size += len(data)
            self._count += 1
            dropped = self._evict(packet)
        self._open = bool(self._groups)
        if dropped:
            self._on_drop(dropped, "bytes")

    def _current(self, data: bytes, pts: int, keyframe: bool) -> Run:
        """The run that the packet belongs to: another one where the clock jumps or the parameter sets change."""
        run = self._run
        assert run is not None
        codec = run.codec
        if keyframe and codec.name in PARAMETRIC and codec.extradata[:1] != b"\x01":
            sets = parameter_sets(data, codec.name)
            if sets and sets != codec.extradata:
                if codec.extradata and self._last_number_of_run():
                    run = Run(Codec(codec.name, sets, codec.time_base, codec.rate), run.offset)
                    self._open = False
                else:
                    run.codec = Codec(codec.name, sets, codec.time_base, codec.rate)
        if self._last_number_of_run() and not -1 < (pts - self._last) * codec.unit < JUMP:
            run = Run(run.codec)
            self._open = False
        self._run = run
        return run

    def _evict(self, newest: Packet) -> int:
        """Let go of whole groups that are too old or too much; how many packets were too much."""
        dropped = 0
        while len(self._groups) > 1 and self._groups[1].packets[0].at <= newest.at - self._seconds:
            self._forget()
        while (self.size > self._max_bytes or self._count > MAX_PACKETS) and self._groups:
            dropped += self._forget()
        return dropped

    def _forget(self) -> int:
        group = self._groups.popleft()
        self.size -= group.size
        self._count -= len(group.packets)
        return len(group.packets)
