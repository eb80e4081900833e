"""Furniture: boxes built of boxes, painted once, each with a mask so that it can stand before people."""

import math
from dataclasses import dataclass

import numpy as np

from streamwatch.video.frame import Image
from streamwatch.video.theatre.surface import front, muted
from streamwatch.video.theatre.view import Floats, Plane, View, paint_plane

__all__ = ["FURNITURE", "Piece", "Site", "furnish", "hides", "paint_piece"]

Rng = np.random.Generator


@dataclass(frozen=True)
class Site:
    """The floor of a place: from ``low`` to ``high`` (metres, [2]) in axes ``turned`` by so many radians."""

    low: Floats
    high: Floats
    turned: float

    @property
    def across(self) -> Floats:
        """Unit vector along the far wall, [3]."""
        return np.array([math.cos(self.turned), math.sin(self.turned), 0.0])

    @property
    def away(self) -> Floats:
        """Unit vector towards the far wall, [3]."""
        return np.array([-math.sin(self.turned), math.cos(self.turned), 0.0])

    @property
    def size(self) -> tuple[float, float]:
        """Width and depth in metres."""
        return (float(self.high[0] - self.low[0]), float(self.high[1] - self.low[1]))

    def at(self, u: float, v: float) -> Floats:
        """The world point at (u, v) of the site's axes, on the floor, [3]."""
        return np.asarray(u * self.across + v * self.away)


@dataclass(frozen=True)
class Piece:
    """A box on the floor: centre, size (width, depth, height) in metres and heading, of a kind in FURNITURE."""

    kind: str
    x: float
    y: float
    heading: float = 0.0

    @property
    def size(self) -> tuple[float, float, float]:
        """Width, depth and height in metres."""
        return FURNITURE[self.kind][0]


# Kind → size in metres, look of its faces, boxes it consists of (x, y, z from; x, y, z to; as shares of the size).
_TOP = 1.15  # brightness of a face that looks up
_Boxes = tuple[tuple[float, float, float, float, float, float], ...]
_WHOLE: _Boxes = ((0, 0, 0, 1, 1, 1),)
FURNITURE: dict[str, tuple[tuple[float, float, float], str, _Boxes]] = {
    "sofa": ((1.9, 0.85, 0.85), "cushions",
             ((0, 0.72, 0, 1, 1, 1), (0, 0, 0, 0.1, 0.72, 0.7), (0.9, 0, 0, 1, 0.72, 0.7),
              (0.1, 0, 0, 0.9, 0.72, 0.5))),
    "chair": ((0.46, 0.48, 0.88), "plain",
              ((0.05, 0.85, 0, 0.12, 0.95, 0.5), (0.88, 0.85, 0, 0.95, 0.95, 0.5), (0, 0.9, 0.5, 1, 1, 1),
               (0, 0, 0.45, 1, 0.95, 0.52), (0.05, 0.02, 0, 0.12, 0.1, 0.46), (0.88, 0.02, 0, 0.95, 0.1, 0.46))),
    "table": ((1.3, 0.75, 0.74), "plain",
              ((0.02, 0.9, 0, 0.07, 0.98, 0.95), (0.93, 0.9, 0, 0.98, 0.98, 0.95), (0.02, 0.02, 0, 0.07, 0.1, 0.95),
               (0.93, 0.02, 0, 0.98, 0.1, 0.95), (0, 0, 0.94, 1, 1, 1))),
    "desk": ((1.5, 0.7, 0.75), "drawers", ((0, 0, 0, 0.3, 1, 0.95), (0.95, 0, 0, 1, 1, 0.95), (0, 0, 0.95, 1, 1, 1))),
    "shelf": ((1.6, 0.4, 1.85), "goods", _WHOLE),
    "low_shelf": ((1.4, 0.45, 1.2), "goods", _WHOLE),
    "cabinet": ((0.9, 0.5, 1.05), "drawers", _WHOLE),
    "counter": ((2.2, 0.65, 1.02), "plain", _WHOLE),
    "box": ((0.5, 0.42, 0.4), "plain", _WHOLE),
    "bin": ((0.5, 0.5, 0.95), "plain", _WHOLE),
    "bed": ((2.0, 0.95, 0.5), "cushions", _WHOLE),
    "car": ((4.1, 1.75, 1.4), "plain", ((0, 0, 0.12, 1, 1, 0.6), (0.22, 0.08, 0.6, 0.82, 0.92, 1))),
}  # fmt: skip


def hides(piece: Piece, view: View, x: float, y: float) -> bool:
    """Whether ``piece`` stands between the camera and a person at (x, y)."""
    c, s = math.cos(piece.heading), math.sin(piece.heading)
    inside = True
    for own, axis in ((piece.size[0] / 2, (c, s)), (piece.size[1] / 2, (-s, c))):
        eye = (view.position[0] - piece.x) * axis[0] + (view.position[1] - piece.y) * axis[1]
        man = (x - piece.x) * axis[0] + (y - piece.y) * axis[1]
        if abs(eye) > own and man * math.copysign(1, eye) > own - 0.1:
            return False
        inside = inside and abs(man) < own
    return not inside  # whoever is inside sits or lies on it


def furnish(rng: Rng, view: View, kinds: tuple[str, ...], site: Site, trod: Floats) -> tuple[Piece, ...]:
    """Some of ``kinds``, most along the far wall, none where people tread (``trod`` [N, 2]) or would be hidden."""
    pieces: list[Piece] = []
    for _ in range(int(rng.integers(4, 12))):
        kind = str(rng.choice(kinds))
        width, depth, _ = FURNITURE[kind][0]
        u = float(rng.uniform(site.low[0] + width / 2, max(site.low[0] + width / 2 + 0.01, site.high[0] - width / 2)))
        along = rng.random() < 0.6
        v = site.high[1] - depth / 2 - 0.03 if along else float(rng.uniform(site.low[1], site.high[1] - depth / 2))
        x, y, _ = site.at(u, v).tolist()
        piece = Piece(kind, x, y, site.turned)
        reach = math.hypot(width, depth) / 2
        clear = np.hypot(trod[:, 0] - x, trod[:, 1] - y).min() > reach + 0.3
        apart = all(math.hypot(p.x - x, p.y - y) > (reach + math.hypot(*p.size[:2]) / 2) * 0.85 for p in pieces)
        if clear and apart and not _in_the_way(piece, view):
            pieces.append(piece)
    return tuple(pieces)


def _in_the_way(piece: Piece, view: View) -> bool:
    """Whether so much of the piece stands before the people that the scene could not be followed."""
    eye = np.array([piece.x, piece.y]) - view.position[:2]
    if math.hypot(*eye) < 1.5:
        return True
    share = piece.size[2] * view.focal / math.hypot(*eye) / view.size[1]
    before = eye[1] < view.distance - 0.2 and abs(piece.x) < view.half_width() * 0.8
    return bool(before and (share > 0.25 or (piece.size[2] > 0.5 and abs(piece.x) < view.half_width() * 0.45)))


def paint_piece(rng: Rng, picture: Image, mask: Image, view: View, piece: Piece) -> None:
    """Draw ``piece`` into ``picture``, and 255 into ``mask`` where it is."""
    size, look, boxes = FURNITURE[piece.kind]
    wooden = np.array([150, 105, 65]) * rng.uniform(0.35, 1.4)
    colour = np.clip(wooden if rng.random() < 0.45 else muted(rng, 30, 190, 0.15), 12, 235)
    c, s = math.cos(piece.heading), math.sin(piece.heading)
    across, away, up = np.array([c, s, 0.0]), np.array([-s, c, 0.0]), np.array([0.0, 0.0, 1.0])
    eye = view.position - (piece.x, piece.y, 0.0)
    for x0, y0, z0, x1, y1, z1 in boxes:
        low = np.array([x0 - 0.5, y0 - 0.5, z0]) * size
        wide, deep, high = np.array([x1 - x0, y1 - y0, z1 - z0]) * size
        corner = np.array([piece.x, piece.y, 0.0]) + low[0] * across + low[1] * away + low[2] * up
        w, d, h = wide * across, deep * away, high * up
        here = (eye @ across - low[0], eye @ away - low[1], eye[2] - low[2])
        faces = (
            (here[1] < 0, corner + h, w, -h, (wide, high), 0.95),
            (here[1] > deep, corner + w + d + h, -w, -h, (wide, high), 0.7),
            (here[0] < 0, corner + d + h, -d, -h, (deep, high), 0.7),
            (here[0] > wide, corner + w + h, d, -h, (deep, high), 0.8),
            (here[2] > high, corner + d + h, w, -d, (wide, deep), _TOP),
        )
        for visible, origin, u, v, metres, shade in faces:
            if visible:
                kind = look if shade != _TOP else "plain"
                paint_plane(picture, view, Plane(origin, u, v, front(rng, kind, metres, colour), shade), mask)
