"""The place of a scene: floor, walls, ceiling or sky, furniture; painted once, with a mask for each piece."""

import math
from dataclasses import dataclass

import numpy as np

from streamwatch.video.frame import Image
from streamwatch.video.theatre.surface import FLOORS, PIXELS_PER_METRE, cloud, floor, front, muted, plain, wall
from streamwatch.video.theatre.view import Floats, Plane, View, paint_plane

__all__ = ["FURNITURE", "Piece", "Room", "build_room", "hides"]

Rng = np.random.Generator


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


# Kind → size in metres, look of its faces, tone range, boxes it consists of (x, y, z from; x, y, z to; as shares).
_Boxes = tuple[tuple[float, float, float, float, float, float], ...]
_WHOLE: _Boxes = ((0, 0, 0, 1, 1, 1),)
FURNITURE: dict[str, tuple[tuple[float, float, float], str, _Boxes]] = {
    "sofa": ((1.9, 0.85, 0.85), "cushions",
             ((0, 0.72, 0, 1, 1, 1), (0, 0, 0, 0.1, 0.72, 0.7), (0.9, 0, 0, 1, 0.72, 0.7), (0.1, 0, 0, 0.9, 0.72, 0.5))),
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

PLACES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    # name → kinds of floor, kinds of furniture
    "home": (("planks", "tiles", "carpet"), ("sofa", "table", "chair", "cabinet", "shelf", "bed")),
    "office": (("carpet", "linoleum", "planks"), ("desk", "chair", "cabinet", "shelf", "table")),
    "shop": (("tiles", "linoleum", "concrete"), ("shelf", "low_shelf", "counter", "box", "low_shelf")),
    "corridor": (("linoleum", "tiles"), ("chair", "cabinet", "bin")),
    "ward": (("linoleum",), ("bed", "chair", "cabinet", "table")),
    "store": (("concrete",), ("box", "shelf", "box", "counter", "bin")),
    "yard": (("concrete",), ("car", "bin", "box")),
}


@dataclass(frozen=True)
class Room:
    """A painted place: ``picture`` uint8 [H, W, 3] RGB, and each piece with its uint8 [H, W] mask."""

    picture: Image
    pieces: tuple[tuple[Piece, Image], ...]
    lamp: Floats
    outdoors: bool


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


def build_room(rng: Rng, view: View, place: str, trod: Floats, wanted: tuple[Piece, ...]) -> Room:
    """Paint a place for ``view``; furniture keeps off the ground that people tread (``trod`` [N, 2])."""
    floors, kinds = PLACES[place]
    turned = float(rng.uniform(-0.6, 0.6)) if place != "corridor" else float(rng.uniform(-0.12, 0.12))
    across, away = np.array([math.cos(turned), math.sin(turned)]), np.array([-math.sin(turned), math.cos(turned)])
    ground = np.concatenate([trod, [[0.0, -view.distance]], [[p.x, p.y] for p in wanted] or np.zeros((1, 2))])
    margin = 0.5 if place != "corridor" else 0.3
    low = np.array([(ground @ across).min(), (ground @ away).min()]) - margin - rng.uniform(0.1, 1.5, 2)
    high = np.array([(ground @ across).max(), (ground @ away).max()]) + margin + rng.uniform(0.2, 2.5, 2)
    if place == "yard":
        low, high = low - 4, high + (5, 3)
    outdoors = place == "yard"
    tall = float(rng.uniform(2.4, 3.2)) if not outdoors else float(rng.uniform(2.2, 6.0))
    tall = max(tall, view.height + 0.2) if not outdoors else tall
    pieces = (*wanted, *_furnish(rng, kinds, (low, high), (across, away, turned), ground, view))
    scale = 2 if view.size[0] <= 800 else 1
    large = view.scaled(scale)
    picture = _backdrop(rng, large, outdoors)
    floor_kind = str(rng.choice(floors))
    assert floor_kind in FLOORS
    for plane in _shell(rng, (low, high), (across, away), tall, floor_kind, pieces, outdoors):
        paint_plane(picture, large, plane)
    masked = _place_pieces(rng, picture, large, view, pieces)
    lamp = np.array([*rng.uniform(-1.2, 1.2, 2), tall if not outdoors else 9.0])
    return Room(_lit(rng, _shrunk(picture, view.size), view), tuple(masked), lamp, outdoors)


def _furnish(
    rng: Rng,
    kinds: tuple[str, ...],
    bounds: tuple[Floats, Floats],
    axes: tuple[Floats, Floats, float],
    ground: Floats,
    view: View,
) -> list[Piece]:
    (low, high), (across, away, turned) = bounds, axes
    pieces: list[Piece] = []
    for _ in range(int(rng.integers(4, 12))):
        kind = str(rng.choice(kinds))
        width, depth, _ = FURNITURE[kind][0]
        u = float(rng.uniform(low[0] + width / 2, max(low[0] + width / 2 + 0.01, high[0] - width / 2)))
        v = high[1] - depth / 2 - 0.03 if rng.random() < 0.6 else float(rng.uniform(low[1], high[1] - depth / 2))
        x, y = u * across + v * away
        reach = math.hypot(width, depth) / 2
        clear = np.hypot(ground[:, 0] - x, ground[:, 1] - y).min() > reach + 0.3
        apart = all(math.hypot(p.x - x, p.y - y) > (reach + math.hypot(*p.size[:2]) / 2) * 0.85 for p in pieces)
        piece = Piece(kind, float(x), float(y), turned)
        if clear and apart and not _in_the_way(piece, view, ground):
            pieces.append(piece)
    return pieces


def _in_the_way(piece: Piece, view: View, ground: Floats) -> bool:
    """Whether so much of the piece stands before the people that the scene could not be followed."""
    eye = np.array([piece.x, piece.y]) - view.position[:2]
    if math.hypot(*eye) < 1.5:
        return True
    share = piece.size[2] * view.focal / math.hypot(*eye) / view.size[1]
    return eye[1] < view.distance and abs(eye[0]) < view.half_width() * 0.8 and share > 0.25


def _shell(
    rng: Rng,
    bounds: tuple[Floats, Floats],
    axes: tuple[Floats, Floats],
    tall: float,
    floor_kind: str,
    pieces: tuple[Piece, ...],
    outdoors: bool,
) -> list[Plane]:
    (low, high), (across, away) = bounds, axes
    wide, deep = high - low
    corner = np.append(low[0] * across + low[1] * away, 0.0)
    right, far, up = np.append(across * wide, 0.0), np.append(away * deep, 0.0), np.array([0.0, 0.0, tall])
    ground = floor(rng, floor_kind, (wide, deep), 0.12 if outdoors else 0.2)
    _shade_floor(ground, pieces, low, across, away)
    kind = str(rng.choice(["painted", "panels", "bricks"], p=[0.75, 0.2, 0.05] if not outdoors else [0.3, 0.2, 0.5]))
    busy, seed = float(rng.uniform(0.2, 0.8)), int(rng.integers(1 << 31))

    def side(width: float, number: int) -> Image:
        return wall(np.random.default_rng((seed, number)), kind, (width, tall), busy)

    planes = [Plane(corner, right, far, ground)]
    planes.append(Plane(corner + far + up, right, -up, side(wide, 0), 0.95))
    if not outdoors or rng.random() < 0.4:
        planes.append(Plane(corner + up, far, -up, side(deep, 1), float(rng.uniform(0.65, 1.05))))
        planes.append(Plane(corner + right + far + up, -far, -up, side(deep, 2), float(rng.uniform(0.65, 1.05))))
    if not outdoors:
        white = plain(rng, (wide, deep), np.full(3, rng.uniform(160, 225)), 3)
        _lamps(rng, white)
        planes.append(Plane(corner + up, right, far, white, 0.85))
    return planes


def _shade_floor(ground: Image, pieces: tuple[Piece, ...], low: Floats, across: Floats, away: Floats) -> None:
    import cv2

    dark = np.zeros(ground.shape[:2], np.uint8)
    unit = PIXELS_PER_METRE
    for piece in pieces:
        u, v = piece.x * across[0] + piece.y * across[1] - low[0], piece.x * away[0] + piece.y * away[1] - low[1]
        turned = math.degrees(piece.heading - math.atan2(across[1], across[0]))
        shape = ((u * unit, v * unit), ((piece.size[0] + 0.15) * unit, (piece.size[1] + 0.2) * unit), turned)
        cv2.fillConvexPoly(dark, cv2.boxPoints(shape).astype(np.int32), 150)
    edge = np.minimum.outer(_to_edge(ground.shape[0]), _to_edge(ground.shape[1]))
    factor = (1 - cv2.GaussianBlur(dark, (0, 0), 9) / 255.0) * (1 - 0.35 * np.exp(-edge / 25.0))
    ground[:] = (ground * factor[..., None]).astype(np.uint8)


def _to_edge(length: int) -> Floats:
    return np.minimum(np.arange(length), np.arange(length)[::-1]).astype(float)


def _lamps(rng: Rng, ceiling: Image) -> None:
    import cv2

    wide = int(rng.choice([0.2, 0.6]) * PIXELS_PER_METRE)
    for row in range(50, ceiling.shape[0], int(rng.uniform(110, 190))):
        for col in range(60, ceiling.shape[1], int(rng.uniform(130, 220))):
            cv2.rectangle(ceiling, (col, row), (col + int(1.2 * PIXELS_PER_METRE), row + wide), (255, 255, 250), -1)


def _place_pieces(
    rng: Rng, picture: Image, large: View, view: View, pieces: tuple[Piece, ...]
) -> list[tuple[Piece, Image]]:
    order = sorted(pieces, key=lambda p: -math.hypot(p.x - view.position[0], p.y - view.position[1]))
    masked: list[tuple[Piece, Image]] = []
    for piece in order:
        mask = np.zeros(picture.shape[:2], np.uint8)
        _paint_piece(rng, picture, mask, large, piece)
        masked.append((piece, _shrunk(mask, view.size)))
        for _, other in masked[:-1]:  # a nearer piece covers the farther ones
            other[masked[-1][1] > 127] = 0
    return masked


def _paint_piece(rng: Rng, picture: Image, mask: Image, view: View, piece: Piece) -> None:
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
        faces = [(here[1] < 0, corner + h, w, -h, (wide, high), 0.95), (here[1] > deep, corner + w + d + h, -w, -h, (wide, high), 0.7),
                 (here[0] < 0, corner + d + h, -d, -h, (deep, high), 0.7), (here[0] > wide, corner + w + h, d, -h, (deep, high), 0.8),
                 (here[2] > high, corner + d + h, w, -d, (wide, deep), 1.15)]  # fmt: skip
        for visible, origin, u, v, metres, shade in faces:
            if visible:
                kind = look if shade != 1.15 else "plain"
                paint_plane(picture, view, Plane(origin, u, v, front(rng, kind, metres, colour), shade), mask)


def _backdrop(rng: Rng, view: View, outdoors: bool) -> Image:
    width, height = view.size
    if not outdoors:
        return np.full((height, width, 3), 60, np.uint8)
    sky = np.linspace(1.0, 0.75, height)[:, None, None] * np.array([185, 200, 220]) * rng.uniform(0.7, 1.15)
    clouds = cloud(rng, height, width, max(8, width // 8))[..., None] * 8
    return np.clip(np.broadcast_to(sky, (height, width, 3)) + clouds, 0, 255).astype(np.uint8)


def _lit(rng: Rng, picture: Image, view: View) -> Image:
    width, height = view.size
    x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    spot = rng.uniform(-0.7, 0.7, 2)
    pool = np.exp(-((x - spot[0]) ** 2 + (y - spot[1]) ** 2) / rng.uniform(0.5, 2.0))
    light = rng.uniform(0.55, 0.95) + rng.uniform(0.1, 0.45) * pool + 0.1 * (x * rng.normal() + y * rng.normal() * 0.5)
    return np.clip(picture * np.clip(light, 0.2, 1.4)[..., None], 0, 255).astype(np.uint8)


def _shrunk(picture: Image, size: tuple[int, int]) -> Image:
    import cv2

    if (picture.shape[1], picture.shape[0]) == size:
        return picture
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
