"""Decoding by hardware (FFmpeg's hwaccel, NVDEC among them) where there is one that works; on the CPU where not."""

from functools import cache

import av
import structlog
from av.codec.hwaccel import HWAccel

__all__ = ["hwaccel"]

log = structlog.get_logger("streamwatch.camera")


def hwaccel(name: str) -> HWAccel | None:
    """For ``av.open``; None for "none", and for a device (FFmpeg's ``name`` of it: cuda, qsv, vaapi …) that does not
    open here, of which the log is told once. A codec that the device has no decoder for is decoded on the CPU.
    """
    if name == "none" or not _opens(name):
        return None
    return HWAccel(device_type=name, allow_software_fallback=True)


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
