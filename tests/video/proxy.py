"""A TCP proxy on loopback that harms what the camera sends, once it is told to."""

import random
import select
import socket
import struct
import threading
from contextlib import suppress

__all__ = ["FaultProxy"]


class FaultProxy:
    """Forwards to ``target``; ``harm`` may be '', 'freeze', 'reset' or 'flip' and acts on running connections too."""

    def __init__(self, target: int) -> None:
        self.harm = ""
        self.rate = 0.001  # of bytes flipped
        self._target = target
        self._chance = random.Random(7)
        self._open: list[socket.socket] = []
        self._stopped = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.1)
        self.port = int(self._listener.getsockname()[1])
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        """End all connections."""
        self._stopped.set()
        for thread in self._threads:
            thread.join(5)
        for end in [self._listener, *self._open]:
            end.close()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            with suppress(TimeoutError):
                client, _ = self._listener.accept()
                try:
                    camera = socket.create_connection(("127.0.0.1", self._target), timeout=2)
                except OSError:
                    client.close()
                    continue
                self._open += [client, camera]
                for end in (client, camera):
                    end.settimeout(5)
                for pair in ((client, camera, False), (camera, client, True)):
                    thread = threading.Thread(target=self._pump, args=pair, daemon=True)
                    self._threads.append(thread)
                    thread.start()

    def _pump(self, source: socket.socket, sink: socket.socket, harmed: bool) -> None:
        with suppress(OSError, ValueError):  # ValueError: closed by the other direction
            while not self._stopped.is_set():
                if harmed and self.harm == "freeze":
                    self._stopped.wait(0.05)
                    continue
                if not select.select([source], [], [], 0.05)[0]:
                    continue
                data = source.recv(65536)
                if harmed and self.harm == "reset":
                    sink.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    sink.close()
                    return
                sink.sendall(self._flipped(data) if harmed and self.harm == "flip" else data)
                if not data:
                    break
            sink.shutdown(socket.SHUT_WR)

    def _flipped(self, data: bytes) -> bytes:
        harmed = bytearray(data)
        for _ in range(self._chance.randint(0, max(1, round(2 * len(data) * self.rate)))):
            if harmed:
                harmed[self._chance.randrange(len(harmed))] ^= 1 << self._chance.randrange(8)
        return bytes(harmed)
