"""One camera: connect, cut clips, hand them on; when it fails, say why, wait, and try again."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace

import structlog

from streamwatch.activity import activity, level
from streamwatch.config import CameraConfig
from streamwatch.errors import EndOfStreamError, MailboxClosedError, SourceError
from streamwatch.metrics import Metrics
from streamwatch.secret import SecretUrl
from streamwatch.video.backoff import Backoff
from streamwatch.video.clock import SteadyClock
from streamwatch.video.cutter import Cutter
from streamwatch.video.door import Door
from streamwatch.video.frame import Clip
from streamwatch.video.mask import PrivacyMask
from streamwatch.video.meter import Meter
from streamwatch.video.missed import Missed
from streamwatch.video.packets import PacketRing
from streamwatch.video.picture import Opening, Picture, Tally
from streamwatch.video.sight import CHECKS, Sight
from streamwatch.video.sketch import Sketch
from streamwatch.video.source import open_source
from streamwatch.video.stillness import Stillness
from streamwatch.video.window import ClipTiming

__all__ = ["REASONS", "STATES", "Camera", "read_clips"]

STATES = ("connecting", "online", "blurred", "moved", "dark", "covered", "frozen", "offline", "disabled", "failed")
REASONS = ("refused", "unauthorized", "not_found", "timeout", "end_of_stream", "invalid", "error")
GRID = 10  # cells of the picture, for its level of motion: as it was measured
TELL = 1.0  # seconds of a stream that are left out, and then told
POLL = 0.2  # seconds between looks at whether a waiting camera was switched on or off

log = structlog.get_logger("streamwatch.camera")


class Camera:
    """The body of a camera's thread. Nothing but ``enable`` may be called from another thread.

    ``deliver(clip)`` takes each clip; ``status(camera, state)`` hears each change of state, of STATES. ``clock`` is
    shared by all cameras of a process.
    """

    def __init__(
        self,
        config: CameraConfig,
        timing: ClipTiming,
        deliver: Callable[[Clip], None],
        status: Callable[[str, str], None],
        metrics: Metrics,
        *,
        clock: SteadyClock | None = None,
    ) -> None:
        self.name = config.name
        self._config = config
        self._deliver = deliver
        self._status = status
        self._metrics = metrics
        self._clock = clock or SteadyClock(time.time(), time.monotonic())
        self._ring: PacketRing | None = None
        self._sketch: Sketch | None = None
        self._cutter = Cutter(config.name, timing, config.privacy_masks, self._on_gap)
        checks = [name for name in CHECKS if getattr(config.health, name)]
        self._sight = Sight(PrivacyMask(config.privacy_masks, timing.size).hidden, checks)
        self._backoff = Backoff(random.random)
        self._meter = Meter(metrics, config.name, self._cutter)
        self._missed = Missed(timing)
        self._enabled = threading.Event()
        self._differed = 0
        self._cut = 0  # clips
        self._state = ""
        self._trouble = ""  # reason of the last failure, until the camera is back
        self._since = 0.0  # of the first picture of this connection, 0.0 before it
        self.enable(config.enabled)

    def keep(self, ring: PacketRing | None) -> None:
        """Have what comes kept in ``ring``, too, as it came. Before ``run``."""
        self._ring = ring
        self._sketch = None if ring is None else Sketch(ring, self._config.privacy_masks)

    def enable(self, on: bool) -> None:
        """Switch the camera on or off while it runs; from any thread."""
        if on:
            self._enabled.set()
        else:
            self._enabled.clear()

    def run(self, stop: threading.Event) -> None:
        """Watch until ``stop``. Source errors are retried for ever; anything else is a fault of ours and is raised."""
        failed = True
        self._meter.begin()
        try:
            while not stop.is_set():
                if self._enabled.is_set():
                    self._connect(stop)
                else:
                    self._change("disabled")
                    stop.wait(POLL)
            failed = False
        except MailboxClosedError:
            failed = False
        finally:
            self._metrics.camera_up.labels(self.name).set(0)
            if failed:
                self._change("failed")

    def _connect(self, stop: threading.Event) -> None:
        """One connection from opening to its end, and the pause after a failed one."""
        if self._state != "offline":
            self._change("connecting")
        self._since = 0.0
        tally = Tally()
        reason = "stopped"
        try:
            self._watch(stop, tally)
        except SourceError as error:
            reason = error.reason if error.reason in REASONS else "error"
            self._lost(error, reason)
        finally:
            self._meter.read(tally)
            self._cutter.restart(reason)
            self._missed.restart()
        if reason != "stopped":
            self._pause(stop, self._backoff.delay(time.monotonic() - self._since if self._since else 0.0))

    def _watch(self, stop: threading.Event, tally: Tally) -> None:
        """Cut clips until ``stop`` or ``enable(False)``."""
        config = self._config
        stillness = Stillness() if config.decode == "auto" else None

        def over() -> bool:
            return stop.is_set() or not self._enabled.is_set()

        untold = 0.0

        def left_out(seconds: float) -> None:
            nonlocal untold
            untold += seconds
            if untold >= TELL:  # not at each packet: the time of a hundred cameras' threads is short just then
                self._leave()
                self._drop(self._missed.passed(untold))
                self._meter.turn(time.monotonic(), tally, stillness)
                untold = 0.0

        opening = Opening(
            config.url, config.transport, config.open_timeout, config.read_timeout, stop.wait, stillness, tally,
            self._ring, self._cutter.rest, over, lambda: self._cut, left_out, config.deblock, config.hwaccel,
        )  # fmt: skip
        resumed = 0
        with closing(open_source(opening)) as source, closing(iter(source)) as pictures:
            for picture in pictures:
                if over():
                    return
                if tally.resumed != resumed:
                    resumed = tally.resumed
                    self._leave()
                now = time.monotonic()
                if not self._since:
                    self._found(now)
                arrival = now - picture.late
                for clip in self._cutter.observe(picture, arrival, self._clock.at(arrival)):
                    self._cut += 1
                    self._metrics.clips.labels(self.name).inc()
                    self._deliver(clip if stillness is None else _teach(stillness, clip, picture))
                    self._look(clip, stillness)
                self._drop(self._missed.resume(self._cutter.step))
                if self._sketch is not None:
                    self._sketch.observe(picture, self._cutter.at)
                self._meter.turn(now, tally, stillness)
        if not over():
            raise EndOfStreamError(f"{config.url}: the stream ended")

    def _look(self, clip: Clip, stillness: Stillness | None) -> None:
        """What a still clip repeats may hide that something changed: ``stillness`` has counted that."""
        if not clip.damaged:
            differed = stillness.differed if stillness is not None else 0
            frames = clip.frames[-1:] if clip.still == 1.0 else clip.frames  # all are the same one
            self._change(self._sight.observe(frames, clip.end, differed != self._differed))
            self._differed = differed

    def _found(self, now: float) -> None:
        self._since = now
        self._trouble = ""
        self._change(self._sight.state)
        log.info("camera is online", camera=self.name)

    def _lost(self, error: SourceError, reason: str) -> None:
        self._metrics.camera_reconnects.labels(self.name, reason).inc()
        if reason != self._trouble:  # once a trouble, not once an attempt
            log.warning("camera is offline", camera=self.name, reason=reason, error=str(error))
        self._trouble = reason
        self._change("offline")

    def _pause(self, stop: threading.Event, seconds: float) -> None:
        """Wait; less if the camera is switched off, or begins to answer where it did not."""
        door, end = Door(self._config.url), time.monotonic() + seconds
        while self._enabled.is_set() and (left := end - time.monotonic()) > 0:
            if door.opened():  # asked at once, too: who is back a moment later must not be taken for one who never left
                self._backoff.begin()
                return
            if stop.wait(min(left, POLL)):
                return

    def _change(self, state: str) -> None:
        if state != self._state:
            self._state = state
            self._metrics.camera_up.labels(self.name).set(state == "online" or state in CHECKS)
            self._tell(state)
            self._status(self.name, state)

    def _tell(self, state: str) -> None:
        for known in STATES:
            self._metrics.camera_state.labels(self.name, known).set(known == state)
        if state in CHECKS:
            log.warning("camera does not see well", camera=self.name, state=state)

    def _on_gap(self, reason: str, samples: int) -> None:
        self._metrics.camera_gaps.labels(self.name, reason).inc()
        if samples and reason != "overload":  # of which all that was missed is counted
            self._metrics.clips_dropped.labels(self.name, reason).inc()

    def _leave(self) -> None:
        """The machine is too slow: pictures are left out from here."""
        if not self._missed.leaving:
            self._missed.leave(self._cutter.left())
            self._cutter.gap("overload")

    def _drop(self, clips: int) -> None:
        if clips:
            self._metrics.clips_dropped.labels(self.name, "overload").inc(clips)


def _teach(stillness: Stillness, clip: Clip, newest: Picture) -> Clip:
    """Tell what the ``clip`` that ends with the picture ``newest`` showed; the clip with what was found."""
    if newest.pts is None or clip.still:
        return clip
    found = activity(clip.frames, GRID)
    stillness.looked(newest.pts, clip.end - clip.start, level(found))
    return replace(clip, activity=found)


def read_clips(
    url: SecretUrl,
    timing: ClipTiming,
    camera: str = "file",
    start: float = 0.0,
    stillness: Stillness | None = None,
    tally: Tally | None = None,
) -> Iterator[Clip]:
    """The clips of a file, scene or stream as fast as they can be read, without a thread; the live path otherwise.

    ``at`` is ``start`` plus the stream's own time since its first picture. With ``stillness`` it is decoded on demand.
    Raises SourceError.
    """
    cutter = Cutter(camera, timing)
    first: float | None = None
    with closing(open_source(Opening(url, stillness=stillness, tally=tally or Tally()))) as source:
        for number, picture in enumerate(source):
            pts = number / 25 if picture.pts is None else picture.pts
            first = pts if first is None else first
            for clip in cutter.observe(picture, pts, start + pts - first):
                yield clip if stillness is None else _teach(stillness, clip, picture)
    yield from cutter.finish()
