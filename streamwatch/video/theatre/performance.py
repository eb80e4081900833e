"""One performance of a plot: the room, the camera and the people, drawn at any time asked for."""

import math
import zlib
from dataclasses import dataclass, replace

import numpy as np

from streamwatch.video.frame import Image
from streamwatch.video.theatre.door import openness, paint_door
from streamwatch.video.theatre.figure import Clothes, cast_shadow, dress, extent, paint_figure
from streamwatch.video.theatre.film import Film, load_film
from streamwatch.video.theatre.furniture import hides
from streamwatch.video.theatre.motion import Actor
from streamwatch.video.theatre.play import Happening, Play, Stage
from streamwatch.video.theatre.plots import PLOTS
from streamwatch.video.theatre.room import PLACES, Room, build_room
from streamwatch.video.theatre.skeleton import Joints, joints
from streamwatch.video.theatre.view import Floats, View

__all__ = ["Box", "Performance", "perform"]

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in 0–1 of the picture."""

_EXPOSURE_S = 1 / 45  # how long the shutter is open: fast limbs smear


@dataclass(frozen=True)
class Performance:
    """Everything that does not change with time; one entry of ``clothes`` for each actor of ``play``."""

    view: View
    room: Room
    film: Film
    play: Play
    clothes: tuple[Clothes, ...]
    night: bool

    def picture(self, t: float) -> Image:
        """The picture at ``t`` seconds, uint8 [H, W, 3] RGB."""
        frame = self.room.picture.copy()
        self._swing(frame, t)
        bodies = []
        for actor, clothes in zip(self.play.actors, self.clothes, strict=True):
            vector = actor.pose(t)
            if vector is not None:
                bodies.append((joints(vector, clothes.height), actor, clothes))
        bodies.sort(key=lambda b: -float(np.hypot(*(b[0].points[0, :2] - self.view.position[:2]))))
        for body, _, _ in bodies:
            self._shade(frame, body)
        for body, actor, clothes in bodies:
            self._draw(frame, body, actor, clothes, t)
        level, infrared = self._light(t)
        return self.film.develop(frame, t, level, infrared)

    def box(self, happening: Happening) -> Box:
        """The part of the picture in which ``happening`` takes place."""
        boxes = []
        for t in np.linspace(happening.start, happening.end - 1e-3, 12).tolist():
            for number in happening.actors:
                vector = self.play.actors[number].pose(t)
                if vector is not None:
                    boxes.append(extent(self.view, joints(vector, self.clothes[number].height), 0.1))
        spans = np.array(boxes, dtype=float) / (*self.view.size, *self.view.size)
        (x0, y0), (x1, y1) = spans[:, :2].min(axis=0).tolist(), spans[:, 2:].max(axis=0).tolist()
        return (x0, y0, x1, y1)

    def _swing(self, frame: Image, t: float) -> None:
        share = openness(self.play.door, t)
        if share > 0:
            covered = frame.copy()
            paint_door(frame, self.view, self.room.door, share)
            for _, mask in self.room.pieces:
                np.copyto(frame, covered, where=(mask > 127)[..., None])

    def _shade(self, frame: Image, body: Joints) -> None:
        import cv2

        step = 2 if self.view.size[0] <= 400 else 4
        (x0, y0, x1, y1), dark = cast_shadow(self.view, body, self.room.lamp, step)
        if dark.size == 0:
            return
        keep = cv2.resize(255 - dark, (x1 - x0, y1 - y0))
        region = frame[y0:y1, x0:x1]
        cv2.multiply(region, cv2.cvtColor(keep, cv2.COLOR_GRAY2RGB), region, 1 / 255)

    def _draw(self, frame: Image, body: Joints, actor: Actor, clothes: Clothes, t: float) -> None:
        import cv2

        x0, y0, x1, y1 = extent(self.view, body)
        if x1 - x0 < 2 or y1 - y0 < 2:
            return
        layer = np.zeros((y1 - y0, x1 - x0, 4), np.uint8)
        paint_figure(layer, self.view, body, clothes, (x0, y0))
        before = actor.pose(t - _EXPOSURE_S)
        if before is not None:
            earlier = joints(before, clothes.height)
            moved = np.abs(self.view.project(body.points)[:, :2] - self.view.project(earlier.points)[:, :2]).max()
            if moved > 2.5:
                ghost = np.zeros_like(layer)
                paint_figure(ghost, self.view, earlier, clothes, (x0, y0))
                layer = cv2.addWeighted(layer, 0.5, ghost, 0.5, 0)
        layer = cv2.GaussianBlur(layer, (0, 0), max(0.5, 0.012 * (y1 - y0) * 0.4))
        x, y = body.points[0, :2].tolist()
        for piece, mask in self.room.pieces:
            if hides(piece, self.view, x, y):
                layer[mask[y0:y1, x0:x1] > 127] = 0
        region = frame[y0:y1, x0:x1]
        keep = cv2.cvtColor(255 - layer[..., 3], cv2.COLOR_GRAY2RGB)
        cv2.multiply(region, keep, region, 1 / 255)
        cv2.add(region, layer[..., :3], region)

    def _light(self, t: float) -> tuple[float, bool]:
        state = "on"
        for when, what in self.play.lights:
            if t >= when:
                state = what
        if state == "off":
            return 0.22, False
        return (0.85, True) if state == "ir" or self.night else (1.0, False)


def perform(plot: str, seed: int, size: tuple[int, int], duration: float) -> Performance:
    """Cast and build everything for ``plot`` (of PLOTS); the same arguments give the same performance.

    The size changes the pixels only, not what happens.
    """
    chance = np.random.default_rng((seed, zlib.crc32(plot.encode())))
    hanging, casting, building, dressing, filming = chance.spawn(5)
    place = str(chance.choice(list(PLACES)))
    view = _hang_camera(hanging, place, size)
    play = PLOTS[plot](Stage(casting, duration, view.half_width()))
    room = build_room(building, view, place, _trodden(play, duration), play.pieces)
    clothes = tuple(dress(dressing) for _ in play.actors)
    return Performance(view, room, load_film(filming, size), play, clothes, bool(chance.random() < 0.15))


def _hang_camera(rng: np.random.Generator, place: str, size: tuple[int, int]) -> View:
    height = {"home": rng.uniform(1.1, 2.5), "yard": rng.uniform(2.8, 4.8)}.get(place, rng.uniform(2.1, 3.3))
    view = View(
        size,
        height=float(height),
        distance=1.0,
        hfov=math.radians(rng.uniform(55, 92)),
        pan=float(rng.normal(0, 0.06)),
        tilt=float(rng.uniform(-0.06, 0.05)),
        roll=float(rng.normal(0, 0.015)),
    )
    share = float(rng.uniform(0.3, 0.8))  # of the picture's height, for somebody at the origin
    slant = 1.7 * view.focal / size[1] / share
    above = view.height - 0.9
    steepest = math.tan(rng.uniform(0.45, 0.85))
    return replace(view, distance=max(math.sqrt(max(1.0, slant**2 - above**2)), above / steepest))


def _trodden(play: Play, duration: float) -> Floats:
    places = [[0.0, 0.0]]
    for actor in play.actors:
        first, last = max(0.0, actor.span[0]), min(duration, actor.span[1])
        for t in np.arange(first, last, 0.4).tolist():
            vector = actor.pose(t)
            if vector is not None:
                places.append(joints(vector).points[0, :2].tolist())
    return np.array(places)
