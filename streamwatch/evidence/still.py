"""Snapshots: one picture out of a camera's packets, whole for the disk and small for the broker."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from streamwatch.errors import EvidenceError
from streamwatch.evidence.film import Polygons, decoder
from streamwatch.video.mask import hidden
from streamwatch.video.packets import Packet

__all__ = ["Still", "take_still"]

QUALITY = 90
SMALL_WIDTH = 1280
SMALL_BYTES = 256 << 10  # what the sink takes at most


@dataclass(frozen=True, slots=True)
class Still:
    """A picture taken ``at`` (UTC s), as JPEG: ``full`` as large as it came, ``small`` for a message."""

    at: float
    full: bytes
    small: bytes


def take_still(packets: Sequence[Packet], at: float, masks: Polygons = ()) -> Still:
    """The last picture of ``packets`` (a keyframe and what builds on it) up to ``at`` (UTC s), masked.

    Raises EvidenceError if none can be decoded.
    """
    found = _decode(packets, at)
    if found is None:
        raise EvidenceError(f"no picture of {at:.3f} can be decoded")
    frame, taken = found
    image = np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
    height, width = image.shape[:2]
    if masks:
        image = image.copy()
        image[hidden(masks, width, height)] = 0
    return Still(taken, _jpeg(image, QUALITY), _small(image))


def _decode(packets: Sequence[Packet], at: float) -> tuple[av.VideoFrame, float] | None:
    """The picture and when it was taken."""
    best: tuple[av.VideoFrame, float] | None = None
    if not packets:
        return None
    by_pts = {packet.pts: packet.at for packet in packets}
    try:
        context = decoder(packets[0].run.codec)
        for packet in [*packets, None]:
            for frame in _frames(context, packet):
                taken = by_pts.get(frame.pts or 0, packets[0].at)
                if best is not None and taken > at:
                    return best
                best = frame, taken
    except (av.FFmpegError, ValueError):
        return best
    return best


def _frames(context: av.VideoCodecContext, packet: Packet | None) -> list[av.VideoFrame]:
    if packet is None:
        return context.decode(None)
    part = av.Packet(packet.data)
    part.pts, part.time_base = packet.pts, Fraction(packet.run.codec.time_base)
    return context.decode(part)


def _small(image: NDArray[np.uint8]) -> bytes:
    """At most SMALL_WIDTH wide and SMALL_BYTES large."""
    width = min(SMALL_WIDTH, image.shape[1])
    while True:
        size = width, max(1, round(image.shape[0] * width / image.shape[1]))
        scaled = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        for quality in (80, 60, 40):
            data = _jpeg(scaled, quality)
            if len(data) <= SMALL_BYTES:
                return data
        width = max(1, width // 2)


def _jpeg(image: NDArray[np.uint8], quality: int) -> bytes:
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
