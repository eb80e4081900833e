"""Cameras and files through FFmpeg (PyAV). This is the wall where FFmpeg's errors end."""

import math
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from streamwatch.errors import AuthenticationError, EndOfStreamError, SourceError
from streamwatch.secret import SecretUrl
from streamwatch.video import decoder
from streamwatch.video.backlog import Backlog
from streamwatch.video.decoder import Decoder, FramePicture, Packet
from streamwatch.video.demand import Demand
from streamwatch.video.hwaccel import hwaccel
from streamwatch.video.pacing import paced
from streamwatch.video.packets import Codec
from streamwatch.video.picture import Opening, Picture
from streamwatch.video.quantizer import Quantizer
from streamwatch.video.slots import Slots

__all__ = ["FfmpegSource"]

# What each scheme may open, directly, by redirect or from a playlist: never another scheme, never a local file.
PROTOCOLS = {
    "rtsp": "rtsp,rtp,tcp,udp",
    "rtsps": "rtsps,rtsp,rtp,tcp,tls",
    "http": "http,tcp",
    "https": "https,tls,tcp",
    "file": "file",
}
# Enough to find the codec's parameters; FFmpeg's own defaults wait two seconds longer for the first picture.
PROBE = {"analyzeduration": "100000", "probesize": "200000"}
GROUP = 16  # packets read and decoded in one go
BLIND = 30.0  # seconds that packets may come without one picture: the longest GOP of "smart" codecs, and some
MILLISECOND = Fraction(1, 1000)  # the unit of times where the stream has none
AT_ONCE = 0.001  # seconds in which a packet is read that was there already
ON_TIME = 0.1  # seconds that the newest packet of a stream may be late, if it was read to its end
SHARE = 0.1  # of the read timeout: a camera that falls silent meanwhile is noticed so much later
ALERT = 0.1  # seconds at most while packets are left out, as a keyframe that is read late ends that not
UNDATED = 8  # pictures at the start of a live stream that are left out if they have no pts
DENIED = (av.error.HTTPUnauthorizedError, av.error.HTTPForbiddenError)
GONE = (av.error.EOFError, av.error.ConnectionResetError, av.error.BrokenPipeError, av.error.ConnectionAbortedError)
REASONS: dict[type[Exception], str] = {
    av.error.ConnectionRefusedError: "refused",
    av.error.HTTPNotFoundError: "not_found",
    av.error.FileNotFoundError: "not_found",
    av.error.ExitError: "timeout",  # PyAV's own limit interrupted FFmpeg
    av.error.TimeoutError: "timeout",
    av.error.InvalidDataError: "invalid",
}


class FfmpegSource:
    """RTSP, HTTP or a file. Opens at once, within ``open_timeout``; a read that stalls ends by ``read_timeout``.

    RTSP comes at its own pace. HTTP may be a recording or arrive in segments, so it is paced like a file, except
    motion JPEG, which has no timestamps: FFmpeg invents 25 a second, and the arrivals are nearer the truth.
    """

    def __init__(self, opening: Opening) -> None:
        self._opening = opening
        self._remote = opening.url.scheme != "file"
        self._live = self._remote and opening.wait is not None
        with _translated(opening.url, opening.open_timeout):
            self._container = _open(opening)
        try:
            self._stream = _video(self._container, opening.url)
        except SourceError:
            self._container.close()
            raise
        self._undated = self._live and self._container.format.name == "mpjpeg"
        self._unpaced = self._undated or (self._live and opening.url.scheme in ("rtsp", "rtsps"))
        # datagrams are lost where a socket is full; TCP's grows, and a camera that must wait for it shows as late
        self._gathers = self._live and opening.url.scheme in ("rtsp", "rtsps") and opening.transport == "tcp"
        # what is paced sleeps between two pictures, and must hold no slot of others meanwhile
        self._slots = opening.slots if self._unpaced else Slots(1)
        self._decoder = Decoder(self._stream, opening.tally, opening.deblock, self._slots, opening.hwaccel != "none")
        self._turn = opening.slots.turns.join()
        self._backlog = Backlog(self._turn)

    @property
    def codec(self) -> str:
        """FFmpeg's name of it: h264, hevc, mjpeg …"""
        return self._stream.codec_context.name

    def __iter__(self) -> Generator[Picture, None, None]:
        wait, pictures = self._opening.wait, self._dated()
        if wait is None:
            yield from pictures
        else:
            yield from pictures if self._unpaced else paced(pictures, wait)
            if not self._opening.over():
                raise EndOfStreamError(f"{self._opening.url}: the stream ended")

    def close(self) -> None:
        """Close the container; only ever called by the thread that opened it."""
        self._turn.leave()
        self._container.close()

    def _dated(self) -> Iterator[Picture]:
        """Pictures with their pts. A file without any has its frame rate; RTSP's first pictures often have none."""
        step = 1 / float(self._stream.average_rate or 25)
        for number, picture in enumerate(self._pictures()):
            if self._undated:
                yield replace(picture, pts=None) if isinstance(picture, FramePicture) else picture
            elif picture.pts is not None:
                yield picture
            elif isinstance(picture, FramePicture) and not self._live:
                yield replace(picture, pts=number * step)
            elif number >= UNDATED:
                yield picture

    def _pictures(self) -> Iterator[Picture]:
        demand, tally = self._demand(), self._opening.tally
        take: Callable[[Packet], Iterable[Picture]] = self._decoder.decode if demand is None else demand.take
        slots = self._slots
        seen, resumed = time.monotonic(), tally.resumed
        for group in self._groups():
            if tally.resumed != resumed:
                resumed, seen = tally.resumed, time.monotonic()
                tally.skipped += 0 if demand is None else demand.interrupt()
            with slots:
                for number, packet in enumerate(group):
                    for picture in take(packet):
                        yield picture
                        seen = time.monotonic()
                        slots.breathe()  # many pictures come of one packet where what was held back is decoded
                    if demand is not None and demand.refused:
                        tally.skipped += demand.interrupt() + len(group) - number - 1
                        self._backlog.leave(time.monotonic())
                        break
                    slots.breathe()
            if time.monotonic() - seen > BLIND:
                raise SourceError(f"{self._opening.url}: {BLIND:.0f} s of packets and not one picture", "invalid")

    def _demand(self) -> Demand | None:
        """What decides when to decode, if that is not always."""
        if self._opening.stillness is None or self._undated:
            return None
        context = self._stream.codec_context
        quantizer = Quantizer(context.extradata) if context.name == "h264" else None

        def room() -> bool:
            return not self._unpaced or self._turn.free(time.monotonic())

        return Demand(self._decoder, self._opening.stillness, self._unpaced, quantizer, room)

    def _groups(self) -> Iterator[list[Packet]]:
        """What is to be decoded in one go: each packet as it comes; of what has waited already, up to GROUP."""
        group: list[Packet] = []
        lane = self._slots.lane
        try:
            for packet, more in self._packets():
                group += [] if packet is None else [packet]
                if group and (not more or len(group) == GROUP):
                    lane.leave()
                    yield group
                    group = []
                elif more:
                    lane.enter()
        except SourceError:
            if group:
                lane.leave()
                yield group
            raise
        finally:
            lane.leave()
        if group:
            yield group

    def _packets(self) -> Iterator[tuple["Packet | None", bool]]:
        """Each packet, None for one that is left out, and whether the next one should be there already; at the end an
        empty one that drains the decoder.
        """
        opening, backlog = self._opening, self._backlog
        packets, waited = self._container.demux(self._stream), False
        if opening.ring is not None:
            opening.ring.begin(self._codec())
        while not opening.over():
            if waited and backlog.late < ON_TIME:
                self._gather()
            asked = time.monotonic()
            try:
                with _translated(opening.url):
                    packet = next(packets, None)
            except IndexError:  # PyAV 18 at the end of an MPEG-TS in which streams appeared since it was opened
                raise SourceError(f"{opening.url}: its streams changed while it was read", "invalid") from None
            if packet is None:
                return
            took = time.monotonic() - asked
            waited = took > AT_ONCE and packet.pts is not None
            if self._remote and took > opening.read_timeout:
                # the read was interrupted, and this is what the parser still held: do not wait once more
                raise SourceError(f"{opening.url}: the camera is silent", "timeout")
            opening.tally.packets += bool(packet.size)
            if opening.stillness is not None and packet.is_keyframe and packet.pts is not None:
                opening.stillness.spaced(packet.pts * self._decoder.unit)
            if opening.ring is not None and packet.size:
                pts = round(time.monotonic() / MILLISECOND) if self._undated else packet.pts
                opening.ring.add(bytes(packet), pts, packet.is_keyframe)
            skipped = self._late(packet)
            opening.tally.skipped += skipped
            more = self._unpaced and not skipped and not waited and backlog.more
            yield (None if skipped else packet), more
            if skipped:
                opening.left_out(backlog.step)

    def _gather(self) -> None:
        """Leave the stream alone for as long as it may be; what is left out can always wait a little."""
        wait, rest = self._opening.wait, ALERT if self._backlog.skips else self._opening.rest()
        if self._gathers and wait is not None and rest > 0.0:
            wait(min(rest, SHARE * self._opening.read_timeout))

    def _codec(self) -> Codec:
        context, stream = self._stream.codec_context, self._stream
        time_base = MILLISECOND if self._undated or stream.time_base is None else stream.time_base
        rate = float(stream.average_rate or 25)
        return Codec(context.name, bytes(context.extradata or b""), time_base, rate)

    def _late(self, packet: Packet) -> bool:
        """Whether the machine is too slow for this packet; a recording and an undated stream can wait."""
        if not self._live or self._undated or packet.pts is None:
            return False
        backlog, clips, stillness = self._backlog, self._opening.clips(), self._opening.stillness
        skipped, idle = backlog.skips, stillness is not None and stillness.state == "still"
        admitted = backlog.admits(packet.pts * self._decoder.unit, packet.is_keyframe, time.monotonic(), clips, idle)
        if skipped and admitted:
            self._opening.tally.resumed += 1
            self._decoder.flush()  # pictures that it holds back (B-frames) are of before what was left out
        return not admitted


def _open(opening: Opening) -> InputContainer:
    url, scheme = opening.url, opening.url.scheme
    options = {"protocol_whitelist": PROTOCOLS[scheme], "max_pixels": str(decoder.MAX_PIXELS)} | PROBE
    if scheme in ("rtsp", "rtsps"):
        # with video alone, FFmpeg also leaves the timestamps as the camera sent them
        options |= {"rtsp_transport": opening.transport, "allowed_media_types": "video"}
    return av.open(
        _file(url) if scheme == "file" else url.reveal(),
        options=options,
        timeout=(opening.open_timeout, opening.read_timeout),
        metadata_errors="replace",
        hwaccel=hwaccel(opening.hwaccel),
    )


def _file(url: SecretUrl) -> str:
    parts = urlsplit(url.reveal())
    if parts.netloc not in ("", "localhost"):
        raise SourceError(f"{url}: write file:///absolute/path or file:relative/path", "not_found")
    # absolute and with its protocol said, so that no name can be taken for another protocol
    return f"file:{Path(url2pathname(parts.path)).resolve()}"


def _video(container: InputContainer, url: SecretUrl) -> VideoStream:
    if not container.streams.video:
        raise SourceError(f"{url}: holds no video", "invalid")
    stream = container.streams.video[0]
    if stream.codec_context is None:
        raise SourceError(f"{url}: its codec cannot be decoded by this FFmpeg", "invalid")
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > decoder.MAX_PIXELS:
        raise SourceError(f"{url}: pictures of {width}x{height}, more than {decoder.MAX_PIXELS} pixels", "invalid")
    return stream


@contextmanager
def _translated(url: SecretUrl, limit: float = math.inf) -> Iterator[None]:
    """FFmpeg's errors as SourceError. Their own text is never used: it holds the whole URL, password included.

    What fails after ``limit`` seconds failed for being silent, whatever FFmpeg blames: it says "invalid data" of an
    interrupted probe and "input/output error" of an interrupted TLS handshake.
    """
    began = time.monotonic()
    try:
        yield
    except DENIED:
        raise AuthenticationError(f"{url}: the camera refused user and password; correct them in its url") from None
    except GONE as error:
        raise EndOfStreamError(f"{url}: {_said(error)}") from None
    except (av.FFmpegError, OSError) as error:
        reason = next((REASONS[kind] for kind in type(error).__mro__ if kind in REASONS), "error")
        if time.monotonic() - began >= limit:
            reason = "timeout"
        said = "the camera is silent" if reason == "timeout" else _said(error)
        raise SourceError(f"{url}: {said}", reason) from None


def _said(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or type(error).__name__)
