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
_Part = tuple[str, tuple[tuple[str, float], ...]]
_PARTS: tuple[_Part, ...] = (
    ("shoe", (("l_ankle", 0.05), ("l_toe", 0.038))),
    ("shoe", (("r_ankle", 0.05), ("r_toe", 0.038))),
    ("trousers", (("l_knee", 0.062), ("l_ankle", 0.05))),
    ("trousers", (("r_knee", 0.062), ("r_ankle", 0.05))),
    ("trousers", (("l_hip", 0.095), ("l_knee", 0.068))),
    ("trousers", (("r_hip", 0.095), ("r_knee", 0.068))),
    ("trousers", (("l_hip", 0.1), ("r_hip", 0.1), ("pelvis", 0.12))),
    ("shirt", (("l_shoulder", 0.075), ("r_shoulder", 0.075), ("chest", 0.14), ("waist", 0.135), ("pelvis", 0.13))),
    ("skin", (("neck", 0.055), ("head", 0.05))),
    ("hair", (("head", 0.103),)),
    ("skin", (("face", 0.09),)),
    ("sleeve", (("l_shoulder", 0.066), ("l_elbow", 0.05))),
    ("sleeve", (("r_shoulder", 0.066), ("r_elbow", 0.05))),
    ("cuff", (("l_elbow", 0.047), ("l_hand", 0.036))),
    ("cuff", (("r_elbow", 0.047), ("r_hand", 0.036))),
    ("skin", (("l_hand", 0.045),)),
    ("skin", (("r_hand", 0.045),)),
)
_COAT: _Part = ("shirt", (("pelvis", 0.13), ("l_hip", 0.12), ("r_hip", 0.12), ("l_knee", 0.07), ("r_knee", 0.07)))
# Bones that throw a shadow, with their thickness.
_SHADOW = (
    ("pelvis", "neck", 1.5), ("l_hip", "l_knee", 1.0), ("l_knee", "l_ankle", 0.8), ("r_hip", "r_knee", 1.0),
    ("r_knee", "r_ankle", 0.8), ("l_ankle", "l_toe", 0.8), ("r_ankle", "r_toe", 0.8), ("neck", "head", 1.0),
    ("l_shoulder", "l_hand", 0.6), ("r_shoulder", "r_hand", 0.6),
)  # fmt: skip
_DYES = ((0.7, -0.5, -0.5), (-0.5, -0.2, 0.6), (-0.4, 0.3, -0.3), (0.6, 0.4, -0.6), (-0.2, -0.4, 0.2), (0.4, 0.0, -0.4))
_ANGLES = np.linspace(0, 2 * np.pi, 12, endpoint=False)
_CIRCLE = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)
# A limb is drawn three times, each time smaller, brighter and more towards the light, which makes it look round.
_SHADES = (0.62, 0.86, 1.0)
_SHRINK = np.array([1.0, 0.78, 0.45])
_LIGHT = np.array([[0.0, 0.0], [-0.085, -0.14], [-0.18, -0.3]])
_SUB = 4  # fractional bits of the polygon coordinates


class _Pattern:
    """The balls of all parts in one row, so that one figure costs a few array operations."""

    def __init__(self, parts: tuple[_Part, ...]) -> None:
        counts = [len(balls) for _, balls in parts]
        ends = np.cumsum(counts).tolist()
        self.cloths = [cloth for cloth, _ in parts]
        self.joints = np.array([_INDEX[name] for _, balls in parts for name, _ in balls])
        self.radii = np.array([radius for _, balls in parts for _, radius in balls])
        self.clothed = np.array([cloth not in {"skin", "hair", "shoe"} for cloth, balls in parts for _ in balls])
        self.counts = np.array(counts)
        self.bounds = list(zip([0, *ends[:-1]], ends, strict=True))
        self.starts = np.array([first for first, _ in self.bounds])
        self.ahead = np.array([0.02 if cloth == "hair" else 0.0 for cloth in self.cloths])


_HANDS = [index for index, (_, balls) in enumerate(_PARTS) if balls[0][0].endswith("hand")]
_TORSO = next(index for index, (cloth, _) in enumerate(_PARTS) if cloth == "shirt")
_PLAIN, _COATED = _Pattern(_PARTS), _Pattern((*_PARTS, _COAT))


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

    pattern = _COATED if clothes.coat else _PLAIN
    seen = view.project(body.points)[pattern.joints]  # [balls, 3]
    girth = np.where(pattern.clothed, clothes.girth, 1.0)
    reach = pattern.radii * girth * (body.height / 1.75) * view.focal / seen[:, 2]
    centre = seen[:, :2] - corner
    rings = centre + reach[:, None] * _LIGHT[:, None]  # [shades, balls, 2]
    rings = rings[:, :, None] + _CIRCLE * (reach * _SHRINK[:, None])[..., None, None]  # [shades, balls, 12, 2]
    fixed = (rings * (1 << _SUB)).astype(np.int32)
    depth = np.add.reduceat(seen[:, 2], pattern.starts) / pattern.counts - pattern.ahead
    shades = range(len(_SHADES)) if layer.shape[0] > 70 else range(0, len(_SHADES), 2)
    carried_behind = body.burden > 0.02 and depth[_HANDS].mean() > depth[_TORSO]
    if carried_behind:
        _paint_burden(layer, view, body, corner)
    for part in np.argsort(-depth, kind="stable").tolist():
        red, green, blue = clothes.colours[pattern.cloths[part]]
        first, last = pattern.bounds[part]
        for shade in shades:
            hull = cv2.convexHull(fixed[shade, first:last].reshape(-1, 2))
            tone = _SHADES[shade]
            cv2.fillConvexPoly(layer, hull, (red * tone, green * tone, blue * tone, 255), cv2.LINE_AA, _SUB)
    if body.burden > 0.02 and not carried_behind:
        _paint_burden(layer, view, body, corner)


def _paint_burden(layer: Image, view: View, body: Joints, corner: tuple[int, int]) -> None:
    import cv2

    hands, chest = body.points[[_INDEX["l_hand"], _INDEX["r_hand"]]], body.points[_INDEX["chest"]]
    middle = hands.mean(axis=0)
    ahead = (middle - chest) * (1, 1, 0)
    ahead *= body.burden / max(0.05, float(np.linalg.norm(ahead)))
    aside, up = np.array([-ahead[1], ahead[0], 0.0]) * 1.2, np.array([0.0, 0.0, body.burden])
    signs = [(a, b, c) for a in (-0.3, 1.4) for b in (-1, 1) for c in (-0.7, 1)]
    corners = middle + np.array(signs) @ np.stack([ahead, aside, up])
    flat = ((view.project(corners)[:, :2] - corner) * (1 << _SUB)).astype(np.int32)
    cv2.fillConvexPoly(layer, cv2.convexHull(flat), (118, 88, 58, 255), cv2.LINE_AA, _SUB)
    cv2.fillConvexPoly(layer, cv2.convexHull(np.ascontiguousarray(flat[1::2])), (168, 130, 92, 255), cv2.LINE_AA, _SUB)


def cast_shadow(view: View, body: Joints, lamp: Floats, step: int) -> tuple[tuple[int, int, int, int], Image]:
    """The soft shadow on the floor under ``lamp`` [3]: where (x0, y0, x1, y1 in pixels) and how dark.

    The darkness is uint8 [h, w], 1/``step`` as large as its place; it is empty outside the picture.
    """
    import cv2

    points = body.points.copy()
    rise = np.clip(points[:, 2:], 0, lamp[2] - 0.5)
    points += np.clip((points - lamp) * (rise / (lamp[2] - rise)), -0.3, 0.3)
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
        cv2.line(dark, start, end, 105, max(1, int(thick[a] * weight)), cv2.LINE_8, _SUB)
    return (x0, y0, x1, y1), np.asarray(cv2.GaussianBlur(dark, (0, 0), max(0.8, float(thick[0]) * 0.4)))


def _colour(values: Floats) -> Colour:
    red, green, blue = np.clip(values, 6, 245).astype(int).tolist()
    return (red, green, blue)
