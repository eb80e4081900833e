"""Where frames come from: one line a scheme."""

from collections.abc import Callable

from streamwatch.secret import SecretUrl
from streamwatch.video.picture import Opening, Source

__all__ = ["SOURCES", "check_url", "open_source"]


def _ffmpeg(opening: Opening) -> Source:
    from streamwatch.video.ffmpeg import FfmpegSource

    return FfmpegSource(opening)


def _device(opening: Opening) -> Source:
    from streamwatch.video.device import DeviceSource

    return DeviceSource(opening)


def _synthetic(opening: Opening) -> Source:
    from streamwatch.video.simulated import SyntheticSource

    return SyntheticSource(opening)


# Each opens its camera or raises SourceError; what it needs is imported when it is first used.
SOURCES: dict[str, Callable[[Opening], Source]] = {
    "rtsp": _ffmpeg,
    "rtsps": _ffmpeg,
    "http": _ffmpeg,
    "https": _ffmpeg,
    "file": _ffmpeg,
    "device": _device,
    "synthetic": _synthetic,
}


def check_url(url: SecretUrl) -> None:
    """Refuse at start what no retry can mend: a scene that does not exist. Raises ConfigError."""
    if url.scheme == "synthetic":
        from streamwatch.video.synthetic_source import parse_synthetic

        parse_synthetic(url.reveal())


def open_source(opening: Opening) -> Source:
    """Open the camera at ``opening.url`` (its scheme was checked by the configuration). Raises SourceError."""
    return SOURCES[opening.url.scheme](opening)
