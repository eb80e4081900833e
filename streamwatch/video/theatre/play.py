"""A plot made concrete: who moves how, what happens when, and the stage on which plots are set."""

import math
from dataclasses import dataclass

import numpy as np

from streamwatch.video.theatre.fall import get_up
from streamwatch.video.theatre.furniture import Piece
from streamwatch.video.theatre.motion import Actor, Script
from streamwatch.video.theatre.skeleton import AT

__all__ = ["Happening", "Play", "Stage", "visit"]

Rng = np.random.Generator


@dataclass(frozen=True)
class Happening:
    """An event and when it happens (seconds), with the numbers of the actors in it."""

    event: str
    start: float
    end: float
    actors: tuple[int, ...]


@dataclass(frozen=True)
class Play:
    """A plot made concrete; ``lights``: (seconds, "on", "off" or "ir"), ``door``: (opens, closes), all in order."""

    actors: tuple[Actor, ...] = ()
    happenings: tuple[Happening, ...] = ()
    pieces: tuple[Piece, ...] = ()
    lights: tuple[tuple[float, str], ...] = ()
    door: tuple[tuple[float, float], ...] = ()
    caption: str = "an empty room"


@dataclass(frozen=True)
class Stage:
    """What a plot may use: chance, the time there is, and how far (metres) the picture reaches to either side."""

    rng: Rng
    duration: float
    half: float

    def side(self) -> float:
        """A place just outside the picture, left or right."""
        return float(self.rng.choice([-1, 1])) * (self.half * 1.05 + 0.5)

    def spot(self, reach: float = 0.5) -> tuple[float, float]:
        """A place near the middle."""
        return (float(self.rng.uniform(-reach, reach)) * self.half * 0.6, float(self.rng.uniform(-0.4, 0.6)) * reach)

    def enter(self, start: float = 0.0) -> Script:
        """Somebody outside the picture, about to come in."""
        x = self.side()
        return Script(self.rng, x, float(self.rng.uniform(-0.5, 0.9)), 0.0 if x < 0 else math.pi, start)

    def here(self, start: float = 0.0) -> Script:
        """Somebody who is there from the beginning, facing anywhere."""
        x, y = self.spot(0.8)
        return Script(self.rng, x, y, float(self.rng.uniform(0, math.tau)), start)

    def pace(self) -> float:
        """A walking speed in m/s."""
        return float(np.clip(self.rng.normal(1.2, 0.22), 0.6, 1.7))

    def leave(self, script: Script, speed: float | None = None) -> None:
        """Walk out of the picture."""
        script.walk(self.side(), script.y + float(self.rng.uniform(-0.4, 0.4)), speed or self.pace())

    def distance_to_edge(self, x: float) -> float:
        """How far it is from ``x`` to the nearer side of the picture."""
        return self.half * 1.05 + 0.5 - abs(x)


def visit(stage: Stage, actor: Actor) -> Actor:
    """The same part for somebody who first walks in and at last gets up, if need be, and walks out."""
    first = actor.beats[0].at(0.0)
    x, y = float(first[0]), float(first[1])
    pace, beats = stage.pace(), actor.beats
    if stage.distance_to_edge(x) > 0.3:
        out = math.copysign(stage.half * 1.05 + 0.5, x)
        seconds = abs(out - x) / pace
        entry = Script(stage.rng, out, y, 0.0, actor.span[0] - seconds).walk(x, y, pace)
        beats = (*entry.actor().beats, *beats)
    script = Script.resumed(stage.rng, Actor(beats))
    end = script.at_end()
    if max(abs(end[AT["pitch"]]), abs(end[AT["roll"]])) > 0.8:
        get_up(script)
    if stage.distance_to_edge(script.x) > 0.3:
        script.walk(math.copysign(stage.half * 1.05 + 0.5, script.x), script.y, max(1.3, pace))
    return script.actor()
