"""A door in the far wall that swings open and shut."""

import math
from dataclasses import dataclass

import numpy as np

from streamwatch.video.frame import Image
from streamwatch.video.theatre.surface import front, muted, plain
from streamwatch.video.theatre.view import Floats, Plane, View, paint_plane

__all__ = ["Door", "hang_door", "openness", "paint_door"]

WIDE, TALL, SWING_S = 0.92, 2.05, 0.8


@dataclass(frozen=True)
class Door:
    """Where the door's top hinge is, [3], the direction of the wall, [3], and what leaf and doorway look like."""

    hinge: Floats
    across: Floats
    leaf: Image
    behind: Image


def hang_door(rng: np.random.Generator, view: View, corner: Floats, across: Floats, wide: float) -> Door:
    """A door in the wall that runs ``wide`` metres from ``corner`` along ``across``, where the camera can see it."""
    places = np.linspace(0.4, max(0.5, wide - WIDE - 0.4), 40)
    points = corner + places[:, None] * across + (0, 0, 1.0)
    goal = rng.uniform(0.3, 0.6) * view.size[0]
    best = int(np.abs(view.project(points)[:, 0] - goal).argmin())
    hinge = corner + places[best] * across + (0, 0, TALL)
    light = muted(rng, 150, 240, 0.05) if rng.random() < 0.5 else muted(rng, 12, 45, 0.05)
    leaf = front(rng, "plain", (WIDE, TALL), muted(rng, 60, 190, 0.2))
    return Door(hinge, across, leaf, plain(rng, (WIDE, TALL), light, 6))


def openness(times: tuple[tuple[float, float], ...], t: float) -> float:
    """How far the door is open, 0–1, when it opens and closes at ``times``."""
    share = 0.0
    for opens, closes in times:
        share = max(share, min((t - opens) / SWING_S, 1.0, 1.0 - (t - closes) / SWING_S))
    return share * share * (3 - 2 * share)


def paint_door(picture: Image, view: View, door: Door, share: float) -> None:
    """Draw the door, ``share`` open (0–1), into ``picture``."""
    down = np.array([0.0, 0.0, -TALL])
    into = np.array([door.across[1], -door.across[0], 0.0])
    angle = share * 1.4
    if share > 0:
        paint_plane(picture, view, Plane(door.hinge + into * 0.005, door.across * WIDE, down, door.behind))
    swung = door.across * math.cos(angle) + into * math.sin(angle)
    paint_plane(picture, view, Plane(door.hinge + into * 0.01, swung * WIDE, down, door.leaf, 0.9 - 0.2 * share))
