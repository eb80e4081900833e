"""What the parts cost alone, in CPU ms of one core: no pipeline can be cheaper than their sum."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from streamwatch.errors import SourceError
from streamwatch.models.bucket import BUCKETS
from streamwatch.models.onnx import OnnxModel
from streamwatch.offline import source_url
from streamwatch.video.camera import read_clips
from streamwatch.video.scale import scale
from streamwatch.video.window import ClipTiming

__all__ = ["BATCHES", "Limits", "measure_limits"]

BATCHES = (1, 2, 4, 8)
_OPTIONS = {"rtsp_transport": "tcp", "analyzeduration": "100000", "probesize": "200000"}
_TIMEOUT = (10.0, 10.0)  # s, to open and to read
_LEAST = 4.0  # seconds of film that are decoded in any case


@dataclass(frozen=True, slots=True)
class Limits:
    """CPU ms: ``demux``, ``decode`` (every frame), ``scale`` a camera-second; ``encode`` a clip and ``score`` a window,
    by batch; on a GPU (``gpu``) these two are elapsed. ``clips``, of ``frames`` each, come in a second of one camera;
    ``threads`` run graphs side by side.
    """

    demux: float
    decode: float
    scale: float
    encode: dict[int, float]
    score: dict[int, float]
    clips: float = 1.0
    frames: int = 8
    threads: int = 1
    gpu: bool = False

    @property
    def sum(self) -> float:
        """Of a camera-second, at the cheapest batch."""
        return self.demux + self.decode + self.scale + self.clips * self.graphs

    @property
    def graphs(self) -> float:
        """Of one clip and its window."""
        return min(self.encode.values()) + min(self.score.values())

    @property
    def rate(self) -> float:
        """Clips that the graphs alone can encode in a second, and score their windows."""
        return self.threads * 1e3 / self.graphs


def measure_limits(film: Path, url: str, model: OnnxModel, seconds: float) -> Limits:
    """``film`` is served at ``url``. Takes about twice ``seconds``. Raises SourceError."""
    card = model.card
    decode, scaling = _measure_decode(film, card.size, card.frames / card.clip_seconds, seconds / 2)
    timing = ClipTiming(card.size, card.frames, card.clip_seconds, card.stride_seconds)
    clips = [clip.frames for clip in islice(read_clips(source_url(str(film)), timing), max(BATCHES))]
    if not clips:
        raise SourceError(f"{film}: shorter than one clip of {card.clip_seconds:g} s", "invalid")
    batches = BATCHES if model.provider == "cpu" else BUCKETS
    each = seconds / 2 / len(batches)
    return Limits(
        _measure_demux(url, seconds / 2),
        decode,
        scaling,
        {batch: _measure_encoder(model, clips, batch, each) for batch in batches},
        {batch: _measure_joint(model, batch, each / 2) for batch in batches},
        1 / card.stride_seconds,
        card.frames,
        model.threads,
        model.provider != "cpu",
    )


def _measure_demux(url: str, seconds: float) -> float:
    """Receiving over RTSP and TCP, no decoding: CPU ms a second."""
    with av.open(url, options=_OPTIONS, timeout=_TIMEOUT) as container:
        packets = container.demux(video=0)
        next(packets)
        began, spent = time.perf_counter(), time.thread_time()
        for _ in packets:
            if time.perf_counter() - began >= seconds:
                break
        return (time.thread_time() - spent) / (time.perf_counter() - began) * 1e3


def _measure_decode(film: Path, size: int, rate: float, seconds: float) -> tuple[float, float]:
    """Decoding every frame on one thread, and scaling ``rate`` of them a second: CPU ms a second of film each."""
    end = time.perf_counter() + seconds
    passes = [_decode(film, size, rate, end)]
    while time.perf_counter() < end:
        found = _decode(film, size, rate, end)
        if time.perf_counter() < end:  # a whole pass, not one cut off
            passes.append(found)
    return min(decoding for decoding, _ in passes), min(scaling for _, scaling in passes)


def _decode(film: Path, size: int, rate: float, end: float) -> tuple[float, float]:
    """One pass; of a long film it goes on until ``end``."""
    decoding = scaling = media = due = 0.0
    with av.open(str(film)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        stream.codec_context.thread_type = "NONE"
        step = 1 / float(stream.average_rate or 25)
        for packet in container.demux(stream):
            began = time.thread_time()
            frames = packet.decode()
            decoding += time.thread_time() - began
            for frame in frames:
                media, due = media + step, due + step * rate
                if due >= 1:
                    due -= 1
                    began = time.thread_time()
                    scale(frame, size)
                    scaling += time.thread_time() - began
            if media > _LEAST and time.perf_counter() >= end:
                break
    if not media:
        raise SourceError(f"{film}: not one frame can be decoded", "invalid")
    return decoding / media * 1e3, scaling / media * 1e3


def _measure_encoder(model: OnnxModel, clips: list[NDArray[np.uint8]], batch: int, seconds: float) -> float:
    """ms a clip at ``batch``."""
    frames = np.stack([clips[i % len(clips)] for i in range(batch)])
    return _measure(lambda: model.encode(frames), model.spent, seconds) / batch


def _measure_joint(model: OnnxModel, batch: int, seconds: float) -> float:
    """ms a window at ``batch``."""
    card, chance = model.card, np.random.default_rng(1)
    visual = chance.standard_normal((batch, card.window, card.dim), dtype=np.float32)
    age = np.tile(np.arange(card.window, dtype=np.float32), (batch, 1))
    mask = np.ones((batch, card.window), np.float32)
    return _measure(lambda: model.score(visual, age, mask), model.spent, seconds) / batch


def _measure(call: Callable[[], object], clock: Callable[[], float], seconds: float) -> float:
    """ms a call by ``clock``, the least of several rounds: what disturbs only adds."""
    call()
    best, end = math.inf, time.perf_counter() + seconds
    while best == math.inf or time.perf_counter() < end:
        began = clock()
        call()
        best = min(best, clock() - began)
    return best * 1e3
