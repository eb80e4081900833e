"""Made-up fixed scenes, wider than the camera's view, so that it can be turned; noise as of a sensor."""

import cv2
import numpy as np

from streamwatch.video.frame import Image

__all__ = ["FAR", "NEAR", "grey", "noisy", "scene", "view"]

NEAR, FAR = 160, 240  # pixels of the view and of the scene

GRAIN = np.random.default_rng(0).standard_normal(1_000_000).astype(np.float32)  # drawing it each time is slow


def scene(seed: int) -> Image:
    """uint8 [FAR, FAR, 3]: a wall of furniture, one seed another room."""
    rng = np.random.default_rng(seed)
    room = np.full((FAR, FAR, 3), 110, np.uint8)
    for _ in range(120):
        corner, size = rng.integers(0, FAR, 2), rng.integers(6, 50, 2)
        colour = [int(level) for level in rng.integers(30, 230, 3)]
        cv2.rectangle(room, corner.tolist(), (corner + size).tolist(), colour, -1)
    return np.asarray(room, np.uint8)


def view(room: Image, rng: np.random.Generator, turn: tuple[int, int] = (0, 0), noise: float = 1.5) -> Image:
    """uint8 [1, NEAR, NEAR, 3] of ``room`` from 40 + ``turn`` (x, y) pixels on."""
    x, y = 40 + turn[0], 40 + turn[1]
    seen = room[y : y + NEAR, x : x + NEAR]
    return noisy(seen, rng, noise)[None]


def noisy(picture: Image, rng: np.random.Generator, noise: float) -> Image:
    """``picture`` as a sensor sees it."""
    start = int(rng.integers(GRAIN.size - picture.size))
    grain = GRAIN[start : start + picture.size].reshape(picture.shape)
    return np.clip(picture + (noise * grain + 0.5), 0, 255).astype(np.uint8)


def grey(frames: Image) -> Image:
    """The last of ``frames`` in grey."""
    return np.asarray(cv2.cvtColor(frames[-1], cv2.COLOR_RGB2GRAY), np.uint8)
