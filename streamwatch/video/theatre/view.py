"""A pinhole camera that looks at the world's origin, and textured planes seen through it.

World coordinates are metres: x to the right, y away from the camera, z up; the action happens around the origin.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from streamwatch.video.frame import Image

__all__ = ["Floats", "Plane", "View", "paint_plane"]

Floats = NDArray[np.float64]

NEAR = 0.15  # metres; nothing nearer is drawn


@dataclass(frozen=True)
class View:
    """Where the camera hangs: ``height`` and ``distance`` in metres from the origin, angles in radians.

    ``pan`` and ``tilt`` move the origin away from the picture's centre; ``hfov`` is the horizontal field of view.
    """

    size: tuple[int, int]
    height: float
    distance: float
    hfov: float
    pan: float = 0.0
    tilt: float = 0.0
    roll: float = 0.0

    @property
    def focal(self) -> float:
        """Focal length in pixels."""
        return self.size[0] / 2 / math.tan(self.hfov / 2)

    @cached_property
    def position(self) -> Floats:
        """The camera's place, [3]."""
        return np.array([0.0, -self.distance, self.height])

    @cached_property
    def matrix(self) -> Floats:
        """World (minus position) to homogeneous pixels, [3, 3]; the last row gives the depth in metres."""
        down = math.atan2(self.height - 0.9, self.distance) + self.tilt
        cp, sp, cy, sy, cr, sr = (f(a) for a in (down, self.pan, self.roll) for f in (math.cos, math.sin))
        ahead = np.array([cp * sy, cp * cy, -sp])
        right = np.array([cy, -sy, 0.0])
        below = np.cross(ahead, right)
        turned = np.stack([cr * right + sr * below, cr * below - sr * right, ahead])
        width, height = self.size
        intrinsic = np.array([[self.focal, 0, width / 2], [0, self.focal, height / 2], [0, 0, 1.0]])
        return np.asarray(intrinsic @ turned)

    def project(self, points: Floats) -> Floats:
        """World points [N, 3] to (x, y, depth) in pixels and metres, [N, 3]; depths are clipped to NEAR."""
        seen = (points - self.position) @ self.matrix.T
        depth = np.maximum(seen[:, 2:], NEAR)
        return np.concatenate([seen[:, :2] / depth, depth], axis=1)

    def half_width(self) -> float:
        """How far the picture reaches to either side at the origin, in metres."""
        return math.hypot(self.distance, self.height - 0.9) * math.tan(self.hfov / 2)

    def scaled(self, factor: int) -> "View":
        """The same view with ``factor`` times as many pixels each way."""
        size = (self.size[0] * factor, self.size[1] * factor)
        return View(size, self.height, self.distance, self.hfov, self.pan, self.tilt, self.roll)


@dataclass(frozen=True)
class Plane:
    """A textured rectangle: ``origin`` plus u along ``across`` and v along ``down`` (both in metres, [3]).

    The texture is stretched over the rectangle; ``shade`` multiplies its brightness.
    """

    origin: Floats
    across: Floats
    down: Floats
    texture: Image
    shade: float = 1.0

    def corners(self) -> Floats:
        """The four corners, [4, 3]."""
        steps = ((0, 0), (1, 0), (1, 1), (0, 1))
        return np.array([self.origin + u * self.across + v * self.down for u, v in steps])


def paint_plane(picture: Image, view: View, plane: Plane, mask: Image | None = None) -> None:
    """Draw ``plane`` into ``picture`` in place, and 255 into ``mask`` where it was drawn."""
    import cv2

    width, height = view.size
    columns = np.stack([plane.across, plane.down, plane.origin - view.position], axis=1)
    forward = view.matrix @ columns
    if abs(np.linalg.det(forward)) < 1e-9:
        return
    x0, y0, x1, y1 = _extent(view, plane, width, height)
    if x1 <= x0 or y1 <= y0:
        return
    inverse = np.linalg.inv(forward).astype(np.float32)
    xs = np.arange(x0, x1, dtype=np.float32) + 0.5
    ys = np.arange(y0, y1, dtype=np.float32)[:, None] + 0.5
    u, v, w = (row[0] * xs + row[1] * ys + row[2] for row in inverse)
    rows, cols = plane.texture.shape[:2]
    with np.errstate(divide="ignore", invalid="ignore"):
        u /= w
        v /= w
        inside = (w > 0) & (w < 1 / NEAR) & (u >= 0) & (u <= 1) & (v >= 0) & (v <= 1)
    u[~inside] = 0
    v[~inside] = 0
    drawn = cv2.remap(plane.texture, u * (cols - 1), v * (rows - 1), cv2.INTER_LINEAR)
    if plane.shade != 1.0:
        drawn = cv2.convertScaleAbs(drawn, alpha=plane.shade)
    hit = inside.astype(np.uint8)
    cv2.copyTo(drawn, hit, picture[y0:y1, x0:x1])
    if mask is not None:
        mask[y0:y1, x0:x1] |= hit * 255


def _extent(view: View, plane: Plane, width: int, height: int) -> tuple[int, int, int, int]:
    seen = (plane.corners() - view.position) @ view.matrix.T
    if (seen[:, 2] < NEAR).all():
        return (0, 0, 0, 0)
    if (seen[:, 2] < NEAR).any():
        return (0, 0, width, height)
    flat = seen[:, :2] / seen[:, 2:]
    low = np.floor(flat.min(axis=0)).astype(int) - 1
    high = np.ceil(flat.max(axis=0)).astype(int) + 2
    return (max(0, low[0]), max(0, low[1]), min(width, high[0]), min(height, high[1]))
