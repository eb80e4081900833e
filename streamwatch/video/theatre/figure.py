"""Draws one clothed person: tapered limbs with shading, far parts first, and a soft shadow on the floor."""

from dataclasses import dataclass

import numpy as np

from streamwatch.video.frame import Image
from streamwatch.video.theatre.skeleton import BODY, Joints
from streamwatch.video.theatre.surface import muted
from streamwatch.video.theatre.view import Floats, View

__all__ = ["Clothes", "cast_shadow", "dress", "extent", "paint_figure"]

Colour = tuple[int, int, int]

_INDEX = {name: index for index, name in enumerate(BODY)}

# Each part: which cloth, and the spheres (joint, radius in metres) whose hull it is.
_PARTS: tuple[tuple[str, tuple[tuple[str, float], ...]], ...] = (
    ("shoe", (("l_ankle", 0.05), ("l_toe", 0.038))),
    ("shoe", (("r_ankle", 0.05), ("r_toe", 0.038))),
    ("trousers", (("l_knee", 0.062), ("l_ankle", 0.05))),
    ("trousers", (("r_knee", 0.062), ("r_ankle", 0.05))),
    ("trousers", (("l_hip", 0.095), ("l_knee", 0.068))),
    ("trousers", (("r_hip", 0.095), ("r_knee", 0.068))),
    ("trousers", (("l_hip", 0.1), ("r_hip", 0.1), ("pelvis", 0.12))),
    ("shirt", (("l_shoulder", 0.075), ("r_shoulder", 0.075), ("chest", 0.14), ("waist", 0.135), ("pelvis", 0.13))),
    ("skin", (("neck", 0.055), ("head", 0.05))),
    ("hair", (("head", 0.108),)),
    ("skin", (("face", 0.088),)),
    ("sleeve", (("l_shoulder", 0.066), ("l_elbow", 0.05))),
    ("sleeve", (("r_shoulder", 0.066), ("r_elbow", 0.05))),
    ("cuff", (("l_elbow", 0.047), ("l_hand", 0.036))),
    ("cuff", (("r_elbow", 0.047), ("r_hand", 0.036))),
    ("skin", (("l_hand", 0.045),)),
    ("skin", (("r_hand", 0.045),)),
)
_COAT = ("shirt", (("pelvis", 0.13), ("l_hip", 0.12), ("r_hip", 0.12), ("l_knee", 0.07), ("r_knee", 0.07)))
# Bones that throw a shadow, with their thickness.
_SHADOW = (
    ("pelvis", "neck", 1.5), ("l_hip", "l_knee", 1.0), ("l_knee", "l_ankle", 0.8), ("r_hip", "r_knee", 1.0),
    ("r_knee", "r_ankle", 0.8), ("l_ankle", "l_toe", 0.8), ("r_ankle", "r_toe", 0.8), ("neck", "head", 1.0),
    ("l_shoulder", "l_hand", 0.6), ("r_shoulder", "r_hand", 0.6),
)  # fmt: skip
_DYES = ((0.7, -0.5, -0.5), (-0.5, -0.2, 0.6), (-0.4, 0.3, -0.3), (0.6, 0.4, -0.6), (-0.2, -0.4, 0.2), (0.4, 0.0, -0.4))
_ANGLES = np.linspace(0, 2 * np.pi, 12, endpoint=False)
_CIRCLE = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)
_SUB = 4  # fractional bits of the polygon coordinates


@dataclass(frozen=True)
class Clothes:
    """What one person looks like: a colour (RGB) for each cloth, stature in metres, girth as a factor."""

    colours: dict[str, Colour]
    height: float
    girth: float
    coat: bool


def dress(rng: np.random.Generator) -> Clothes:
    """A person dressed at random: mostly dark or muted, sometimes bright."""

    def cloth(bright: float) -> Colour:
        tone = rng.uniform(15, 110) if rng.random() > bright else rng.uniform(110, 225)
        if rng.random() < 0.65:
            return _colour(muted(rng, tone, tone, 0.12))
        return _colour(tone * (1 + np.array(_DYES[int(rng.integers(len(_DYES)))]) * rng.uniform(0.3, 0.8)))

    skin = np.array([222, 178, 150]) * rng.uniform(0.32, 1.0)
    shirt = cloth(0.5)
    sleeve = shirt if rng.random() < 0.85 else cloth(0.5)
    return Clothes(
        {
            "shirt": shirt,
            "sleeve": sleeve,
            "cuff": sleeve if rng.random() < 0.6 else _colour(skin),
            "trousers": cloth(0.2) if rng.random() < 0.6 else _colour(np.array([45, 55, 80]) * rng.uniform(0.5, 1.6)),
            "shoe": cloth(0.25),
            "skin": _colour(skin),
            "hair": _colour(np.array([60, 45, 35]) * rng.choice([0.35, 0.7, 1.0, 2.6], p=[0.45, 0.3, 0.15, 0.1])),
        },
        height=float(np.clip(rng.normal(1.71, 0.09), 1.48, 1.95)),
        girth=float(rng.uniform(0.88, 1.18)),
        coat=bool(rng.random() < 0.15),
    )


def extent(view: View, body: Joints, margin: float = 0.2) -> tuple[int, int, int, int]:
    """The part of the picture (x0, y0, x1, y1 in pixels) that the body covers, clipped; may be empty."""
    seen = view.project(body.points)
    reach = margin * view.focal / seen[:, 2:]
    low = np.floor((seen[:, :2] - reach).min(axis=0)).astype(int)
    high = np.ceil((seen[:, :2] + reach).max(axis=0)).astype(int)
    width, height = view.size
    return (max(0, low[0]), max(0, low[1]), min(width, high[0]), min(height, high[1]))


def paint_figure(layer: Image, view: View, body: Joints, clothes: Clothes, corner: tuple[int, int]) -> None:
    """Draw the person into ``layer`` (uint8 [H, W, 4], RGB premultiplied by alpha, cleared) at ``corner``."""
    import cv2

    seen = view.project(body.points)
    scale = view.focal / seen[:, 2] * (body.height / 1.75)
    flat = seen[:, :2] - corner
    parts = (*_PARTS, _COAT) if clothes.coat else _PARTS
    drawn = [(cloth, [_INDEX[name] for name, _ in balls], [r for _, r in balls]) for cloth, balls in parts]
    drawn.sort(key=lambda part: _nearness(part, seen))
    for cloth, index, radii in drawn:
        girth = 1.0 if cloth in ("skin", "hair", "shoe") else clothes.girth
        reach = np.array(radii) * girth * scale[index]
        centre = flat[index]
        colour = clothes.colours[cloth]
        for factor, shrink, raised in ((0.62, 1.0, 0.0), (0.86, 0.78, 0.14), (1.0, 0.45, 0.3)):
            lit = centre - np.stack([reach * raised * 0.6, reach * raised], axis=1)
            ring = (lit[:, None] + _CIRCLE * (reach * shrink)[:, None, None]).reshape(-1, 2)
            hull = cv2.convexHull((ring * (1 << _SUB)).astype(np.int32))
            tone = (colour[0] * factor, colour[1] * factor, colour[2] * factor, 255)
            cv2.fillConvexPoly(layer, hull, tone, cv2.LINE_AA, _SUB)


def cast_shadow(view: View, body: Joints, lamp: Floats, step: int) -> tuple[tuple[int, int, int, int], Image]:
    """The soft shadow on the floor under ``lamp`` [3]: where (x0, y0, x1, y1 in pixels) and how dark.

    The darkness is uint8 [h, w], 1/``step`` as large as its place; it is empty outside the picture.
    """
    import cv2

    points = body.points.copy()
    rise = np.clip(points[:, 2:], 0, lamp[2] - 0.5)
    points += np.clip((points - lamp) * (rise / (lamp[2] - rise)), -0.45, 0.45)
    points[:, 2] = 0.0
    x0, y0, x1, y1 = extent(view, Joints(points, body.height), 0.35)
    dark = np.zeros((max(0, y1 - y0) // step, max(0, x1 - x0) // step), np.uint8)
    if dark.size == 0:
        return (x0, y0, x1, y1), dark
    seen = view.project(points)
    flat = ((seen[:, :2] - (x0, y0)) / step * (1 << _SUB)).astype(np.int32)
    thick = 0.17 * view.focal / seen[:, 2] / step
    for first, second, weight in _SHADOW:
        a, b = _INDEX[first], _INDEX[second]
        start, end = (int(flat[a, 0]), int(flat[a, 1])), (int(flat[b, 0]), int(flat[b, 1]))
        cv2.line(dark, start, end, 135, max(1, int(thick[a] * weight)), cv2.LINE_8, _SUB)
    return (x0, y0, x1, y1), np.asarray(cv2.GaussianBlur(dark, (0, 0), max(0.8, float(thick[0]) * 0.4)))


def _nearness(part: tuple[str, list[int], list[float]], seen: Floats) -> float:
    depth = -float(np.mean(seen[part[1], 2]))
    return depth + (0.02 if part[0] == "hair" else 0.0)


def _colour(values: Floats) -> Colour:
    red, green, blue = np.clip(values, 6, 245).astype(int).tolist()
    return (red, green, blue)
