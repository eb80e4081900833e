"""Decoding by hardware (FFmpeg's hwaccel, NVDEC among them) where there is one that works; on the CPU where not."""

from functools import cache

import av
import structlog
from av.codec.hwaccel import HWAccel

__all__ = ["by_device", "hwaccel"]

SEMIPLANAR = ("nv", "p0", "p2", "p4")  # how the formats begin of what a device gives; FFmpeg's own decoders have others

log = structlog.get_logger("streamwatch.camera")


def hwaccel(name: str) -> HWAccel | None:
    """For ``av.open``; None for "none", and for a device (FFmpeg's ``name`` of it: cuda, qsv, vaapi …) that does not
    open here, of which the log is told once. What the device cannot decode is decoded on the CPU.
    """
    if name == "none" or not _opens(name):
        return None
    return HWAccel(device_type=name, allow_software_fallback=True)


def by_device(frame: av.VideoFrame, context: av.VideoCodecContext) -> bool:
    """Whether a device decoded ``frame``. It may refuse a stream (its profile, its size, one too many) only then, and
    FFmpeg decodes that on the CPU without a word; ours is said once a codec.
    """
    found = context.is_hwaccel and frame.format.name.startswith(SEMIPLANAR)
    if not found:
        _tell(context.name)
    return found


@cache
def _tell(codec: str) -> None:
    log.warning("hwaccel does not decode this; the CPU does", codec=codec)


@cache
def _opens(name: str) -> bool:
    """Asked once, before any camera: FFmpeg says it only when the camera is connected, whose refusal it looks like."""
    try:
        HWAccel(device_type=name, allow_software_fallback=True).create(av.Codec("h264", "r"))
    except NotImplementedError:
        log.warning("hwaccel is not part of this FFmpeg; decoding on the CPU", hwaccel=name)
    except (av.FFmpegError, OSError) as error:
        reason = error.strerror or type(error).__name__
        log.warning("hwaccel does not open; decoding on the CPU", hwaccel=name, error=reason)
    else:
        return True
    return False
