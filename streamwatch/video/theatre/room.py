"""The place of a scene: floor, walls, ceiling or sky and furniture, painted once."""

import math
from dataclasses import dataclass

import numpy as np

from streamwatch.video.frame import Image
from streamwatch.video.theatre.door import Door, hang_door, paint_door
from streamwatch.video.theatre.furniture import Piece, Site, furnish, paint_piece
from streamwatch.video.theatre.surface import PIXELS_PER_METRE, cloud, floor, plain, wall
from streamwatch.video.theatre.view import Floats, Plane, View, paint_plane

__all__ = ["PLACES", "Room", "build_room"]

Rng = np.random.Generator

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
    door: Door


def build_room(rng: Rng, view: View, place: str, trod: Floats, wanted: tuple[Piece, ...]) -> Room:
    """Paint a place of PLACES for ``view``; furniture keeps off the ground that people tread (``trod`` [N, 2])."""
    floors, kinds = PLACES[place]
    outdoors = place == "yard"
    ground = np.concatenate([trod, [[0.0, -view.distance]], np.array([[p.x, p.y] for p in wanted]).reshape(-1, 2)])
    site = _survey(rng, place, ground)
    tall = float(rng.uniform(2.2, 6.0)) if outdoors else max(float(rng.uniform(2.4, 3.2)), view.height + 0.2)
    pieces = (*wanted, *furnish(rng, view, kinds, site, ground))
    large = view.scaled(2 if view.size[0] <= 800 else 1)
    sky, walls, things = rng.spawn(3)
    picture = _backdrop(sky, large, outdoors)
    for plane in _shell(walls, site, tall, str(rng.choice(floors)), outdoors):
        if plane.origin[2] == 0.0:
            _shade_floor(plane.texture, pieces, site)
        paint_plane(picture, large, plane)
    door = hang_door(rng, view, site.at(site.low[0], site.high[1]), site.across, site.size[0])
    paint_door(picture, large, door, 0.0)
    masked = _place_pieces(things, picture, large, view, pieces)
    lamp = np.array([*rng.uniform(-1.2, 1.2, 2), 9.0 if outdoors else tall])
    return Room(_lit(rng, _shrunk(picture, view.size), view), masked, lamp, door)


def _survey(rng: Rng, place: str, ground: Floats) -> Site:
    narrow = place == "corridor"
    turned = float(rng.uniform(-0.12, 0.12) if narrow else rng.uniform(-0.6, 0.6))
    axes = Site(np.zeros(2), np.ones(2), turned)
    own = np.stack([ground @ axes.across[:2], ground @ axes.away[:2]], axis=1)
    margin = 0.3 if narrow else 0.5
    low = own.min(axis=0) - margin - rng.uniform(0.1, 1.5, 2)
    high = own.max(axis=0) + margin + rng.uniform(0.2, 2.5, 2)
    if place == "yard":
        low, high = low - 4, high + np.array([5.0, 3.0])
    return Site(low, high, turned)


def _shell(rng: Rng, site: Site, tall: float, floor_kind: str, outdoors: bool) -> list[Plane]:
    (wide, deep), corner = site.size, site.at(*site.low.tolist())
    right, far, up = site.across * wide, site.away * deep, np.array([0.0, 0.0, tall])
    shares = [0.3, 0.2, 0.5] if outdoors else [0.75, 0.2, 0.05]
    kind = str(rng.choice(["painted", "panels", "bricks"], p=shares))
    busy, seed = float(rng.uniform(0.2, 0.8)), int(rng.integers(1 << 31))

    def side(width: float, number: int) -> Image:
        return wall(np.random.default_rng((seed, number % 2)), kind, (width, tall), busy)

    planes = [Plane(corner, right, far, floor(rng, floor_kind, (wide, deep), 0.12 if outdoors else 0.2))]
    planes.append(Plane(corner + far + up, right, -up, side(wide, 0), 0.95))
    if not outdoors or rng.random() < 0.4:
        planes.append(Plane(corner + up, far, -up, side(deep, 1), float(rng.uniform(0.65, 1.05))))
        planes.append(Plane(corner + right + far + up, -far, -up, side(deep, 2), float(rng.uniform(0.65, 1.05))))
    if not outdoors:
        white = plain(rng, (wide, deep), np.full(3, rng.uniform(160, 225)), 3)
        _lamps(rng, white)
        planes.append(Plane(corner + up, right, far, white, 0.85))
    return planes


def _shade_floor(ground: Image, pieces: tuple[Piece, ...], site: Site) -> None:
    import cv2

    dark = np.zeros(ground.shape[:2], np.uint8)
    unit = PIXELS_PER_METRE
    for piece in pieces:
        spot = np.array([piece.x, piece.y, 0.0])
        u, v = float(spot @ site.across - site.low[0]), float(spot @ site.away - site.low[1])
        turned = math.degrees(piece.heading - site.turned)
        size = ((piece.size[0] + 0.15) * unit, (piece.size[1] + 0.2) * unit)
        corners = cv2.boxPoints(((u * unit, v * unit), size, turned))
        cv2.fillConvexPoly(dark, corners.astype(np.int32), 150)
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
) -> tuple[tuple[Piece, Image], ...]:
    order = sorted(pieces, key=lambda p: -math.hypot(p.x - view.position[0], p.y - view.position[1]))
    masked: list[tuple[Piece, Image]] = []
    for piece in order:
        mask = np.zeros(picture.shape[:2], np.uint8)
        paint_piece(rng, picture, mask, large, piece)
        masked.append((piece, _shrunk(mask, view.size)))
    return tuple(masked)


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
    shone = picture * np.clip(light, 0.2, 1.4)[..., None]
    return np.asarray(np.clip(shone, 0, 255).astype(np.uint8))


def _shrunk(picture: Image, size: tuple[int, int]) -> Image:
    import cv2

    if (picture.shape[1], picture.shape[0]) == size:
        return picture
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
