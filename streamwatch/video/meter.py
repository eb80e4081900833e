"""What one camera's thread has counted, as metrics."""

import time

import structlog

from streamwatch.metrics import Metrics
from streamwatch.video.cutter import Cutter
from streamwatch.video.picture import Tally
from streamwatch.video.stillness import STATES, Stillness

__all__ = ["Meter"]

PERIOD = 1.0  # seconds

log = structlog.get_logger("streamwatch.camera")


class Meter:
    """Moves what a source and the cutter have counted into the metrics; belongs to the camera's thread.

    Whatever else the thread spends is ``receive``: the network, the ring, cutting clips, looking at the picture.
    """

    def __init__(self, metrics: Metrics, camera: str, cutter: Cutter) -> None:
        self._packets = metrics.packets_received.labels(camera)
        self._frames = metrics.frames_decoded.labels(camera)
        self._errors = metrics.decode_errors.labels(camera)
        self._skipped = metrics.packets_skipped.labels(camera)
        self._receive, self._decode, self._scale = map(metrics.stage_seconds.labels, ("receive", "decode", "scale"))
        self._cutter = cutter
        self._spent = 0.0  # CPU seconds of the thread that have been counted
        self._states = metrics.decode_state
        self._hardware = metrics.hardware_decoding.labels(camera)
        self._camera = camera
        self._state = ""
        self._read = 0.0  # when, monotonic seconds

    def begin(self) -> None:
        """In a new thread, whose CPU time counts from now on."""
        self._spent = time.thread_time()

    def turn(self, now: float, tally: Tally, stillness: Stillness | None) -> None:
        """``read`` once a second; ``now`` is monotonic."""
        if now - self._read >= PERIOD:
            self.read(tally, stillness)
            self._read = now

    def read(self, tally: Tally, stillness: Stillness | None = None) -> None:
        """Count what came since the last call, and begin again."""
        self._packets.inc(tally.packets)
        self._frames.inc(tally.frames)
        self._errors.inc(tally.errors)
        self._skipped.inc(tally.skipped)
        self._hardware.set(tally.hardware)
        self._observe(tally.decode_seconds, self._cutter.scale_seconds)
        tally.packets = tally.frames = tally.errors = tally.skipped = 0
        tally.decode_seconds = self._cutter.scale_seconds = 0.0
        if stillness is not None and stillness.state != self._state:
            self._change(stillness.state)

    def _observe(self, decode: float, scale: float) -> None:
        """Of about one second of one camera."""
        spent = time.thread_time()
        self._receive.observe(max(0.0, spent - self._spent - decode - scale))
        self._spent = spent
        if decode:
            self._decode.observe(decode)
        if scale:
            self._scale.observe(scale)

    def _change(self, state: str) -> None:
        for other in STATES:
            self._states.labels(self._camera, other).set(other == state)
        if state == "uninformative":
            log.info("the sizes of its packets do not tell motion; all is decoded", camera=self._camera)
        self._state = state
