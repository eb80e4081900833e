"""Procedural textures: floors, walls, doors, windows, posters and the faces of furniture. All uint8 [H, W, 3] RGB."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamwatch.video.frame import Image
from streamwatch.video.theatre.view import Floats

__all__ = ["FLOORS", "PIXELS_PER_METRE", "WALLS", "cloud", "floor", "front", "muted", "plain", "wall"]

PIXELS_PER_METRE = 64
Rng = np.random.Generator


def cloud(rng: Rng, height: int, width: int, grain: int) -> Floats:
    """Smooth noise of about unit variance, float32 [height, width], blobs about ``grain`` pixels wide."""
    import cv2

    small = rng.standard_normal((height // grain + 2, width // grain + 2)).astype(np.float32)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC))


def plain(rng: Rng, metres: tuple[float, float], colour: Floats, rough: float = 4.0) -> Image:
    """A flat colour (RGB) of ``metres`` (width, height), a little stained and grainy."""
    width, height = (max(4, int(m * PIXELS_PER_METRE)) for m in metres)
    stains = cloud(rng, height, width, 60) * rough + cloud(rng, height, width, 7) * rough * 0.4
    grain = rng.standard_normal((height, width)).astype(np.float32) * rough * 0.5
    return _clip(np.asarray(colour, np.float32) + (stains + grain)[..., None])


def _tiles(rng: Rng, metres: tuple[float, float]) -> Image:
    colour = muted(rng, 90, 200)
    texture = plain(rng, metres, colour, 3)
    step = int(rng.choice([0.3, 0.4, 0.6]) * PIXELS_PER_METRE)
    rows, cols = texture.shape[0] // step + 1, texture.shape[1] // step + 1
    tone = 1 + rng.normal(0, 0.03, (rows, cols))
    if rng.random() < 0.3:
        tone *= 1 - rng.uniform(0.15, 0.45) * (np.add.outer(np.arange(rows), np.arange(cols)) % 2)
    spread = np.kron(tone, np.ones((step, step)))[: texture.shape[0], : texture.shape[1]]
    texture = _clip(texture * spread[..., None])
    joint = _clip(colour * rng.uniform(0.55, 1.15))
    texture[::step] = texture[1::step] = joint
    texture[:, ::step] = texture[:, 1::step] = joint
    return texture


def _planks(rng: Rng, metres: tuple[float, float]) -> Image:
    colour = np.array([168, 120, 78]) * rng.uniform(0.5, 1.2)
    width, height = (max(4, int(m * PIXELS_PER_METRE)) for m in metres)
    step = int(PIXELS_PER_METRE * 0.16)
    grain = cloud(rng, height, max(4, width // 24), 3)
    fibres = np.repeat(grain, 24, axis=1)[:, :width]
    fibres = np.pad(fibres, ((0, 0), (0, width - fibres.shape[1])), mode="edge")
    texture = np.asarray(colour, np.float32) * (1 + 0.05 * fibres[..., None])
    for row in range(0, height, step):
        start = int(rng.integers(0, 3 * PIXELS_PER_METRE))
        for col in range(start - 3 * PIXELS_PER_METRE, width, int(1.5 * PIXELS_PER_METRE)):
            texture[row : row + step, max(0, col) : col + int(1.5 * PIXELS_PER_METRE)] *= rng.uniform(0.85, 1.12)
            if col > 0:
                texture[row : row + step, col] *= 0.6
        texture[row] *= 0.65
    return _clip(texture)


def _carpet(rng: Rng, metres: tuple[float, float]) -> Image:
    return plain(rng, metres, muted(rng, 50, 140, 0.25), 9)


def _concrete(rng: Rng, metres: tuple[float, float]) -> Image:
    import cv2

    texture = plain(rng, metres, muted(rng, 75, 165, 0.05), 7)
    for _ in range(int(rng.integers(2, 9))):
        x, y = rng.integers(0, texture.shape[1]), rng.integers(0, texture.shape[0])
        axes = (int(rng.integers(4, 45)), int(rng.integers(4, 30)))
        stain = texture.copy()
        cv2.ellipse(stain, (int(x), int(y)), axes, 0, 0, 360, (40, 38, 36), -1)
        texture = cv2.addWeighted(texture, 0.85, cv2.GaussianBlur(stain, (0, 0), 4), 0.15, 0)
    if rng.random() < 0.4:
        mark = int(rng.integers(texture.shape[0] // 3, texture.shape[0]))
        texture[mark : mark + 6] = _clip(texture[mark : mark + 6] * 0.4 + np.array([130, 125, 90]))
    return texture


def _linoleum(rng: Rng, metres: tuple[float, float]) -> Image:
    texture = plain(rng, metres, muted(rng, 100, 190, 0.15), 3)
    speckled = rng.random(texture.shape[:2]) < 0.06
    texture[speckled] = _clip(texture[speckled] * rng.uniform(0.6, 0.85))
    return texture


FLOORS: dict[str, Callable[[Rng, tuple[float, float]], Image]] = {
    "tiles": _tiles,
    "planks": _planks,
    "carpet": _carpet,
    "concrete": _concrete,
    "linoleum": _linoleum,
}


def floor(rng: Rng, kind: str, metres: tuple[float, float], sheen: float) -> Image:
    """A floor of the given kind; ``sheen`` brightens random spots where lamps reflect."""
    texture = FLOORS[kind](rng, metres)
    glow = np.maximum(0, cloud(rng, texture.shape[0], texture.shape[1], 130)) * sheen
    return _clip(texture * (1 + glow[..., None]))


def _painted(rng: Rng, metres: tuple[float, float]) -> Image:
    texture = plain(rng, metres, muted(rng, 120, 225, 0.12), 3)
    if rng.random() < 0.35:  # a darker lower half, as in corridors
        low = int(texture.shape[0] * (1 - 1.1 / metres[1]))
        texture[max(0, low) :] = _clip(texture[max(0, low) :] * (rng.uniform(0.5, 0.85) + rng.normal(0, 0.05, 3)))
    return texture


def _bricks(rng: Rng, metres: tuple[float, float]) -> Image:
    colour = np.array([150, 92, 72]) * rng.uniform(0.6, 1.3) if rng.random() < 0.6 else muted(rng, 90, 170, 0.08)
    texture = plain(rng, metres, colour, 6)
    step, length = 8, 18
    for index, row in enumerate(range(0, texture.shape[0], step)):
        texture[row] = _clip(colour * 1.25)
        texture[row : row + step, (index % 2) * length // 2 :: length] = _clip(colour * 1.2)
    return texture


def _panels(rng: Rng, metres: tuple[float, float]) -> Image:
    texture = plain(rng, metres, muted(rng, 90, 200, 0.2), 3)
    step = int(rng.uniform(0.5, 1.2) * PIXELS_PER_METRE)
    texture[:, ::step] = _clip(texture[:, ::step] * 0.6)
    return texture


WALLS: dict[str, Callable[[Rng, tuple[float, float]], Image]] = {
    "painted": _painted,
    "bricks": _bricks,
    "panels": _panels,
}


def wall(rng: Rng, kind: str, metres: tuple[float, float], busy: float) -> Image:
    """A wall of (width, height) metres with skirting, shade towards the floor, doors, windows and posters."""
    import cv2

    texture = WALLS[kind](rng, metres)
    height, width = texture.shape[:2]
    for left in range(20, width - 80, 130):
        if rng.random() < busy:
            _hang(rng, texture, left + int(rng.integers(0, 40)), metres[1])
    cv2.rectangle(texture, (0, height - 6), (width, height), _dark(rng), -1)
    ramp = 1 - 0.22 * np.linspace(0, 1, height) ** 3 - 0.12 * np.linspace(1, 0, height) ** 4
    return _clip(texture * ramp[:, None, None])


def _hang(rng: Rng, texture: Image, left: int, tall: float) -> None:
    import cv2

    height, unit = texture.shape[0], PIXELS_PER_METRE
    kind = rng.choice(["door", "window", "poster", "board", "frame"])
    colour = tuple(int(c) for c in muted(rng, 40, 220, 0.25))
    if kind == "door":
        right, top = left + int(0.9 * unit), height - int(2.05 * unit)
        cv2.rectangle(texture, (left, top), (right, height), colour, -1)
        cv2.rectangle(texture, (left - 4, top - 4), (right + 4, height), _dark(rng), 3)
        for row in (top + 14, top + 74):
            cv2.rectangle(texture, (left + 9, row), (right - 9, row + 45), tuple(int(c * 0.8) for c in colour), 2)
        cv2.circle(texture, (right - 7, height - unit), 3, (190, 180, 150), -1)
        return
    wide, high = (int(rng.uniform(*r) * unit) for r in _SIZES[str(kind)])
    middle = height - int(min(1.55, tall * 0.6) * unit)
    top, bottom = middle - high // 2, middle + high // 2
    if kind == "window":
        pane = (215, 225, 235) if rng.random() < 0.5 else (25, 30, 42)
        cv2.rectangle(texture, (left, top), (left + wide, bottom), pane, -1)
        cv2.line(texture, (left + wide // 2, top), (left + wide // 2, bottom), (150, 150, 150), 3)
    else:
        cv2.rectangle(texture, (left, top), (left + wide, bottom), colour, -1)
        for _ in range(int(rng.integers(2, 7))):
            x, y = int(rng.integers(left, left + wide)), int(rng.integers(top, bottom))
            shade = tuple(int(c) for c in muted(rng, 20, 240, 0.5))
            cv2.rectangle(texture, (x, y), (min(left + wide, x + 18), min(bottom, y + 9)), shade, -1)
    cv2.rectangle(texture, (left, top), (left + wide, bottom), _dark(rng), 2)


_SIZES = {
    "window": ((0.9, 1.9), (0.9, 1.3)),
    "poster": ((0.4, 0.8), (0.5, 1.0)),
    "board": ((1.0, 1.8), (0.7, 1.0)),
    "frame": ((0.3, 0.7), (0.3, 0.6)),
}


def front(rng: Rng, kind: str, metres: tuple[float, float], colour: Floats) -> Image:
    """A face of furniture: "plain", "drawers", "goods" (shelves with things on them) or "cushions"."""
    import cv2

    texture = plain(rng, metres, colour, 4)
    height, width = texture.shape[:2]
    edge = tuple(int(c * 0.55) for c in colour)
    if kind == "goods":
        texture = _clip(texture * 0.35)
        for base in range(26, height + 20, 26):
            x = 2
            while x < width - 3:
                wide, tall = int(rng.integers(4, 14)), int(rng.integers(8, 22))
                if rng.random() < 0.85:
                    item = tuple(int(c) for c in muted(rng, 40, 220, 0.6))
                    cv2.rectangle(texture, (x, base - tall), (x + wide - 2, base - 2), item, -1)
                x += wide
            cv2.line(texture, (0, base), (width, base), tuple(int(c) for c in colour), 2)
    elif kind == "drawers":
        for row in range(0, height, max(14, height // 3)):
            cv2.line(texture, (0, row), (width, row), edge, 1)
            cv2.rectangle(texture, (width // 2 - 4, row + 6), (width // 2 + 4, row + 8), edge, -1)
    elif kind == "cushions":
        for col in range(0, width, 42):
            cv2.line(texture, (col, 0), (col, height), edge, 2)
        texture = cv2.GaussianBlur(texture, (0, 0), 1.5)
    cv2.rectangle(texture, (0, 0), (width - 1, height - 1), edge, 1)
    return texture


def muted(rng: Rng, low: float, high: float, tint: float = 0.1) -> Floats:
    """A colour of brightness ``low`` to ``high`` between warm and cool; ``tint`` is how far it may stray from grey."""
    tone, warm, green = rng.uniform(low, high), rng.normal(0.03, tint), rng.normal(0, tint * 0.35)
    return np.clip(tone * np.array([1 + warm, 1 + 0.25 * warm + green, 1 - warm]), 8, 245)


def _dark(rng: Rng) -> tuple[int, int, int]:
    tone = int(rng.integers(25, 110))
    return (tone, int(tone * 0.93), int(tone * 0.85))


def _clip(values: NDArray[Any]) -> Image:
    return np.asarray(np.clip(values, 0, 255).astype(np.uint8))
