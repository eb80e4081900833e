"""One stream's decoder: packets in, pictures out, damage marked and counted."""

import time
from dataclasses import dataclass
from typing import TypeAlias

import av
from av.video.stream import VideoStream

from streamwatch.video.frame import Image
from streamwatch.video.hwaccel import by_device
from streamwatch.video.picture import Picture, Tally
from streamwatch.video.scale import scale
from streamwatch.video.slots import Slots

__all__ = ["MAX_PIXELS", "Decoder", "FramePicture", "Packet"]

# 8192x4320. Without a limit a few flipped bits, or a camera that means harm, claim gigabytes: FFmpeg takes 16384x16384.
MAX_PIXELS = 8192 * 4320

Packet: TypeAlias = "av.Packet[VideoStream]"  # generic in its stubs alone


@dataclass(frozen=True, slots=True)
class FramePicture:
    """A decoded frame, still in its pixel format."""

    pts: float | None
    frame: av.VideoFrame
    damaged: bool = False
    late: float = 0.0
    still: Picture | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Width and height."""
        return self.frame.width, self.frame.height

    def scale(self, size: int) -> Image:
        """Straight from YUV to uint8 [size, size, 3] RGB."""
        return scale(self.frame, size)


class Decoder:
    """Decodes in the caller's thread: cameras are the parallelism. ``unit``: seconds that packets count time in.
    ``slots``: those of all threads that decode.

    Without ``deblock`` the loop filter of H.264 is left out, of which little is left at the model's size; the error
    lasts until the next keyframe. ``accelerated``: a device was asked for; the tally says whether it decodes.
    """

    def __init__(
        self,
        stream: VideoStream,
        tally: Tally,
        deblock: bool = True,
        slots: Slots | None = None,
        accelerated: bool = False,
    ) -> None:
        self._context = stream.codec_context
        self._context.thread_count = 1
        self._context.thread_type = "NONE"
        self._context.options = {**self._context.options, "max_pixels": str(MAX_PIXELS)}
        if not deblock and self._context.name == "h264":
            self._context.options = {**self._context.options, "skip_loop_filter": "all"}
        self._time_base = stream.time_base
        self.unit = float(stream.time_base or 1)  # seconds of the packets' times
        self._tally = tally
        self._slots = slots or Slots(1)
        self._accelerated = accelerated
        self._damaged = False  # since the last keyframe

    def decode(self, packet: "Packet | None") -> list[FramePicture]:
        """The pictures that ``packet`` completes; None or an empty packet: those that are still held back."""
        tally = self._tally
        began = time.thread_time()
        try:
            with self._slots.computing():
                frames = self._context.decode(packet)
        except av.FFmpegError:
            tally.errors += 1
            self._damaged = True
            frames = []
        tally.decode_seconds += time.thread_time() - began
        tally.frames += len(frames)
        return [self._picture(frame) for frame in frames]

    def flush(self) -> None:
        """Forget all that was decoded: the next packet is a keyframe."""
        self._context.flush_buffers()
        self._damaged = False

    def _picture(self, frame: av.VideoFrame) -> FramePicture:
        self._damaged = frame.is_corrupt or (self._damaged and not frame.key_frame)
        self._tally.errors += frame.is_corrupt
        if self._accelerated:
            self._tally.hardware = by_device(frame, self._context)
        if frame.time_base is None and self._time_base is not None:  # a drained one: PyAV has it from the packet
            frame.time_base = self._time_base
        return FramePicture(frame.time, frame, self._damaged)
