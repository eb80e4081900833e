"""Synthetic surveillance scenes: rendered people in rendered rooms, with the truth about what happens.

A scene is a pure function of its fields and the time: the same scene gives the same bytes on every run of the same
machine. Nothing is read from disk; everything is drawn with numpy and OpenCV.
"""

import difflib
import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from streamwatch.errors import ConfigError
from streamwatch.video.frame import Image
from streamwatch.video.theatre.figure import Clothes, cast_shadow, dress, extent, paint_figure
from streamwatch.video.theatre.film import Film, load_film
from streamwatch.video.theatre.motion import Actor
from streamwatch.video.theatre.plots import PLOTS, Happening, Play, Stage
from streamwatch.video.theatre.room import Room, build_room, hides
from streamwatch.video.theatre.skeleton import Joints, joints
from streamwatch.video.theatre.view import Floats, View

__all__ = ["PLOTS", "Scene", "SceneEvent"]

_EXPOSURE_S = 1 / 45  # how long the shutter is open: fast limbs smear


@dataclass(frozen=True)
class SceneEvent:
    """What happens when (seconds) and where (x0, y0, x1, y1 in 0–1 of the picture).

    A ``fall`` begins with the drop and ends 4 s after the person has come to lie; a ``fight`` lasts from the first
    blow to the last. Both end with the scene at the latest.
    """

    event: str
    start: float
    end: float
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class Scene:
    """A scene of ``duration`` seconds; ``plot`` is one of PLOTS, ``size`` is (width, height) in pixels.

    Raises ConfigError for an unknown plot or impossible numbers.
    """

    plot: str
    seed: int = 0
    size: tuple[int, int] = (640, 360)
    fps: float = 25.0
    duration: float = 20.0

    def __post_init__(self) -> None:
        if self.plot not in PLOTS:
            near = difflib.get_close_matches(self.plot, PLOTS, 1, 0.4)
            hint = f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(PLOTS)}"
            raise ConfigError(f"synthetic: no plot {self.plot!r}; {hint}")
        width, height = self.size
        if not (64 <= width <= 3840 and 48 <= height <= 2160):
            raise ConfigError(f"synthetic: size {width}x{height} must lie within 64x48 and 3840x2160")
        if not (0 < self.fps <= 120 and 1 <= self.duration <= 86400 and self.seed >= 0):
            raise ConfigError("synthetic: needs 0 < fps <= 120, 1 <= duration <= 86400 s and seed >= 0")

    @property
    def caption(self) -> str:
        """What can be seen, in one English sentence."""
        return self._set.play.caption

    @cached_property
    def truth(self) -> tuple[SceneEvent, ...]:
        """Every event of the scene, in order."""
        return tuple(
            SceneEvent(h.event, h.start, h.end, self._set.box(h))
            for h in sorted(self._set.play.happenings, key=lambda h: h.start)
        )

    def render(self, t: float) -> Image:
        """The picture at ``t`` seconds: uint8 [H, W, 3], RGB."""
        return self._set.picture(t)

    @cached_property
    def _set(self) -> "_Set":
        return _build(self)


@dataclass(frozen=True)
class _Set:
    """Everything that does not change with time."""

    view: View
    room: Room
    film: Film
    play: Play
    clothes: tuple[Clothes, ...]
    night: bool

    def picture(self, t: float) -> Image:
        frame = self.room.picture.copy()
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

    def box(self, happening: Happening) -> tuple[float, float, float, float]:
        boxes = []
        for t in np.linspace(happening.start, happening.end - 1e-3, 12).tolist():
            for number in happening.actors:
                vector = self.play.actors[number].pose(t)
                if vector is not None:
                    boxes.append(extent(self.view, joints(vector, self.clothes[number].height), 0.1))
        spans = np.array(boxes, dtype=float) / (*self.view.size, *self.view.size)
        (x0, y0), (x1, y1) = spans[:, :2].min(axis=0).tolist(), spans[:, 2:].max(axis=0).tolist()
        return (x0, y0, x1, y1)

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


def _build(scene: Scene) -> _Set:
    names = list(PLOTS)
    rng = np.random.default_rng((scene.seed, names.index(scene.plot)))
    place = str(rng.choice(["home", "office", "shop", "corridor", "ward", "store", "yard"]))
    view = _hang_camera(rng, place, scene.size)
    play = PLOTS[scene.plot](Stage(rng, scene.duration, view.half_width()))
    trod = _trodden(play, scene.duration)
    room = build_room(rng, view, place, trod, play.pieces)
    clothes = tuple(dress(rng) for _ in play.actors)
    film = load_film(rng, scene.size)
    return _Set(view, room, film, play, clothes, bool(rng.random() < 0.15))


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
