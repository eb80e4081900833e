"""Decoding on demand: packets are kept while the picture is still, and decoded, none left out, once it moves."""

import math
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from streamwatch.activity import activity, level
from streamwatch.video.decoder import Decoder, FramePicture, Packet
from streamwatch.video.frame import Image
from streamwatch.video.picture import Picture
from streamwatch.video.quantizer import START, Quantizer
from streamwatch.video.stillness import Stillness

__all__ = ["HOLD", "LAG", "RENEW", "Demand", "StillPicture"]

LAG = 0.75  # seconds that a still picture is held back, so that what led to the first sign of motion is decoded too
STEP = 0.1  # seconds between still pictures: enough for eight samples a second
LOOK = 4.0  # seconds between keyframes that are decoded while nothing moves
KEPT = 12.0  # seconds of packets kept at most: the GOP of "smart" codecs is longer, and catching up takes its time
KEPT_BYTES = 8_000_000
HOLD = 4.0  # seconds that a still picture is held back at most until a keyframe agrees, where sizes alone do not tell
RENEW = 8.0  # seconds that one picture stands for at most while nothing moves
BRIEF = 1.0  # seconds held back that are decoded however busy the machine is
JUMP = 5.0  # seconds that pts may run back (as B-frames do) or ahead from packet to packet
BACK = 0.5  # and dts, which should not
EXACT = 1e-3  # seconds
SIZE = 160  # pixels of the pictures that are compared, and
GRID = 10  # their cells: as the levels of motion were measured
FADED = 3.0  # grey levels of mean difference (light that changes slowly) from which a newer one is compared with


@dataclass(frozen=True, slots=True)
class StillPicture:
    """Stands for pictures that were not decoded: they look like ``still``."""

    pts: float
    still: Picture
    late: float

    @property
    def shape(self) -> tuple[int, int]:
        """Width and height."""
        return self.still.shape

    @property
    def damaged(self) -> bool:
        """Whether what is shown is damaged."""
        return self.still.damaged

    def scale(self, size: int) -> Image:
        """As the decoded picture is."""
        return self.still.scale(size)


class Demand:
    """Turns packets into pictures, decoding only while ``stillness`` sees motion.

    Packets are kept from the last keyframe at or before the newest picture that was handed on. So when motion begins
    everything since LAG before it is decoded, and has its own time. Where sizes alone do not tell, all since the last
    keyframe is. ``live``: packets come when they were sent, so what is handed on later is late. ``quantizer``
    weighs packets; without it their sizes count. ``room()``: whether the machine has time for what was held back.
    """

    def __init__(
        self,
        decoder: Decoder,
        stillness: Stillness,
        live: bool = False,
        quantizer: Quantizer | None = None,
        room: Callable[[], bool] = lambda: True,
    ) -> None:
        self._decoder = decoder
        self._quantizer = quantizer
        self._live = live
        self._stillness = stillness
        self._room = room
        self.refused = False  # whether there was none: what is held back is to be let go, up to the next keyframe
        self._kept: deque[tuple[float, Packet]] = deque(maxlen=100_000)  # never: KEPT comes first
        self._bytes = 0
        self._keyframes: deque[float] = deque(maxlen=100_000)  # pts of those that are kept
        self._torn = False  # whether packets between the last decoded one and the kept ones were left out
        self._newest: float | None = None  # pts read
        self._oldest = math.inf  # the same, since the clock jumped
        self._dts: float | None = None  # of the last packet
        self._given = -math.inf  # pts handed on
        self._looked = -math.inf  # pts of the last decoded picture
        self._proved = -math.inf  # pts up to which a keyframe has shown that nothing moved
        self._lag = 0.0  # seconds from that keyframe back to the one before
        self._shown: FramePicture | None = None
        self._image: Image | None = None  # what keyframes are compared with, in SIZE
        self._renewed = -math.inf  # pts of the last keyframe that is shown since
        self._compared = 0  # checksum of the last keyframe that was looked at

    def take(self, packet: Packet) -> Iterator[Picture]:
        """The pictures that ``packet`` (or an empty one: the end) brings."""
        if packet.pts is None or not packet.size:
            yield from self._catch_up()
            yield from self._decode(packet)
            return
        pts = packet.pts * self._decoder.unit
        if self._newest is None or self._jumps(packet, pts, self._newest):
            yield from self._catch_up()
            self._given = self._looked = self._proved = -math.inf
            self._newest, self._oldest = pts, pts
        self._newest = newest = max(self._newest, pts)
        self._oldest = min(self._oldest, pts)
        self._keep(packet, pts)
        still = self._stillness.observe(pts, self._weigh(packet), packet.is_keyframe) and self._shown is not None
        if still and not self._stillness.sure:
            yield from self._prove(packet, pts)
        elif still and self._wait(newest):
            yield from self._repeat(newest - LAG)
        else:
            yield from self._go()

    def interrupt(self) -> int:
        """Packets were left out before the next one, a keyframe: what is held back would be told late, and of the time
        between nothing is known. How many packets are let go of which it was not known either whether anything moved.
        """
        known = max(self._given, self._proved)
        lost = sum(pts > known for pts, _ in self._kept)
        while self._kept:
            self._pop()
        if self.refused:
            self._shown = None  # something moved: what is there now is to be seen first
        self._torn, self._newest, self._proved, self.refused = True, None, -math.inf, False
        return lost

    def _prove(self, packet: Packet, pts: float) -> Iterator[Picture]:
        """Sizes tell of no motion, but might not: hold all back until the next keyframe shows none either.

        What it proves is handed on as evenly as it came: clips that come together are in each other's way.
        """
        assert self._newest is not None
        anchored = self._torn and len(self._kept) > 1  # on a keyframe, so that all can be decoded from there
        if anchored and packet.is_keyframe and self._agrees(packet):
            self._lag, self._proved = pts - self._kept[0][0], pts
            while len(self._kept) > 1:
                self._pop()
        elif not anchored or packet.is_keyframe or self._newest - self._kept[0][0] > HOLD or self._bytes > KEPT_BYTES:
            yield from self._go()
            if packet.is_keyframe and self._stillness.state == "still" and not self.refused:
                self._keep(packet, pts)
                self._torn = True
        yield from self._repeat(min(self._proved, self._newest - self._lag))

    def _repeat(self, until: float) -> Iterator[Picture]:
        """Hand on the picture shown for the time up to ``until``, each STEP or a little more."""
        since = max(self._given, self._oldest, until - KEPT)  # nothing is known of what came before the oldest
        if self._shown is None or not until > since:
            return
        for step in range(count := int((until - since) / STEP + EXACT)):
            self._given = since + (until - since) * (step + 1) / count
            yield StillPicture(self._given, self._shown, self._late(self._given))

    def _jumps(self, packet: Packet, pts: float, newest: float) -> bool:
        last, self._dts = self._dts, None if packet.dts is None else packet.dts * self._decoder.unit
        return abs(pts - newest) > JUMP or (last is not None and self._dts is not None and self._dts < last - BACK)

    def _wait(self, newest: float) -> bool:
        """Whether what is kept can stay so; now and then a keyframe is looked at."""
        if self._prune() and newest - self._looked >= LOOK and not self._look(newest):
            return False
        if self._bytes > KEPT_BYTES or (self._kept and newest - self._kept[0][0] > KEPT):
            self._stillness.wake(newest)
            return False
        return True

    def _go(self) -> Iterator[Picture]:
        """Catch up, unless much is held back and would be told late, or make others late."""
        assert self._newest is not None
        if self._kept and self._newest - self._kept[0][0] > BRIEF and not self._room():
            self.refused = True
        else:
            yield from self._catch_up()

    def _catch_up(self) -> Iterator[Picture]:
        """Decode what is kept; what was handed on as still is decoded only for what builds on it."""
        yield from self._repeat(self._proved)
        while self._kept:
            if self._torn:
                self._decoder.flush()
                self._torn = False
            yield from self._decode(self._pop())

    def _decode(self, packet: Packet) -> Iterator[Picture]:
        for picture in self._decoder.decode(packet):
            pts = picture.pts
            if pts is None or self._newest is None:
                yield picture
            elif self._oldest - EXACT <= pts <= self._newest + EXACT and pts > self._given:  # else of the clock before
                self._given = self._looked = pts
                self._shown, self._image = replace(picture, late=self._late(pts)), None
                yield self._shown

    def _look(self, newest: float) -> bool:
        """Decode the kept keyframe that is first; whether it looks as the picture shown."""
        self._looked = newest
        pictures = self._alone(self._kept[0][1])
        if not self._torn:
            self._pop()
        if not pictures or pictures[0].damaged:
            return True
        return self._compare(pictures[0], newest)

    def _agrees(self, keyframe: Packet) -> bool:
        """Whether ``keyframe``, the newest that is kept, looks as the picture shown."""
        assert self._newest is not None
        self._looked = self._newest
        pictures = self._alone(keyframe)
        self._torn = True
        return bool(pictures) and not pictures[0].damaged and self._compare(pictures[0], self._newest)

    def _alone(self, keyframe: Packet) -> list[FramePicture]:
        """``keyframe`` decoded, whatever was decoded before. ``_torn``: what follows it cannot be decoded at once."""
        self._decoder.flush()
        pictures = self._decoder.decode(keyframe)
        self._torn = not pictures  # a decoder that holds back pictures (B-frames) gives it only at an end
        return pictures or self._decoder.decode(None)

    def _compare(self, picture: FramePicture, newest: float) -> bool:
        assert self._shown is not None
        if self._image is None:
            self._image = self._shown.scale(SIZE)
        image = picture.scale(SIZE)
        motion = level(activity(np.stack([self._image, image]), GRID))
        checksum = zlib.crc32(image.tobytes())
        self._stillness.differed += checksum != self._compared
        self._compared = checksum
        if np.abs(image.astype(np.int16) - self._image).mean() > FADED:
            self._image, self._renewed = image, -math.inf
        if newest - self._renewed >= RENEW:
            self._shown, self._renewed = picture, newest
        return self._stillness.compared(newest, motion)

    def _weigh(self, packet: Packet) -> float:
        if self._quantizer is None:
            return packet.size
        return self._quantizer.weight(memoryview(packet)[:START].tobytes(), packet.size)

    def _late(self, pts: float) -> float:
        return max(0.0, self._newest - pts) if self._live and self._newest is not None else 0.0

    def _keep(self, packet: Packet, pts: float) -> None:
        self._kept.append((pts, packet))
        self._bytes += packet.size
        if packet.is_keyframe:
            self._keyframes.append(pts)

    def _pop(self) -> Packet:
        _, packet = self._kept.popleft()
        self._bytes -= packet.size
        if packet.is_keyframe:
            self._keyframes.popleft()
        return packet

    def _prune(self) -> bool:
        """Forget what comes before the last keyframe that the pictures handed on have reached; whether there is one."""
        reached = 0
        while reached < len(self._keyframes) and self._keyframes[reached] <= self._given:
            reached += 1
        if not reached:
            return False
        while reached > 1 or not self._kept[0][1].is_keyframe:
            reached -= self._pop().is_keyframe
            self._torn = True
        return True
