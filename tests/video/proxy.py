"""A TCP proxy on loopback that harms what the camera sends, once it is told to."""

import queue
import random
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from tests.video.rtsp import free_port

__all__ = ["FaultProxy", "RtpShift"]

TICK = 0.02  # seconds between looks at what is asked of it
TRICKLE = 256  # bytes a tick of a connection that is too slow for its stream
CLOCK = 90_000  # RTP's for video, ticks a second


class FaultProxy:
    """Forwards to ``target``; ``harm`` may be '', 'freeze', 'reset', 'flip' or 'trickle' and acts on running
    connections too. ``shift`` (seconds) moves the timestamps of the RTP packets from then on. One thread, and two
    descriptors a connection, given back when it ends."""

    def __init__(self, target: int) -> None:
        self.harm = ""
        self.rate = 0.001  # of bytes flipped
        self.shift = 0.0
        self._target = target
        self._chance = random.Random(7)
        self._pairs: list[_Pair] = []
        self._asked: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self.port = free_port()
        self._listener: socket.socket | None = socket.create_server(("127.0.0.1", self.port))
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._thread.start()

    def reset(self) -> float:
        """RST to every client now; when that was (monotonic seconds)."""
        return self._do(self._reset_all)

    def shut(self) -> float:
        """As a camera without power: all connections end, and new ones are refused; when that was."""
        return self._do(self._shut)

    def open(self) -> float:
        """Take connections again; since when."""
        return self._do(self._listen)

    def close(self) -> None:
        """End all connections."""
        self._stopped.set()
        self._thread.join(10)

    def _do(self, what: Callable[[], object]) -> float:
        done = threading.Event()
        moment = [0.0]

        def carry_out() -> None:
            moment[0] = time.monotonic()
            what()
            done.set()

        self._asked.put(carry_out)
        assert done.wait(10), "the proxy does not answer"
        return moment[0]

    def _run(self) -> None:
        while not self._stopped.is_set():
            while not self._asked.empty():
                self._asked.get()()
            readers = {pair.client: pair for pair in self._pairs}
            if self.harm != "freeze":
                readers |= {pair.camera: pair for pair in self._pairs}
            listening = [self._listener] if self._listener is not None else []
            for ready in select.select([*listening, *readers], [], [], TICK)[0]:
                if ready is self._listener:
                    self._accept()
                elif readers[ready] in self._pairs:
                    self._forward(readers[ready], ready)
            if self.harm == "trickle":
                self._stopped.wait(TICK)
        self._shut()

    def _accept(self) -> None:
        assert self._listener is not None
        client, _ = self._listener.accept()
        try:
            camera = socket.create_connection(("127.0.0.1", self._target), timeout=2)
        except OSError:
            client.close()
            return
        self._pairs.append(_Pair(client, camera))

    def _forward(self, pair: "_Pair", source: socket.socket) -> None:
        harmed = source is pair.camera
        try:
            data = source.recv(TRICKLE if self.harm == "trickle" and harmed else 65536)
            if harmed and data and self.harm == "reset":
                self._end(pair, reset=True)
            elif not data:
                self._end(pair)
            elif harmed:
                moved = pair.rtp.feed(data, self.shift)
                pair.client.sendall(self._flipped(moved) if self.harm == "flip" else moved)
            else:
                pair.camera.sendall(data)
        except OSError:
            self._end(pair)

    def _end(self, pair: "_Pair", reset: bool = False) -> None:
        self._pairs.remove(pair)
        if reset:
            with suppress(OSError):
                pair.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        pair.client.close()
        pair.camera.close()

    def _reset_all(self) -> None:
        for pair in list(self._pairs):
            self._end(pair, reset=True)

    def _shut(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for pair in list(self._pairs):
            self._end(pair)

    def _listen(self) -> None:
        if self._listener is None:
            self._listener = socket.create_server(("127.0.0.1", self.port))

    def _flipped(self, data: bytes) -> bytes:
        harmed = bytearray(data)
        for _ in range(self._chance.randint(0, max(1, round(2 * len(data) * self.rate)))):
            if harmed:
                harmed[self._chance.randrange(len(harmed))] ^= 1 << self._chance.randrange(8)
        return bytes(harmed)


class _Pair:
    """A client's connection and ours to the camera."""

    def __init__(self, client: socket.socket, camera: socket.socket) -> None:
        self.client = client
        self.camera = camera
        self.rtp = RtpShift()
        for end in (client, camera):
            end.settimeout(5)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class RtpShift:
    """Moves the timestamps of RTP packets that are interleaved with RTSP's answers (RFC 2326, 10.12)."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes, shift: float) -> bytes:
        """What is complete of the stream so far, moved by ``shift`` seconds."""
        self._held += data
        return b"".join(self._moved(part, shift) for part in self._parts())

    def _parts(self) -> Iterator[bytes]:
        while self._held:
            size = self._size()
            if size is None or size > len(self._held):
                return
            part, self._held = self._held[:size], self._held[size:]
            yield part

    def _size(self) -> int | None:
        """Bytes of the packet or answer that comes first; None if that is not known yet."""
        held = self._held
        if held[:1] == b"$":
            return 4 + int.from_bytes(held[2:4], "big") if len(held) >= 4 else None
        head, end, _ = held.partition(b"\r\n\r\n")
        if not end:
            return None
        lengths = [line[15:] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        return len(head) + 4 + (int(lengths[0]) if lengths else 0)

    def _moved(self, part: bytes, shift: float) -> bytes:
        if not shift or part[:1] != b"$" or part[1] % 2 or len(part) < 12:  # odd channels: RTCP
            return part
        stamp = (int.from_bytes(part[8:12], "big") + round(shift * CLOCK)) % (1 << 32)
        return part[:8] + stamp.to_bytes(4, "big") + part[12:]
