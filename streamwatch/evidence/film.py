"""Clips: a camera's packets into an mp4 that browsers play, as they are or, masked, encoded again.

Written as ``*.part`` and renamed when it is whole and on the disk, so that a partial clip never has a clip's name.
"""

import contextlib
import io
import os
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import av
import numpy as np
from av.container import OutputContainer
from av.stream import Stream
from numpy.typing import NDArray

from streamwatch.errors import EvidenceError
from streamwatch.evidence.timeline import TIME_BASE, Line, Order
from streamwatch.video.annexb import START, to_annexb, unpack_extradata
from streamwatch.video.decoder import MAX_PIXELS
from streamwatch.video.mask import hidden
from streamwatch.video.packets import Codec, Packet

__all__ = ["CopiedFilm", "EncodedFilm", "Film", "decoder", "open_film", "part_of", "publish", "whole_units"]

WIDTH = 1920  # of what is encoded again, at most
COPIED = ("h264", "hevc")  # what goes into the mp4 as it came
FRAGMENTS = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
# one thread: clips are made beside the cameras, never instead of them
ENCODER = {"preset": "superfast", "crf": "23", "bf": "0", "threads": "1"}

Polygons = Sequence[Sequence[tuple[float, float]]]


class Film(Protocol):
    """A clip that is being written."""

    codec: str

    def write(self, packet: Packet) -> None:
        """Append; packets come in the order of decoding. Raises EvidenceError."""
        ...

    def finish(self) -> None:
        """All is on the disk and the clip has its name. Raises EvidenceError."""
        ...

    def abandon(self) -> None:
        """Leave nothing. Idempotent."""
        ...


def open_film(target: Path, first: Packet, masks: Polygons) -> Film:
    """Begin ``target`` (mp4) with the keyframe ``first``, which is not yet written. Raises EvidenceError."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if masks or first.run.codec.name not in COPIED:
            return EncodedFilm(target, first, masks)
        return CopiedFilm(target, first)
    except (av.FFmpegError, OSError, ValueError) as error:
        _discard(target)
        raise _failure(target, error) from None


class CopiedFilm:
    """The camera's own packets, not decoded. Costs next to nothing; the picture is as good as it came."""

    def __init__(self, target: Path, first: Packet) -> None:
        self.codec = first.run.codec.name
        self._target = target
        self._line = Line(first)
        self._order = Order()
        self._container = _mp4(target)
        self._stream = _template(self._container, first)

    def write(self, packet: Packet) -> None:
        """See :meth:`Film.write`."""
        self._mux(self._order.put(self._line.at(packet), packet))

    def finish(self) -> None:
        """See :meth:`Film.finish`."""
        self._mux(self._order.rest())
        _close(self._container, self._target)
        publish(self._target)

    def abandon(self) -> None:
        """See :meth:`Film.abandon`."""
        _abandon(self._container, self._target)

    def _mux(self, ready: list[tuple[int, int, Packet]]) -> None:
        try:
            for pts, dts, packet in ready:
                part = av.Packet(whole_units(packet))
                part.pts, part.dts, part.time_base = pts, dts, TIME_BASE
                part.is_keyframe = packet.keyframe
                part.stream = self._stream
                self._container.mux_one(part)
        except (av.FFmpegError, OSError, ValueError) as error:
            raise _failure(self._target, error) from None


class EncodedFilm:
    """Decoded, masked and encoded again as H.264: for cameras with privacy masks, and for codecs no browser plays."""

    codec = "h264"

    def __init__(self, target: Path, first: Packet, masks: Polygons) -> None:
        self._target = target
        self._line = Line(first)
        self._masks = masks
        self._run = first.run
        self._decoder = decoder(first.run.codec)
        self._rate = Fraction(first.run.codec.rate).limit_denominator(1001)
        self._container = _mp4(target)
        self._stream: av.VideoStream | None = None
        self._hidden: tuple[NDArray[np.bool_], NDArray[np.bool_]] | None = None
        self._last = -1  # pts

    def write(self, packet: Packet) -> None:
        """See :meth:`Film.write`; a packet that cannot be decoded is left out."""
        if packet.run is not self._run:
            self._encode(self._drain())
            self._run, self._decoder = packet.run, decoder(packet.run.codec)
        part = av.Packet(packet.data)
        part.pts = self._line.at(packet)
        part.time_base = TIME_BASE
        try:
            frames = self._decoder.decode(part)
        except av.FFmpegError:
            return
        self._encode(frames)

    def finish(self) -> None:
        """See :meth:`Film.finish`."""
        self._encode(self._drain())
        if self._stream is None:
            raise EvidenceError(f"{self._target}: not one picture could be decoded")
        try:
            self._container.mux(self._stream.encode(None))
        except (av.FFmpegError, OSError) as error:
            raise _failure(self._target, error) from None
        _close(self._container, self._target)
        publish(self._target)

    def abandon(self) -> None:
        """See :meth:`Film.abandon`."""
        _abandon(self._container, self._target)

    def _drain(self) -> list[av.VideoFrame]:
        try:
            return self._decoder.decode(None)
        except av.FFmpegError:
            return []

    def _encode(self, frames: Sequence[av.VideoFrame]) -> None:
        try:
            for frame in frames:
                stream = self._stream or self._begin(frame)
                if frame.pts is None or frame.pts <= self._last:
                    continue
                masked = self._mask(frame, stream)
                masked.pts, masked.time_base = frame.pts, TIME_BASE
                self._last = frame.pts
                self._container.mux(stream.encode(masked))
        except (av.FFmpegError, OSError, ValueError) as error:
            raise _failure(self._target, error) from None

    def _begin(self, frame: av.VideoFrame) -> av.VideoStream:
        share = min(1.0, WIDTH / frame.width)
        width, height = max(2, int(frame.width * share) & ~1), max(2, int(frame.height * share) & ~1)
        options = ENCODER | {"g": str(max(1, round(2 * self._rate)))}
        stream = self._container.add_stream("libx264", rate=self._rate, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = stream.codec_context.time_base = TIME_BASE
        if self._masks:
            luma = hidden(self._masks, width, height)
            self._hidden = luma, np.asarray(luma.reshape(height // 2, 2, width // 2, 2).any((1, 3)))
        self._stream = stream
        return stream

    def _mask(self, frame: av.VideoFrame, stream: av.VideoStream) -> av.VideoFrame:
        """A copy, for the decoder still needs the frame."""
        width, height = stream.width, stream.height
        pixels = frame.reformat(width, height, "yuv420p").to_ndarray().copy()
        if self._hidden is not None:
            flat, size = pixels.reshape(-1), width * height
            flat[:size].reshape(height, width)[self._hidden[0]] = 16  # black
            for begin in (size, size * 5 // 4):
                flat[begin : begin + size // 4].reshape(height // 2, width // 2)[self._hidden[1]] = 128
        return av.VideoFrame.from_ndarray(pixels, format="yuv420p")


def decoder(codec: Codec) -> av.VideoCodecContext:
    """For one run's packets, in the calling thread. Raises FFmpegError, ValueError."""
    context = av.CodecContext.create(codec.name, "r")
    assert isinstance(context, av.VideoCodecContext)
    if codec.extradata:
        context.extradata = codec.extradata
    context.options = {"max_pixels": str(MAX_PIXELS)}
    context.thread_count = 1
    context.thread_type = "NONE"
    return context


def whole_units(packet: Packet) -> bytes:
    """The packet's data with start codes, whatever container it came in."""
    codec = packet.run.codec
    return to_annexb(packet.data, unpack_extradata(codec.extradata, codec.name)[1])


def part_of(target: Path) -> Path:
    """The name that it has while it is written."""
    return target.with_name(f"{target.name}.part")


def publish(target: Path) -> None:
    """Its part, wholly written, gets its name. Raises EvidenceError."""
    part = part_of(target)
    try:
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(target)
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        _discard(target)
        raise _failure(target, error) from None


def _mp4(target: Path) -> OutputContainer:
    return av.open(str(part_of(target)), "w", format="mp4", options=FRAGMENTS)


def _template(container: OutputContainer, first: Packet) -> Stream:
    """A stream for packets like ``first``: read back from it, since its camera may be gone by now."""
    codec = first.run.codec
    sets, _ = unpack_extradata(codec.extradata, codec.name)
    head = io.BytesIO(sets + whole_units(first) + START)
    with av.open(head, format=codec.name, options={"probesize": "1000000"}) as probe:
        return container.add_stream_from_template(probe.streams.video[0], time_base=TIME_BASE)


def _close(container: OutputContainer, target: Path) -> None:
    try:
        container.close()
    except (av.FFmpegError, OSError) as error:
        _discard(target)
        raise _failure(target, error) from None


def _abandon(container: OutputContainer, target: Path) -> None:
    try:
        container.close()
    except (av.FFmpegError, OSError, ValueError):
        pass  # what could not be written need not be
    finally:
        _discard(target)


def _discard(target: Path) -> None:
    with contextlib.suppress(OSError):  # a folder that is gone, or that was none
        part_of(target).unlink(missing_ok=True)


def _failure(target: Path, error: Exception) -> EvidenceError:
    return EvidenceError(f"{target}: {getattr(error, 'strerror', None) or error}")
