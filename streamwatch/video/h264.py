"""Films that RTSP can carry: H.264 without B-frames in an mp4, made of scenes or of anybody's video."""

import os
import threading
import zlib
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path

import av

from streamwatch.errors import ConfigError
from streamwatch.video.synthetic import Scene

__all__ = ["LIKE_A_CAMERA", "film_scene", "film_video"]

_GOP_S = 2.0
_MAX_WIDTH = 1280
_DRAFT = {"preset": "ultrafast", "crf": "24"}
LIKE_A_CAMERA = {"preset": "veryfast", "b": "2M", "maxrate": "2M", "bufsize": "4M"}
"""2 Mbit/s with all of H.264's main tools, as an IP camera encodes: dearer to decode than a draft."""


def film_scene(
    scene: Scene,
    folder: Path,
    on_frame: Callable[[int], None] | None = None,
    options: Mapping[str, str] = _DRAFT,
) -> Path:
    """Render ``scene`` into an mp4 in ``folder``, or find it there; a half-written film never has the final name.

    ``on_frame`` is called with the number of each finished frame. ``options`` are libx264's. Scenes can be filmed in
    several threads.
    """
    # the picture's checksum is in the name, so that a film made by an older renderer is not taken for this one
    look = zlib.crc32(scene.render(scene.duration / 3).tobytes())
    look = look if options is _DRAFT else zlib.crc32(repr(sorted(options.items())).encode(), look)
    width, height = scene.size
    name = f"{scene.plot}-{scene.seed}-{width}x{height}-{scene.fps:g}fps-{scene.duration:g}s-{look:08x}.mp4"
    target = folder / name
    if target.exists():
        return target
    rate = Fraction(scene.fps).limit_denominator(1001)
    with _Recorder(target, rate, (width & ~1, height & ~1), options) as recorder:
        for number in range(round(scene.duration * scene.fps)):
            image = scene.render(number / scene.fps)
            recorder.add(av.VideoFrame.from_ndarray(image, format="rgb24"), number)
            if on_frame is not None:
                on_frame(number)
    return target


def film_video(path: Path, folder: Path) -> Path:
    """The first video track of ``path`` as an mp4 in ``folder`` that RTSP can carry, without sound.

    H.264 without B-frames is copied, all else is encoded again (at most 1280 pixels wide); done once for each state
    of the file. Raises ConfigError for a file that cannot be read or holds no video.
    """
    try:
        state = path.stat()
        digest = zlib.crc32(f"{path.resolve()} {state.st_size} {state.st_mtime_ns}".encode())
        target = folder / f"{path.stem}-{digest:08x}.mp4"
        if not target.exists():
            if _is_carriable(path):
                _remux(path, target)
            else:
                _transcode(path, target)
    except (OSError, av.FFmpegError) as error:
        raise ConfigError(f"{path}: cannot be read as video: {error.strerror}") from error
    return target


class _Recorder:
    """Writes frames to an mp4 through ``*.part`` and rename; on an exception the part is removed."""

    def __init__(self, target: Path, rate: Fraction, size: tuple[int, int], given: Mapping[str, str] = _DRAFT) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        self._target, self._part = target, _part_of(target)
        self._container = av.open(str(self._part), "w", format="mp4")
        gop = str(max(1, round(_GOP_S * rate)))
        options = {**given, "bf": "0", "g": gop, "sc_threshold": "0", "threads": "1"}
        self._stream = self._container.add_stream("libx264", rate=rate, options=options)
        self._stream.width, self._stream.height = size
        self._stream.pix_fmt = "yuv420p"
        self._stream.time_base = self._stream.codec_context.time_base = 1 / rate

    def add(self, frame: av.VideoFrame, number: int) -> None:
        """Append ``frame``, the ``number``-th of a constant frame rate."""
        small = frame.reformat(self._stream.width, self._stream.height, "yuv420p")
        small.pts, small.time_base = number, self._stream.codec_context.time_base
        small.pict_type = av.video.frame.PictureType.NONE
        self._container.mux(self._stream.encode(small))

    def __enter__(self) -> "_Recorder":
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        try:
            if kind is None:
                self._container.mux(self._stream.encode(None))
        finally:
            self._container.close()
        _publish(self._part, self._target, kept=kind is None)


def _is_carriable(path: Path) -> bool:
    with av.open(str(path)) as container:
        if not container.streams.video:
            raise ConfigError(f"{path}: holds no video track")
        stream = container.streams.video[0]
        context = stream.codec_context
        if context.name != "h264" or context.pix_fmt not in {"yuv420p", "yuvj420p"} or not context.extradata:
            return False
        times = [p.pts for p in container.demux(stream) if p.size]
    known = [pts for pts in times if pts is not None]
    return len(known) == len(times) > 0 and known == sorted(known)  # else there are B-frames


def _remux(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part, done = _part_of(target), False
    try:
        with av.open(str(path)) as source, av.open(str(part), "w", format="mp4") as sink:
            taken = source.streams.video[0]
            given = sink.add_stream_from_template(taken)
            for packet in source.demux(taken):
                if packet.dts is not None:
                    packet.stream = given
                    sink.mux(packet)
        done = True
    finally:
        _publish(part, target, kept=done)


def _transcode(path: Path, target: Path) -> None:
    with av.open(str(path)) as source:
        taken = source.streams.video[0]
        taken.thread_type = "AUTO"
        rate = Fraction(min(taken.average_rate or Fraction(25), Fraction(30)))
        width, height = taken.codec_context.width, taken.codec_context.height
        scale = min(1.0, _MAX_WIDTH / max(1, width))
        size = (int(width * scale) & ~1, int(height * scale) & ~1)
        with _Recorder(target, rate, size) as recorder:
            number, first = 0, None
            for frame in source.decode(taken):
                if frame.time is None:
                    continue
                first = frame.time if first is None else first
                while number <= (frame.time - first) * rate:  # constant rate: repeat or leave out
                    recorder.add(frame, number)
                    number += 1


def _part_of(target: Path) -> Path:
    return target.with_name(f"{target.name}.{os.getpid()}-{threading.get_ident()}.part")


def _publish(part: Path, target: Path, kept: bool) -> None:
    if not kept:
        part.unlink(missing_ok=True)
        return
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(target)
