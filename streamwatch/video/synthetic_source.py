"""Cameras that exist only as a URL: ``synthetic:fall?seed=3&duration=30&fps=25&size=640x360``."""

import difflib
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

from streamwatch.errors import ConfigError
from streamwatch.video.frame import Image
from streamwatch.video.synthetic import Scene

__all__ = ["frames", "parse_synthetic"]

_KEYS = ("seed", "duration", "fps", "size")


def parse_synthetic(url: str) -> Scene:
    """The scene a ``synthetic:`` URL describes; keys left out have Scene's defaults.

    Raises ConfigError for another scheme, an unknown plot or key (naming the nearest right word), a key given twice
    or a value that cannot be read.
    """
    parts = urlsplit(url)
    if parts.scheme != "synthetic":
        raise ConfigError(f"not a synthetic: URL (scheme {parts.scheme!r}); write synthetic:walk?seed=1")
    plot = parts.path.strip("/") or parts.netloc
    values: dict[str, str] = {}
    for key, value in parse_qsl(parts.query, keep_blank_values=True):
        if key not in _KEYS:
            near = difflib.get_close_matches(key, _KEYS, 1, 0.4)
            hint = f"did you mean {near[0]!r}?" if near else f"use {', '.join(_KEYS)}"
            raise ConfigError(f"synthetic:{plot}: no key {key!r}; {hint}")
        if key in values:
            raise ConfigError(f"synthetic:{plot}: {key} is given twice")
        values[key] = value
    return Scene(
        plot,
        seed=int(_number(plot, "seed", values.get("seed", "0"), whole=True)),
        size=_size(plot, values.get("size", "640x360")),
        fps=_number(plot, "fps", values.get("fps", "25")),
        duration=_number(plot, "duration", values.get("duration", "20")),
    )


def frames(scene: Scene) -> Iterator[tuple[float, Image]]:
    """Every frame of the scene as (pts in seconds, uint8 [H, W, 3] RGB), as fast as it is asked for."""
    for number in range(round(scene.duration * scene.fps)):
        pts = number / scene.fps
        yield pts, scene.render(pts)


def _number(plot: str, key: str, text: str, whole: bool = False) -> float:
    try:
        return int(text) if whole else float(text)
    except ValueError:
        kind = "a whole number" if whole else "a number"
        raise ConfigError(f"synthetic:{plot}: {key}={text!r} is not {kind}") from None


def _size(plot: str, text: str) -> tuple[int, int]:
    width, cross, height = text.lower().partition("x")
    if not (cross and width.isdigit() and height.isdigit()):
        raise ConfigError(f"synthetic:{plot}: size={text!r} is not WIDTHxHEIGHT, as in 640x360")
    return (int(width), int(height))
